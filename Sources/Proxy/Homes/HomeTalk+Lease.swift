internal import Glibc
internal import ProxyCore

/// One proxy at a time works for the keys of a pool: the one that has the lease, which is on the first node whose keys
/// are at home.
extension HomeTalk {
    var holdsLease: Bool { lease?.isHeld == true && now < leaseGoodUntil }

    /// Asks for it, unless that was refused just now.
    func takeLease() {
        if lease != nil, now >= leaseGoodUntil { lease = nil }
        guard lease == nil, now >= leaseDue else { return }
        leaseDue = now + Self.leasePause
        // One that hangs would keep everybody waiting; what can keep nothing keeps nothing of other proxies either.
        let able = names.indices.filter { believes($0) && hasRead($0) }
        guard let place = able.first(where: { !isUnable($0) }) ?? able.first else { return }
        let taken = Lease(node: place, owner: owner, outlivesFlushes: true)
        lease = taken
        if isUnable(place) { return leaseAnswered(.done(cas: .max), sent: now, on: place) }
        // Until it is answered, or the connection is lost.
        leaseGoodUntil = .max
        let sent = now
        send(taken.taking()) { [unowned self] in leaseAnswered($0, sent: sent, on: place) }
        polls.flush()
    }

    private func leaseAnswered(_ reply: MarkerReply, sent: UInt64, on place: Int) {
        guard let before = lease, before.node == place else { return }
        let reply = reply == .done(cas: 0) ? .done(cas: .max) : reply
        if before.isHeld { lease?.renewed(reply, now: now) } else { lease?.taken(reply, now: now) }
        if case .done = reply { leaseGoodUntil = sent + Lease.span }
        guard lease?.isLost == true else { return }
        lease = nil
        if !before.isHeld, reply == .refused { takeBackOwn(on: place) }
    }

    /// By the settings before it may have been this proxy's.
    private func takeBackOwn(on place: Int) {
        send(MarkerCommand(node: place, item: .lease, .read)) { [unowned self] reply in
            guard case .value(let text, let cas) = reply, lease == nil,
                unsafe MarkerText.token(in: text.span.bytes) == owner
            else { return }
            send(MarkerCommand(node: place, item: .lease, .deleteSame(cas))) { _ in }
        }
    }

    static var unixMilliseconds: UInt64 { UInt64(max(0, time(nil))) * 1000 }

    func renewLease() {
        let sent = now
        guard let node = lease?.node, let command = lease?.renewing(now: sent) else { return }
        if isUnable(node) { return leaseAnswered(.done(cas: .max), sent: sent, on: node) }
        send(command) { [unowned self] in leaseAnswered($0, sent: sent, on: node) }
    }

    func releaseLease() {
        guard let lease, lease.isHeld else { return }
        if !isUnable(lease.node) { send(lease.releasing()) { _ in } }
        polls.flush()
        (self.lease, leaseDue) = (nil, now)
    }
}
