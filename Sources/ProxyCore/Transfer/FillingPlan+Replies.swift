/// What follows from each answer.
extension FillingPlan {
    /// The target, or the node that the command went to, has answered.
    public mutating func received(_ reply: MarkerReply, _ markers: PoolMarkers, now: UInt64) {
        guard isSent, outcome == nil else { return }
        isSent = false
        if reply == .failed { return end(.disturbed) }
        if change != nil { return changed(reply, markers, now: now) }
        switch state {
        case .lease: takeLease(reply, then: .ready, now: now)
        case .ready:
            let found = Self.token(reply)
            // Another proxy has been faster: what made this filling needed was from before.
            guard found == oldToken else { return end(.leased) }
            hadFilling = found != nil
            state = .filling
        case .filling:
            // The one before was cut short. If it knew what the node had held, so do we.
            if case .value(let text, _) = reply, let earlier = unsafe Filling(text: text.span.bytes) {
                hadFilling = hadFilling || earlier.hadFilling
            }
            state = .retire
        case .retire: state = .begin
        case .begin: begun(reply, then: .announce, now: now)
        case .leaseAfterFlush(let count): takeLease(reply, then: .beginAfterFlush(count), now: now)
        case .beginAfterFlush(let count):
            waitsUntil = now.addingSaturated(Self.flushGap)
            begun(reply, then: count == 1 ? .flushWait : .copy(1), now: now)
        case .compare: compared(reply)
        case .prove: if case .done = reply { state = .publish } else { end(.disturbed) }
        case .publish: if case .done = reply { startPeers(.complete, now: now) } else { end(.disturbed) }
        case .forget: state = .release
        case .release: finish()
        case .announce, .inspect, .learn, .check, .complete, .quiet, .flushWait, .clean, .flush, .copy, .verify, .over:
            break
        }
    }

    /// The time of a `wait` has come.
    public mutating func waited(now: UInt64) {
        guard isSent, outcome == nil, now >= waitsUntil else { return }
        isSent = false
        switch state {
        case .quiet: startPeers(.inspect, now: now)
        case .flushWait: state = .flush(2)
        default: break
        }
    }

    /// The target has answered the flush.
    public mutating func flushed(_ reply: MarkerReply) {
        guard isSent, case .flush(let count) = state else { return }
        isSent = false
        // The marker and the lease went with all else.
        if case .done = reply { state = .leaseAfterFlush(count) } else { end(.disturbed) }
    }

    /// A copy pass that changes no more is the last.
    public static func isLittle(_ changed: Int, of total: Int) -> Bool { changed < max(fewItems, total / fewShare) }

    /// A pass is over.
    ///
    /// - Parameters:
    ///   - changed: items that a copy pass added, or a verify pass dropped or found to be absent.
    ///   - total: items that it looked at.
    ///   - isWhole: every step came to an end.
    public mutating func passed(changed: Int, of total: Int = 0, isWhole: Bool, now: UInt64) {
        guard isSent, outcome == nil else { return }
        isSent = false
        guard isWhole else { return end(.disturbed) }
        let isLittle = Self.isLittle(changed, of: total)
        switch state {
        case .clean: state = .copy(1)
        case .copy(let number):
            if !isLittle, number < Self.passLimit {
                state = .copy(number + 1)
            } else if options.verify == .none {
                startPeers(.learn, now: now)
            } else {
                state = .verify(number)
            }
        case .verify(let number):
            // What differed was dropped: it can only be a miss.
            if !isLittle, number < Self.passLimit { state = .copy(number + 1) } else { startPeers(.learn, now: now) }
        default: break
        }
    }

    // MARK: The target's markers

    private mutating func takeLease(_ reply: MarkerReply, then next: State, now: UInt64) {
        lease.taken(reply, now: now)
        if lease.isHeld, !lease.isLost { state = next } else { end(reply == .refused ? .leased : .withoutCAS) }
    }

    private mutating func begun(_ reply: MarkerReply, then next: State, now: UInt64) {
        guard case .done(let cas) = reply, cas > 0 else { return end(.withoutCAS) }
        if next == .announce { startPeers(.announce, now: now) } else { state = next }
    }

    /// Nobody has begun another filling, and the node is the same process.
    private mutating func compared(_ reply: MarkerReply) {
        guard case .value(let text, let cas) = reply, text == filling.text else { return end(.disturbed) }
        fillingCAS = cas
        state = .prove
    }

    private static func token(_ reply: MarkerReply) -> Token? {
        if case .value(let text, _) = reply { unsafe MarkerText.token(in: text.span.bytes) } else { nil }
    }

    // MARK: The other nodes, one after the other

    private mutating func startPeers(_ next: State, now: UInt64) {
        state = next
        peer = -1
        nextPeer(now: now)
    }

    private mutating func nextPeer(now: UInt64) {
        change = nil
        repeat { peer += 1 } while peer < peers.count && !concerns(peer)
        guard peer == peers.count else { return }
        switch state {
        case .announce:
            state = .quiet
            waitsUntil = now.addingSaturated(options.quietTime)
        case .inspect: state = cleaning
        case .learn: startPeers(.check, now: now)
        case .check: state = .compare
        default: state = .forget
        }
    }

    private func concerns(_ node: Int) -> Bool {
        // The target is told of those, too, that do not answer.
        node != target && (isReachable(node) || state == .learn)
    }

    private mutating func changed(_ reply: MarkerReply, _ markers: PoolMarkers, now: UInt64) {
        change?.received(reply)
        guard let outcome = change?.outcome else { return }
        switch (state, outcome) {
        case (.inspect, .done(let standing)):
            guard let standing, standing.confirms(token) else { return end(.revoked) }
            if case .full(let peerToken) = peers[peer] {
                watermarks[peer] = hadFilling ? standing.missed.watermark(token: peerToken) : 0
            }
        case (.check, .done(let standing)):
            guard standing?.confirms(token) == true else { return end(.revoked) }
        // The node may be read already: what is left over there only makes the next cleaning longer.
        case (.complete, _), (_, .done): break
        case (_, .refused): return end(.revoked)
        case (_, .failed): return end(.disturbed)
        }
        nextPeer(now: now)
    }

    private var cleaning: State {
        let isHopeless = peers.indices.allSatisfy { $0 == target || watermarks[$0] == 0 }
        return options.mayFlush && isHopeless ? .flush(1) : .clean
    }

    private mutating func finish() {
        outcome = .ready(token)
        state = .over
    }
}
