@testable import ProxyCore

/// How one write goes to the copies of its key where a node may be away or be filled: told what each copy answers, it
/// says what to send next, whom to revoke, and when the client gets his answer.
///
///     full copies          a set or a delete: all at once; else the first alone, then its effect to the others
///       │ all have answered
///     syncing copies       a set as a set, a delete as a delete, anything else as a delete: a miss, never a wrong value
///       │ all have answered
///     revocations          of each copy that may have missed what another took
///       │ published
///     answer
///
/// Survivors first, so that the copier, which looks at the survivor once more after each copy, sees every change.
/// Where no copy is full, those that syncing make do as survivors.
struct WritePlan: BitwiseCopyable, Sendable {
    enum Kind: BitwiseCopyable, Sendable {
        case set, delete
        /// Its result depends on what is stored.
        case readModifyWrite
    }

    enum Action: BitwiseCopyable, Sendable, Equatable {
        /// The client's command, or what does the same for a copy.
        case command
        /// What the command did on the first copy.
        case effect
        /// A md.
        case delete
    }

    enum Result: BitwiseCopyable, Sendable, Equatable {
        /// It was done; a delete that found nothing, too.
        case taken
        /// The copy answered that it was not.
        case refused
        /// No answer: nobody knows.
        case failed
    }

    enum Answer: BitwiseCopyable, Sendable, Equatable {
        /// What the first copy said that took it.
        case acknowledged
        /// What the first copy said.
        case refused
        /// An error: no copy took it, or nobody keeps the revocation.
        case failed
    }

    private enum State: UInt8, BitwiseCopyable {
        case waiting, sent, taken, refused, failed
        /// Not asked: it is away, or has nothing to do.
        case skipped
    }

    private struct Copy: BitwiseCopyable {
        var isSurvivor = false
        var isSyncing = false
        var state = State.skipped
    }

    private let kind: Kind
    private let count: Int
    private var copies = InlineArray<8, Copy>(repeating: Copy())
    /// Away from the start.
    private var absent: UInt8 = 0
    private var isPublished = false
    private var publishingFailed = false

    /// - Parameter access: of each copy, in the ring's order; 1 to 8.
    init(_ kind: Kind, access: [PoolMarkers.Access]) {
        precondition(!access.isEmpty && access.count <= 8)
        self.kind = kind
        count = access.count
        let hasFull = access.contains(.full)
        for index in 0..<count {
            if access[index] == .none {
                absent |= 1 << UInt8(index)
                continue
            }
            copies[index].isSurvivor = access[index] == .full || !hasFull
            copies[index].isSyncing = !copies[index].isSurvivor
            copies[index].state = .waiting
        }
        settle()
    }

    /// The next command to be sent; nil while answers are awaited, or when all is sent.
    mutating func nextCommand() -> (copy: Int, action: Action)? {
        for index in 0..<count where copies[index].state == .waiting && mayGo(index) {
            let action = action(of: index)
            copies[index].state = .sent
            return (index, action)
        }
        return nil
    }

    private func mayGo(_ index: Int) -> Bool {
        if copies[index].isSyncing { return survivorsAreDone }
        return kind != .readModifyWrite || first == nil || first == index || isDone(first!)
    }

    private func action(of index: Int) -> Action {
        if copies[index].isSurvivor { return kind == .readModifyWrite && first != index ? .effect : .command }
        return kind == .readModifyWrite || !survivorTook ? .delete : .command
    }

    mutating func received(_ result: Result, from copy: Int) {
        guard copy >= 0, copy < count, copies[copy].state == .sent else { return }
        copies[copy].state =
            switch result {
            case .taken: .taken
            case .refused: .refused
            case .failed: .failed
            }
        settle()
    }

    /// What an answer means for those that have not been asked yet.
    private mutating func settle() {
        if kind == .readModifyWrite, let first, isDone(first), copies[first].state == .refused {
            // Nothing was changed.
            for index in 0..<count where copies[index].state == .waiting { copies[index].state = .skipped }
        }
    }

    /// The copy that decides: the first survivor that has not failed.
    private var first: Int? { (0..<count).first { copies[$0].isSurvivor && copies[$0].state != .failed } }

    private func isDone(_ index: Int) -> Bool { copies[index].state != .waiting && copies[index].state != .sent }
    private var survivorsAreDone: Bool { (0..<count).allSatisfy { !copies[$0].isSurvivor || isDone($0) } }
    private var survivorTook: Bool { (0..<count).contains { copies[$0].isSurvivor && copies[$0].state == .taken } }

    /// All copies that were asked have answered or failed.
    var isSettled: Bool { (0..<count).allSatisfy { isDone($0) } }

    /// Bit i: copy i was asked and gave no answer. It may have missed the write, or do it any time later: it is revoked,
    /// whatever became of the others.
    var failed: UInt8 { bits { copies[$0].state == .failed } }

    /// Bit i: copy i was left out, and another took the write. It is revoked unless a revocation covers it.
    var missed: UInt8 { survivorTook ? absent : 0 }

    private func bits(_ condition: (Int) -> Bool) -> UInt8 {
        (0..<count).reduce(0) { condition($1) ? $0 | 1 << UInt8($1) : $0 }
    }

    /// All revocations that `failed` and `missed` ask for are over.
    ///
    /// - Parameter isKept: each is kept by some node, or was not needed.
    mutating func published(isKept: Bool) {
        isPublished = true
        publishingFailed = !isKept
    }

    /// Nil until it is time.
    var answer: Answer? {
        guard isSettled, isPublished || failed | missed == 0 else { return nil }
        if survivorTook { return publishingFailed ? .failed : .acknowledged }
        return (0..<count).contains { copies[$0].isSurvivor && copies[$0].state == .refused } ? .refused : .failed
    }
}
