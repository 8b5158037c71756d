internal import Bytes
internal import ProxyCore
internal import Reactor

/// The one thread of a process that moves items: it runs passes as the control thread orders them, so that neither
/// that nor the workers ever wait for a dump or a file.
final class TransferThread: Sendable {
    private let mailbox = Mailbox<ToTransfer>()
    private let thread: LoopThread

    /// - Parameter tell: on the transfer thread: hands over what the control thread has to know.
    init(_ tell: @escaping @Sendable (FromTransfer) -> Void) {
        let mailbox = mailbox
        thread = LoopThread(name: "transfer") { TransferLoop(mailbox, tell).run() }
    }

    func start(_ order: PassOrder) { mailbox.send(.start(order)) }

    func start(_ order: ArchiveOrder) { mailbox.send(.archive(order)) }

    /// It begins no more items and ends as soon as those under way have, which takes no longer than the pool's timeout.
    func cancel(_ id: UInt64) { mailbox.send(.cancel(id)) }

    /// It begins no more items; a dump that runs goes on.
    func pause(_ id: UInt64) { mailbox.send(.pause(id)) }

    func resume(_ id: UInt64) { mailbox.send(.resume(id)) }

    /// Clients suffer, or do not: all passes slow down, or recover.
    func look(isStrained: Bool) { mailbox.send(.look(isStrained: isStrained)) }

    /// Cancels all passes and waits for the thread's end.
    func stop() {
        mailbox.send(.stop)
        thread.join()
    }
}

/// What runs on it.
final class TransferLoop {
    /// Bytes of values and commands under way, of all passes.
    static let memory = 256 << 20
    /// A token's lower bits say which connection of a pass.
    private static let passShift: UInt64 = 20

    private let loop = EventLoop()
    private let mailbox: Mailbox<ToTransfer>
    private let tell: (FromTransfer) -> Void
    private let queues = ByteQueues(limit: TransferLoop.memory)
    private let vector = SendVector()
    private var passes: [any TransferWork] = []
    /// Of a copy pass that has just ended.
    private var shared: SharedList?
    private var lastSerial: UInt64 = 0
    private var isStopping = false
    /// Kept from pass to pass: only its halvings count.
    private var pace = TransferRate(rate: 1, bandwidth: 1)

    init(_ mailbox: Mailbox<ToTransfer>, _ tell: @escaping (FromTransfer) -> Void) {
        self.mailbox = mailbox
        self.tell = tell
        _ = loop.watchReadable(mailbox.descriptor, token: 0)
    }

    func run() {
        while !isStopping || !passes.isEmpty {
            let wakeup = passes.reduce(shared?.deadline ?? .max) { min($0, $1.wakeup) }
            loop.turn(until: wakeup == .max ? nil : wakeup)
            for index in 0..<loop.readyCount {
                let (token, what) = loop.ready(at: index)
                let serial = (token >> Self.passShift) << Self.passShift
                if token == 0 {
                    for message in mailbox.takeAll() { receive(message) }
                } else if let pass = passes.first(where: { $0.serial == serial }) {
                    pass.ready(token - serial, what, on: loop)
                }
            }
            turnPasses()
            if let shared, loop.now >= shared.deadline { self.shared = nil }
        }
    }

    private func turnPasses() {
        // One dump at a time, so that each is read at full speed.
        var isDumping = passes.contains(where: \.isDumping)
        for pass in passes {
            pass.turn(with: vector, mayDump: !isDumping, on: loop)
            isDumping = isDumping || pass.isDumping
            if let progress = pass.takeProgress(now: loop.now) { tell(.progress(progress)) }
        }
        guard passes.contains(where: { $0.end != nil }) else { return }
        for pass in passes {
            guard let end = pass.end else { continue }
            if let list = pass.sharedList(now: loop.now) { shared = list }
            tell(.ended(end))
        }
        passes.removeAll { $0.end != nil }
        assert(!passes.isEmpty || queues.memoryInUse == 0, "a pass has left values behind")
    }

    private func begin(_ make: (UInt64) -> any TransferWork) {
        lastSerial += 1 << Self.passShift
        let pass = make(lastSerial)
        if isStopping { pass.cancel() }
        passes.append(pass)
    }

    private func receive(_ message: ToTransfer) {
        switch message {
        case .start(let order):
            let list = shared.flatMap { $0.serves(order) ? $0 : nil }
            if order.sharesList { shared = nil }
            begin { PassRunner(order, shared: list, serial: $0, queues: queues, pace: pace, now: loop.now) }
        case .archive(let order):
            switch order.kind {
            case .backup: begin { BackupRunner(order, serial: $0, queues: queues, pace: pace) }
            case .restore: begin { RestoreRunner(order, serial: $0, queues: queues, pace: pace) }
            }
        case .cancel(let id): passes.first { $0.id == id }?.cancel()
        case .pause(let id): passes.first { $0.id == id }?.setPaused(true)
        case .resume(let id): passes.first { $0.id == id }?.setPaused(false)
        case .look(let isStrained):
            pace.look(isStrained: isStrained)
            for pass in passes { pass.keepPace(with: pace) }
        case .stop:
            isStopping = true
            for pass in passes { pass.cancel() }
        }
    }
}

@available(*, unavailable, message: "it never leaves its thread")
extension TransferLoop: Sendable {}
