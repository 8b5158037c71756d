/// Nodes that go and come back in a pool with one copy of each key whose nodes stand in for each other. Told what happens
/// to the nodes and how each step went, it says whose keys are where and what to do next, one thing at a time.
///
///     home ── down ──▶ away ── answers ──▶ back ── its turn ──▶ joining ──▶ leading ──▶ home
///      │ ▲                                          │              ▲                      the others drop its keys
///      ▼ │ answers                                  └── disturbed ─┘
///     held
///
/// - *Away*: others stand in. They hold what is written meanwhile, and the node what was there before.
/// - *Joining*: its keys are written in both places, what stands in decides and is read. When all writes go there, the
///   node is flushed twice, and filled from what stands in. Then it counts as full: what the first passes have missed is
///   added, and both are compared, until there is nothing to do.
/// - *Leading*: the node decides and is read, the others are written as well, so that no two workers disagree.
/// - *Home*: the node alone. What the others still hold of its keys would be old at the next outage: it is dropped.
/// - *Held*: a node that goes down before that is done keeps its keys, and requests for them fail, until it is.
///
/// So a value is read only where every write of its key went that was acknowledged, and what was acknowledged stays.
public struct HomePlan: Sendable {
    public enum Place: Equatable, Sendable { case home, held, away, back }

    public enum Command: Equatable, Sendable {
        case wait(until: UInt64)
        /// On the connection that is kept from here on: if it is lost, call `disturbed`.
        case flush(Int)
        /// To the node, from those that stand in for it.
        ///
        /// - Parameter isLive: writes come to both places at once: a second look is of use when those under way are over.
        case copy(to: Int, isLive: Bool)
        case verify(Int)
        /// The node's items whose keys belong to others.
        case drop(on: Int)
    }

    /// How a pass over items ended.
    public enum PassResult: Equatable, Sendable {
        /// - Parameters:
        ///   - changed: items that were added, dropped, or found to be missing.
        ///   - total: items that it looked at.
        case whole(changed: Int, total: Int)
        case cutShort
        /// The servers cannot do that.
        case impossible
    }

    enum Stage: Equatable, Sendable {
        case joining
        case flush(Int), gap
        case copy(Int)
        case proving, mend(Int), verify(Int)
        case leading
        case leaving
        case drop, dropPause

        /// The node is written and counts as full.
        var isFull: Bool {
            switch self {
            case .proving, .mend, .verify, .leading: true
            default: false
            }
        }

        /// And it holds nothing that would have to be taken back.
        var isProven: Bool {
            if case .mend = self { false } else { isFull }
        }

        /// The node is not home yet.
        var isReturning: Bool {
            switch self {
            case .leaving, .drop, .dropPause: false
            default: true
            }
        }
    }

    /// Two flushes in one second would be one; and what is read in the second of a flush survives it.
    static let flushGap: UInt64 = 2_100_000_000
    static let copyLimit = 8
    static let mendLimit = 4
    static let dropLimit = 5
    /// Before anything is tried again.
    static let pause: UInt64 = 1_000_000_000

    /// For so long a write may be under way that was begun under an earlier arrangement, and what a node had received
    /// before it stood still may be carried out late.
    public let quietTime: UInt64
    let verifies: Bool
    public internal(set) var places: [Place]
    /// Who may hold keys of others.
    var unswept: [Int] = []
    /// All may, after their keys have moved; somebody else drops them. What goes down meanwhile is held.
    var awaitsSweep = false
    private(set) var stage: Stage?
    /// Which one is brought home, or was last.
    public internal(set) var node = 0
    /// Nobody stands in: it is flushed, and nothing is to be brought.
    private(set) var isAlone = false
    private var isSent = false
    private var dueTime: UInt64 = 0
    private var tries = 0
    private var failures = 0
    /// Changes when what is under way has lost its ground: its end is of no interest any more.
    public private(set) var round = 0
    /// What the servers cannot do has been tried: keys may be old.
    public private(set) var isHopeless = false

    public init(nodes: Int, timeout: UInt64, verifies: Bool) {
        places = Array(repeating: .home, count: nodes)
        quietTime = timeout.addingSaturated(timeout).addingSaturated(1_000_000_000)
        self.verifies = verifies
    }

    // MARK: What workers do

    private func isReturning(_ place: Int) -> Bool { place == node && stage?.isReturning == true && !isAlone }

    public func verdict(on place: Int) -> NodeVerdict {
        let marked = stage != nil && stage?.isReturning == true && !isAlone || stage == .leaving
        switch places[place] {
        case .home: return NodeVerdict(.full, keys: .own, isHoming: marked)
        case .held: return NodeVerdict(.none, keys: .own, isHoming: marked)
        case .back where isReturning(place) && stage == .leading:
            return NodeVerdict(.full, keys: .leading, isHoming: true)
        case .back where isReturning(place):
            return NodeVerdict(stage?.isFull == true ? .full : .syncing, keys: .joining, isHoming: true)
        case .away, .back: return NodeVerdict(.none, keys: .away, isHoming: marked)
        }
    }

    // MARK: What happens to nodes

    var homes: Int { places.count { $0 == .home } }

    public mutating func wentDown(_ place: Int, now: UInt64) {
        switch places[place] {
        case .held, .away: break
        case .back:
            places[place] = .away
            if place == node, stage?.isReturning == true { restart(now: now) }
        case .home:
            if stage?.isReturning == true {
                // What stood in is lost with it.
                if stage?.isProven == true { complete(now: now) } else { restart(now: now) }
            }
            places[place] = unswept.isEmpty && !awaitsSweep && homes > 1 ? .away : .held
        }
    }

    public mutating func answers(_ place: Int, now: UInt64) {
        switch places[place] {
        case .home, .back: break
        case .held:
            places[place] = .home
            if isAlone, stage?.isReturning == true { restart(now: now) }
        case .away: places[place] = .back
        }
    }

    /// The connection to the node that is brought home was lost: it may be another process.
    public mutating func disturbed(now: UInt64) { if stage?.isReturning == true { fail(now: now) } }

    /// Tried again, more and more slowly: what was acknowledged meanwhile is on the stand-ins, and stays there.
    private mutating func fail(now: UInt64) {
        restart(now: now)
        dueTime = now.addingSaturated((Self.pause / 4) << UInt64(min(failures, 4)))
        failures += 1
    }

    /// A write may be missing on the node that another has taken.
    ///
    /// - Returns: it may be acknowledged.
    public mutating func missedWrite(_ place: Int, now: UInt64) -> Bool {
        guard let stage, !isAlone else { return true }
        if place == node {
            if stage.isReturning { restart(now: now) }
            return stage != .leaving
        }
        // What stood in is behind now.
        if stage.isProven { complete(now: now) }
        return stage.isProven || !stage.isFull
    }

    private mutating func restart(now: UInt64) {
        begin(nil)
        round += 1
        dueTime = now.addingSaturated(Self.pause / 4)
    }

    private mutating func complete(now: UInt64) {
        places[node] = .home
        unswept = places.indices.filter { $0 != node && (places[$0] == .home || places[$0] == .held) }
        round += 1
        failures = 0
        begin(.leaving, at: now.addingSaturated(quietTime))
    }

    private mutating func begin(_ next: Stage?, at time: UInt64 = 0) { (stage, isSent, dueTime) = (next, false, time) }

    // MARK: What is done

    /// For operators.
    public var phase: String {
        switch stage {
        case nil: ""
        case .joining: "quiet time"
        case .flush, .gap: "emptying"
        case .copy(let number): "copying, pass \(number)"
        case .mend(let number): "copying what was missed, pass \(number)"
        case .verify: "verifying"
        case .proving, .leading, .leaving: "settling"
        case .drop, .dropPause: "dropping what stood in"
        }
    }

    /// When `nextCommand` has to be asked, if nothing is under way.
    public var nextTime: UInt64 {
        if isSent { return .max }
        if stage != nil || hasSweeping { return 0 }
        return places.contains(.back) ? dueTime : .max
    }

    /// Something is under way.
    public var isBusy: Bool { stage != nil }

    private var hasSweeping: Bool { unswept.contains { places[$0] == .home } }

    public mutating func nextCommand(now: UInt64) -> Command? {
        guard !isSent else { return nil }
        if stage == nil, hasSweeping { begin(.drop) }
        if stage == nil {
            guard now >= dueTime, let next = places.firstIndex(of: .back) else { return nil }
            (node, isAlone) = (next, homes == 0)
            begin(.joining, at: now.addingSaturated(quietTime))
        }
        if stage == .drop, !hasSweeping {
            finish()
            return nextCommand(now: now)
        }
        isSent = true
        switch stage {
        case nil: return nil
        case .joining, .gap, .proving, .leading, .leaving, .dropPause: return .wait(until: dueTime)
        case .flush: return .flush(node)
        case .copy: return .copy(to: node, isLive: false)
        case .mend: return .copy(to: node, isLive: true)
        case .verify: return .verify(node)
        case .drop: return unswept.first { places[$0] == .home }.map { .drop(on: $0) }
        }
    }

    public mutating func waited(now: UInt64) {
        guard isSent, now >= dueTime else { return }
        switch stage {
        case .joining: begin(.flush(1))
        case .gap: begin(.flush(2))
        case .proving: begin(.mend(1))
        case .leading: complete(now: now)
        case .leaving, .dropPause: begin(.drop)
        default: break
        }
    }

    /// - Parameter isDone: false: the node refuses to be flushed.
    public mutating func flushed(isDone: Bool, now: UInt64) {
        guard isSent, case .flush(let count) = stage else { return }
        if !isDone {
            giveUp()
        } else if count == 1 {
            begin(.gap, at: now.addingSaturated(Self.flushGap))
        } else if isAlone {
            places[node] = .home
            finish()
        } else {
            begin(.copy(1))
        }
    }

    public mutating func passed(_ result: PassResult, on place: Int, now: UInt64) {
        guard isSent else { return }
        guard case .whole(let changed, let total) = result else {
            return failed(result, on: place, now: now)
        }
        switch stage {
        case .copy(let number):
            if FillingPlan.isLittle(changed, of: total) || number == Self.copyLimit {
                begin(.proving, at: now.addingSaturated(quietTime))
            } else {
                begin(.copy(number + 1))
            }
        case .mend(let number) where verifies: begin(.verify(number))
        case .mend(let number), .verify(let number):
            if changed == 0 || number == Self.mendLimit {
                begin(.leading, at: now.addingSaturated(quietTime))
            } else {
                begin(.mend(number + 1))
            }
        case .drop: swept(place)
        default: break
        }
    }

    private mutating func failed(_ result: PassResult, on place: Int, now: UInt64) {
        guard stage == .drop else { return result == .impossible ? giveUp() : fail(now: now) }
        tries += 1
        if result == .impossible || tries == Self.dropLimit {
            isHopeless = true
            swept(place)
        } else {
            begin(.dropPause, at: now.addingSaturated(Self.pause))
        }
    }

    private mutating func swept(_ place: Int) {
        unswept.removeAll { $0 == place }
        tries = 0
        begin(.drop)
    }

    private mutating func finish() {
        if !awaitsSweep { releaseHeld() }
        unswept.removeAll { places[$0] == .away }
        round += 1
        begin(nil)
    }

    /// The node is used as it is.
    private mutating func giveUp() {
        isHopeless = true
        places[node] = .home
        finish()
    }
}
