/// How the keys of a pool come to other nodes: told what has happened, it says what to do next.
///
///     write both, read old:   quiet time ▶ nobody writes elsewhere, all servers full
///                                        ▶ each target: copy, until a pass adds little ▶ verify
///                                        ▶ where keys have one copy: offer to move, and nobody objects
///     write both, read new:   nobody reads the old places any more
///     write and read new:     what is left at the old places is dropped
///
/// Any number of proxies do this at once, each by itself; as soon as one sees that another has gone on, it does too.
///
/// A write that a target misses revokes its server, so what proves a server full proves that its targets have missed
/// nothing: with any other token than at the beginning, or when somebody writes elsewhere, all begins anew. Where keys have
/// one copy there are no such tokens: there the number of writes that this proxy has missed stands for them, and of the
/// other proxies those that miss one object.
public struct MovePlan: Sendable {
    public enum Step: Equatable, Sendable {
        case wait(until: UInt64)
        /// Until `now` is told something else.
        case await(Wanted)
        /// By index of the target.
        case pass(FillingPlan.Pass, target: Int)
        /// On all nodes, and to be told whether nobody has objected by then: `offered`.
        case offer
        /// All workers read at the new places.
        case moveReads
        /// All workers write at the new places only.
        case leave
        /// What the server of this target has of keys that are elsewhere now; by index of the target on the way back.
        case drop(target: Int)
        case over
    }

    public enum Wanted: Equatable, Sendable { case servers, agreement, others }

    /// What the pool's markers say.
    public struct Situation: Equatable, Sendable {
        /// Of all servers of the new places, if all are full.
        public var tokens: [UInt64]?
        /// Some proxy writes keys elsewhere.
        public var isOpposed = false
        /// Some proxy reads keys where they were.
        public var isMoving = false
        /// Some proxy reads keys where they are to be.
        public var hasMoved = false

        public init(tokens: [UInt64]?) { self.tokens = tokens }

        public init(tokens: [UInt64]?, isOpposed: Bool, isMoving: Bool, hasMoved: Bool) {
            (self.tokens, self.isOpposed, self.isMoving, self.hasMoved) = (tokens, isOpposed, isMoving, hasMoved)
        }
    }

    private enum State: Equatable, Sendable {
        case quiet, servers
        case copy(Int, number: Int), verify(Int, number: Int)
        case offering
        case moving
        case others, leaving
        case drop(Int)
        case over
    }

    static let passLimit = 8

    private var state = State.quiet
    private let quietUntil: UInt64
    private let targets: Int
    private let drops: Int
    private let verifies: Bool
    private let offers: Bool
    /// Of the servers, when the round began.
    private var tokens: [UInt64]?
    private var isOpposed = false
    /// Of the drop that is next.
    private var dropTries = 0

    /// - Parameters:
    ///   - quietUntil: by then every proxy has said what it writes by, and what was sent before has landed.
    ///   - targets: rows to be filled.
    ///   - drops: servers to be relieved of what they have no longer.
    ///   - offers: reads move when nobody objects to that.
    ///   - hasMoved: reads have moved already, and other settings have come since.
    public init(
        quietUntil: UInt64, targets: Int, drops: Int, verifies: Bool, offers: Bool = false, hasMoved: Bool = false
    ) {
        (self.quietUntil, self.targets, self.drops, self.verifies) = (quietUntil, targets, drops, verifies)
        self.offers = offers
        if hasMoved { state = .others }
    }

    /// Keys stay where they were, and servers are to be relieved of what was brought to them.
    public init(dropping drops: Int) {
        self.init(quietUntil: 0, targets: 0, drops: drops, verifies: true)
        state = drops > 0 ? .drop(0) : .over
    }

    /// Reads have not moved: it can still be taken back.
    public var isReversible: Bool {
        switch state {
        case .quiet, .servers, .copy, .verify: true
        case .offering, .moving, .others, .leaving, .drop, .over: false
        }
    }

    public func step(now: UInt64) -> Step {
        switch state {
        case .quiet: now < quietUntil ? .wait(until: quietUntil) : .await(.servers)
        case .servers: .await(isOpposed ? .agreement : .servers)
        case .copy(let target, let number): .pass(.copy(number: number), target: target)
        case .verify(let target, _): .pass(.verify, target: target)
        case .offering: .offer
        case .moving: .moveReads
        case .others: .await(.others)
        case .leaving: .leave
        case .drop(let target): .drop(target: target)
        case .over: .over
        }
    }

    /// To be told before each step.
    ///
    /// - Returns: false when what is under way is of no use any more.
    public mutating func look(at situation: Situation, now: UInt64) -> Bool {
        isOpposed = situation.isOpposed && !situation.hasMoved
        switch state {
        case .quiet where now >= quietUntil, .servers:
            state = .servers
            guard let tokens = situation.tokens, !isOpposed else { return true }
            self.tokens = tokens
            // What one has done need not be done again.
            state = situation.hasMoved ? .moving : targets == 0 ? filled : .copy(0, number: 1)
            return true
        case .copy, .verify, .offering, .moving:
            let wasPassing = isPassing
            if isOpposed || situation.tokens != tokens {
                state = .servers
            } else if situation.hasMoved {
                state = .moving
            }
            return isPassing == wasPassing
        case .others:
            if !situation.isMoving { state = .leaving }
            return true
        case .quiet, .leaving, .drop, .over: return true
        }
    }

    private var filled: State { offers ? .offering : .moving }

    /// - Parameter isAccepted: the nodes have it, and none an objection.
    public mutating func offered(isAccepted: Bool) {
        if state == .offering { state = isAccepted ? .moving : .servers }
    }

    private var isPassing: Bool {
        switch state {
        case .copy, .verify: true
        default: false
        }
    }

    /// Numbers as `FillingPlan.passed` has them.
    public mutating func passed(changed: Int, of total: Int, isWhole: Bool) {
        if case .drop(let target) = state { return endDrop(target, isWhole: isWhole) }
        // One node did not answer, or went or came: who is full will tell.
        guard isWhole || !isPassing else { return state = .servers }
        let isLittle = FillingPlan.isLittle(changed, of: total)
        switch state {
        case .copy(let target, let number) where !isLittle && number < Self.passLimit:
            state = .copy(target, number: number + 1)
        case .copy(let target, let number) where verifies: state = .verify(target, number: number)
        // Once reads have moved, what is missing is a miss.
        case .verify(let target, let number) where changed > 0 && number < Self.passLimit:
            state = .copy(target, number: number + 1)
        case .copy(let target, _), .verify(let target, _):
            state = target + 1 < targets ? .copy(target + 1, number: 1) : filled
        default: break
        }
    }

    /// What a server that does not answer has left is in nobody's way: what keys that come back to it find there is
    /// compared with the others.
    private mutating func endDrop(_ target: Int, isWhole: Bool) {
        dropTries += 1
        guard isWhole || dropTries == Self.passLimit else { return }
        dropTries = 0
        state = target + 1 < drops ? .drop(target + 1) : .over
    }

    /// What a step asked of all workers is done.
    public mutating func done() {
        switch state {
        case .moving: state = .others
        case .leaving: state = drops > 0 ? .drop(0) : .over
        default: break
        }
    }
}
