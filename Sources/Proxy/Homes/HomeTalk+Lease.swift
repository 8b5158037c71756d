internal import Glibc
internal import ProxyCore

/// One proxy at a time works for the keys of a pool: the one that has the lease, which is on the first node whose keys
/// are at home. When that is another node, the lease goes there.
extension HomeTalk {
    var holdsLease: Bool { holdsLease(at: now) }

    func holdsLease(at time: UInt64) -> Bool { lease?.isHeld == true && formerLease == nil && time < leaseGoodUntil }

    var isAskingForLease: Bool { lease?.isHeld == false }

    /// What is under way waits until the lease is where it belongs now.
    var isMovingLease: Bool { formerLease != nil }

    /// Asks for it, unless that was refused just now.
    func takeLease() {
        if lease != nil, now >= leaseGoodUntil { lease = nil }
        guard lease == nil, now >= leaseDue else { return }
        leaseDue = now + Self.leasePause
        if let place = leasePlace() { askForLease(on: place) }
    }

    /// Another proxy is at work, or has been just now: it may have to take its lease elsewhere.
    func leaveLease() { leaseDue = max(leaseDue, now + Self.leasePause) }

    /// Who came first there has it from then on.
    func moveLease() {
        guard holdsLease, let held = lease, let place = leasePlace(), place != held.node else { return }
        formerLease = held
        askForLease(on: place)
    }

    private func askForLease(on place: Int) {
        let asked = Lease(node: place, owner: owner, outlivesFlushes: true)
        lease = asked
        if isUnable(place) { return leaseAnswered(.done(cas: .max), sent: now, on: place) }
        // Until it is answered, or the connection is lost.
        leaseGoodUntil = .max
        let sent = now
        send(asked.taking()) { [unowned self] in leaseAnswered($0, sent: sent, on: place) }
        polls.flush()
    }

    private func leaseAnswered(_ reply: MarkerReply, sent: UInt64, on place: Int) {
        guard let before = lease, before.node == place else { return }
        let reply = reply == .done(cas: 0) ? .done(cas: .max) : reply
        if before.isHeld { lease?.renewed(reply, now: now) } else { lease?.taken(reply, now: now) }
        if case .done = reply { leaseGoodUntil = sent + Lease.span }
        if let former = formerLease {
            formerLease = nil
            giveBack(former)
        }
        if control.isDraining { releaseLease() }
        guard lease?.isLost == true else { return }
        lease = nil
        if !before.isHeld, reply == .refused { takeBackOwn(on: place) }
    }

    /// It may have been this proxy's: by the settings before, or on a connection that was lost.
    private func takeBackOwn(on place: Int) {
        send(MarkerCommand(node: place, item: .lease, .read)) { [unowned self] reply in
            guard case .value(let text, let cas) = reply, lease?.node != place,
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
        (self.lease, leaseDue) = (nil, now)
        giveBack(lease)
    }

    private func giveBack(_ lease: Lease) {
        guard !isUnable(lease.node) else { return }
        if lease.isBeingRenewed { takeBackOwn(on: lease.node) } else { send(lease.releasing()) { _ in } }
        polls.flush()
    }
}
