/// How a node that may not be read comes to be: told what the nodes answer and how each pass went, it says what to do
/// next. One command at a time.
///
///     lease ▶ what was there? ▶ no longer ready ▶ announce to the others ▶ quiet time ▶ what was missed?
///           ▶ clean ▶ copy, until a pass adds little ▶ verify ▶ learn of the others ▶ nobody objects? ▶ ready
///
/// Its token is drawn at the start and told to every other node that answers. Whoever misses a write of this node from
/// then on revokes that token, and the filling ends without a ready marker. So does it with the connection on which it
/// began, and when any of the other nodes goes or comes: the next one starts at cleaning.
public struct FillingPlan: Sendable {
    public struct Options: Sendable {
        /// Nanoseconds, from `PoolMarkers`.
        public var quietTime: UInt64
        public var verify: SyncSettings.Verify
        /// Where nothing may stay, and a dump of the node would not be complete (before 1.6.19), or a dump and deletes
        /// would take longer: flush it twice.
        public var mayFlush = false

        public init(quietTime: UInt64, verify: SyncSettings.Verify) {
            self.quietTime = quietTime
            self.verify = verify
        }
    }

    public enum Command: Equatable, Sendable {
        case marker(MarkerCommand)
        case flush
        case wait(until: UInt64)
        case pass(Pass)
    }

    public enum Pass: Equatable, Sendable {
        /// A `CleanStep` for each item of the node, with the watermark of the node that holds the key's first full
        /// copy. By place in the pool; nil is not full: an item that has no other full copy stays as it is.
        case clean([UInt64?])
        /// A `CopyStep` for each item of the others that the node is to have a copy of, from the first full copy.
        case copy(number: Int)
        /// A `VerifyStep` for each item of them and of the node.
        case verify
    }

    public enum Outcome: Equatable, Sendable {
        /// It may be read, under this token.
        case ready(Token)
        case ended(EndReason)
    }

    public enum EndReason: Equatable, Sendable {
        /// Another proxy does it.
        case leased
        /// A node did not answer, or went or came.
        case disturbed
        /// Some proxy misses writes of the node.
        case revoked
        /// The node keeps no CAS numbers.
        case withoutCAS
    }

    enum State: Equatable, Sendable {
        case lease, ready, filling, retire, begin
        case announce
        case quiet
        case inspect
        case clean
        case flush(Int), leaseAfterFlush(Int), beginAfterFlush(Int), flushWait
        case copy(Int), verify(Int)
        case learn, check
        case compare, prove, publish, complete, forget, release
        case over
    }

    /// Two flushes in one second would be one; and what is read in the second of a flush survives it.
    static let flushGap: UInt64 = 2_100_000_000
    /// A pass that changes fewer, or a smaller share of what it looked at than one in `fewShare`, is the last: while
    /// clients write, there is always something.
    static let fewItems = 10
    static let fewShare = 500
    static let passLimit = 8

    public let target: Int
    public let token: Token
    public let peers: [FillingPeer]
    /// The target's ready marker when it was found to need filling.
    let oldToken: Token?
    /// A point before the filling, of each other node.
    let points: [Missed]
    let options: Options

    var state = State.lease
    var isSent = false
    var change: StandingChange?
    /// The other node that the state is at.
    var peer = 0
    var hadFilling = false
    var waitsUntil: UInt64 = 0
    var watermarks: [UInt64?]
    public var lease: Lease
    public let started: UInt64
    public internal(set) var outcome: Outcome?

    /// - Parameters:
    ///   - markers: of now. When any node goes or comes after this, call `disturbed`.
    ///   - token: drawn for this filling.
    ///   - owner: of this proxy's leases.
    public init(
        of target: Int, markers: PoolMarkers, token: Token, owner: Token, options: Options, now: UInt64
    ) {
        self.target = target
        self.token = token
        self.options = options
        peers = markers.peers(of: target, now: now)
        oldToken = markers.nodes[target].reading?.ready
        points = peers.indices.map { markers.missed(on: $0, sent: now) }
        watermarks = Array(repeating: nil, count: peers.count)
        lease = Lease(node: target, owner: owner)
        started = now
    }

    /// What the filling was begun for is no longer so: the connection to the node was lost, or the others' markers say
    /// something else than they did.
    public mutating func disturbed() { end(.disturbed) }

    /// Whether it may go on with what the markers say now.
    public func fits(_ markers: PoolMarkers, now: UInt64) -> Bool {
        if [.complete, .forget, .release, .over].contains(state) { return true }
        return markers.peers(of: target, now: now) == peers && markers.access(target, now: now) == .syncing
    }

    /// Best effort, after the end: so that nobody waits for the lease to expire.
    public var farewell: MarkerCommand? { lease.isHeld && !lease.isLost ? lease.releasing() : nil }

    mutating func end(_ reason: EndReason) {
        guard outcome == nil else { return }
        outcome = .ended(reason)
        state = .over
    }

    /// The next thing to do; nil while something is under way.
    ///
    /// - Parameter markers: of now.
    public mutating func nextCommand(_ markers: PoolMarkers) -> Command? {
        guard !isSent, outcome == nil else { return nil }
        isSent = true
        switch state {
        case .over: return nil
        case .lease: return .marker(lease.taking())
        case .leaseAfterFlush: return .marker(lease.takingAgain())
        case .ready: return marker(.ready, .read)
        case .filling, .compare: return marker(.filling, .read)
        case .retire: return marker(.ready, .delete)
        case .begin, .beginAfterFlush: return marker(.filling, .store(filling.text, .always))
        case .announce, .inspect, .learn, .check, .complete: return nextChange(markers)
        case .quiet, .flushWait: return .wait(until: waitsUntil)
        case .clean: return .pass(.clean(watermarks))
        case .flush: return .flush
        case .copy(let number): return .pass(.copy(number: number))
        case .verify: return .pass(.verify)
        case .prove: return marker(.filling, .store(filling.text, .ifSame(fillingCAS)))
        case .publish: return marker(.ready, .store(MarkerText.token(token), .ifMissing))
        case .forget: return marker(.filling, .delete)
        case .release: return .marker(lease.releasing())
        }
    }

    var fillingCAS: UInt64 = 0
    var filling: Filling { Filling(token: token, hadFilling: hadFilling) }

    private func marker(_ item: MarkerItem, _ action: MarkerCommand.Action) -> Command {
        .marker(MarkerCommand(node: target, item: item, action))
    }

    private mutating func nextChange(_ markers: PoolMarkers) -> Command? {
        if change == nil { change = makeChange(markers) }
        return change?.nextCommand().map(Command.marker)
    }

    /// For the node that the state is at.
    private func makeChange(_ markers: PoolMarkers) -> StandingChange {
        switch state {
        case .announce: StandingChange(.announce(token, points[peer]), of: target, on: peer)
        case .learn:
            // Nothing known: what stands there stays.
            StandingChange(markers.stance(on: peer, besides: target).map { .give($0) } ?? .look, of: peer, on: target)
        case .complete: StandingChange(.complete(token), of: target, on: peer)
        default: StandingChange(.look, of: target, on: peer)
        }
    }

    func isReachable(_ node: Int) -> Bool { peers[node] != .unreachable }
}
