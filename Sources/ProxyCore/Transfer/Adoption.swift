/// The first start of a pool: its nodes are taken as they are. Told what they answer, it says what to send next; one
/// command at a time.
///
///     lease of the first node ▶ every node learns every other's token ▶ every node gets its own: ready
///
/// If it is cut short, the nodes that it did not get to are filled from the others.
public struct Adoption: Sendable {
    public enum Outcome: Equatable, Sendable {
        case adopted
        /// Another proxy does it, a node did not answer, or one has missed a write since.
        case ended
    }

    private enum State: Equatable {
        case lease, standings, ready, release, over
    }

    private let nodes: [Int]
    private let tokens: [Token]
    private let seen: [[Standing?]]
    private var state = State.lease
    private var isSent = false
    private var change: StandingChange?
    /// The node that the state is at, and in `standings` who keeps it.
    private var index = 0
    private var keeper = 0
    public private(set) var lease: Lease
    public private(set) var outcome: Outcome?

    /// - Parameters:
    ///   - nodes: `PoolMarkers.adoptable`, not empty.
    ///   - owner: of this proxy's leases.
    public init(
        of nodes: [Int], markers: PoolMarkers, owner: Token, using generator: inout some RandomNumberGenerator
    ) {
        self.nodes = nodes
        tokens = nodes.map { _ in Token(using: &generator) }
        seen = markers.nodes.map { $0.reading?.standings ?? [] }
        lease = Lease(node: 0, owner: owner)
    }

    public mutating func disturbed() {
        if outcome == nil { outcome = .ended }
        state = .over
    }

    public mutating func nextCommand() -> MarkerCommand? {
        guard !isSent, outcome == nil else { return nil }
        isSent = true
        switch state {
        case .lease: return lease.taking()
        case .standings:
            let node = nodes[index]
            if change == nil {
                change = StandingChange(.adopt(tokens[index], over: seen[keeper][node]), of: node, on: keeper)
            }
            return change?.nextCommand()
        case .ready:
            return MarkerCommand(
                node: nodes[index], item: .ready, .store(MarkerText.token(tokens[index]), .ifMissing))
        case .release: return lease.releasing()
        case .over: return nil
        }
    }

    public mutating func received(_ reply: MarkerReply, now: UInt64) {
        guard isSent, outcome == nil else { return }
        isSent = false
        switch state {
        case .lease:
            lease.taken(reply, now: now)
            if lease.isHeld { startStandings() } else { disturbed() }
        case .standings:
            change?.received(reply)
            switch change?.outcome {
            case nil: break
            case .done: nextStanding()
            case .refused, .failed: disturbed()
            }
        case .ready:
            guard case .done = reply else { return disturbed() }
            index += 1
            if index == nodes.count { state = .release }
        case .release:
            outcome = .adopted
            state = .over
        case .over: break
        }
    }

    private mutating func startStandings() {
        state = .standings
        keeper = -1
        nextStanding()
    }

    private mutating func nextStanding() {
        change = nil
        keeper += 1
        if keeper == nodes[index] { keeper += 1 }
        guard keeper >= seen.count else { return }
        index += 1
        keeper = -1
        if index == nodes.count {
            state = .ready
            index = 0
        } else {
            nextStanding()
        }
    }
}
