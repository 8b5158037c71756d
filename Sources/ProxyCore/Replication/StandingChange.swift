/// Changes what one node keeps about another, by compare-and-set: told each reply, it says what to send next.
///
///     read ──▶ store, if it is still what was read ──▶ done
///      ▲                     │ someone else was there
///      └─────────────────────┘
public struct StandingChange: Sendable {
    public enum Kind: Equatable, Sendable {
        /// - Parameter known: the node's token, where the keeper has none.
        case revoke(known: Token?, Missed)
        /// - Parameter missed: a point before the filling.
        case announce(Token, Missed)
        /// The node is taken as it is, if nobody has changed this since it was read.
        case adopt(Token, over: Standing?)
        /// Nothing is missed under this token any more.
        case complete(Token)
        /// A node that has been filled learns what the others say.
        case give(Standing)
        /// Looks only.
        case look
    }

    public enum Outcome: Equatable, Sendable {
        /// This is what stands there.
        case done(Standing?)
        /// Another token counts by now, or it was revoked.
        case refused
        /// The keeper does not answer, or others change it all the time.
        case failed
    }

    private enum Step: Equatable, Sendable {
        case read, reading
        case store(Standing, MarkerCommand.Condition)
        case storing(Standing)
    }

    static let tryLimit = 16

    public let node: Int
    public let keeper: Int
    public let kind: Kind
    private var step = Step.read
    private var tries = 0
    public private(set) var outcome: Outcome?

    /// - Parameters:
    ///   - node: whom the standing is about.
    ///   - keeper: who keeps it.
    public init(_ kind: Kind, of node: Int, on keeper: Int) {
        self.kind = kind
        self.node = node
        self.keeper = keeper
    }

    public mutating func nextCommand() -> MarkerCommand? {
        guard outcome == nil else { return nil }
        switch step {
        case .read:
            step = .reading
            return MarkerCommand(node: keeper, item: .standing(of: node), .read)
        case .store(let standing, let condition):
            step = .storing(standing)
            return MarkerCommand(node: keeper, item: .standing(of: node), .store(standing.text, condition))
        case .reading, .storing: return nil
        }
    }

    public mutating func received(_ reply: MarkerReply) {
        switch (step, reply) {
        case (.reading, .value(let text, let cas)):
            decide(unsafe Standing(text: text.span.bytes), .ifSame(cas))
        case (.reading, .missing): decide(nil, .ifMissing)
        case (.storing(let standing), .done): outcome = .done(standing)
        case (.storing, .refused):
            tries += 1
            if tries == Self.tryLimit { outcome = .failed } else { step = .read }
        default: outcome = .failed
        }
    }

    private mutating func decide(_ existing: Standing?, _ condition: MarkerCommand.Condition) {
        let wanted: Standing
        switch kind {
        case .look:
            outcome = .done(existing)
            return
        case .revoke(let known, let missed): wanted = .revoked(existing, known: known, missed: missed)
        case .announce(let token, let missed): wanted = .announced(existing, token, missed: missed)
        case .adopt(let token, let seen):
            guard existing == seen else {
                outcome = .refused
                return
            }
            wanted = Standing(token: token, isRevoked: false, missed: .nothing)
        case .complete(let token):
            guard let existing, existing.confirms(token) else {
                outcome = .refused
                return
            }
            wanted = Standing(token: token, isRevoked: false, missed: .nothing)
        case .give(let standing):
            // Whoever revoked it here may have reached nobody else.
            let stays = existing.map { $0.isRevoked && $0.token == standing.token } ?? false
            wanted = stays ? .revoked(existing, known: nil, missed: standing.missed) : standing
        }
        if wanted == existing { outcome = .done(wanted) } else { step = .store(wanted, condition) }
    }
}

/// Publishes that a node missed a write, on every other node that answers, all at once. Until it is over the client
/// does not get his answer.
public struct Revocation: Sendable {
    public let node: Int
    public private(set) var changes: [StandingChange]

    public init(of node: Int, by markers: PoolMarkers, sent: UInt64, now: UInt64) {
        self.node = node
        changes = markers.reachablePeers(of: node, now: now).map { peer in
            StandingChange(
                .revoke(known: markers.token(of: node), markers.missed(on: peer, sent: sent)), of: node, on: peer)
        }
    }

    public var isOver: Bool { changes.allSatisfy { $0.outcome != nil } }

    /// Somebody keeps it, so the write may be acknowledged. With nobody, it may not.
    public var isPublished: Bool {
        changes.contains { if case .done = $0.outcome { true } else { false } }
    }

    /// The next command to be sent, and which change it belongs to.
    public mutating func nextCommand() -> (index: Int, command: MarkerCommand)? {
        for index in changes.indices {
            if let command = changes[index].nextCommand() { return (index, command) }
        }
        return nil
    }

    public mutating func received(_ reply: MarkerReply, for index: Int) { changes[index].received(reply) }
}
