internal import ProxyCore

/// What is said to other proxies once for all who want it said at the same time, and is good for a while.
final class SharedWord {
    private let pause: UInt64
    private var saidAt: UInt64?
    /// Who waits until it is said.
    private var waiting: [(Bool) -> Void] = []

    /// - Parameter pause: nanoseconds from when it began to be said.
    init(goodFor pause: UInt64) { self.pause = pause }

    func stands(at now: UInt64) -> Bool { saidAt.map { now < $0.addingSaturated(pause) } ?? false }

    /// - Parameters:
    ///   - done: told whether some node keeps it, as `words` is.
    ///   - words: says it, unless that is under way already.
    func say(at now: UInt64, _ done: @escaping (Bool) -> Void, _ words: (@escaping (Bool) -> Void) -> Void) {
        waiting.append(done)
        guard waiting.count == 1 else { return }
        words { [unowned self] isKept in
            saidAt = isKept ? now : nil
            let all = waiting
            waiting = []
            for done in all { done(isKept) }
        }
    }
}
