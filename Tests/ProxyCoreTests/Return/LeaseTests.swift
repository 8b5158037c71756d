import Testing

@testable import ProxyCore

/// A lease that is taken once more when a flush has taken it.
struct LeaseTests {
    private static let renewal = Lease.renewal

    private func held(outlivesFlushes: Bool) -> Lease {
        var lease = Lease(node: 1, owner: Token(7)!, outlivesFlushes: outlivesFlushes)
        lease.taken(.done(cas: 5), now: 0)
        return lease
    }

    private func store(_ condition: MarkerCommand.Condition) -> MarkerCommand {
        MarkerCommand(node: 1, item: .lease, .store(MarkerText.token(Token(7)!), condition))
    }

    @Test func whatIsFlushedAwayIsTakenAgain() {
        var lease = held(outlivesFlushes: true)
        let renewal = lease.renewing(now: Self.renewal)
        #expect(renewal == store(.ifSame(5)))
        lease.renewed(.refused, now: Self.renewal)
        #expect(lease.isHeld && !lease.isLost && lease.renewalTime <= Self.renewal)
        let again = lease.renewing(now: Self.renewal)
        #expect(again == store(.ifMissing))
        lease.renewed(.done(cas: 9), now: Self.renewal)
        #expect(lease.isHeld && !lease.isLost && lease.renewalTime == 2 * Self.renewal)
        let next = lease.renewing(now: 2 * Self.renewal)
        #expect(next == store(.ifSame(9)))
    }

    /// Another has it, or nobody answers.
    @Test(
        arguments: [(true, [.refused, .refused]), (true, [.failed]), (false, [.refused])] as [(Bool, [MarkerReply])])
    func whatIsLost(outlivesFlushes: Bool, replies: [MarkerReply]) {
        var lease = held(outlivesFlushes: outlivesFlushes)
        for (index, reply) in replies.enumerated() {
            #expect(!lease.isLost)
            let isAsked = lease.renewing(now: Self.renewal) != nil
            #expect(isAsked, "renewal \(index)")
            lease.renewed(reply, now: Self.renewal)
        }
        #expect(lease.isLost && lease.renewalTime == .max)
    }

    @Test func whatIsRefusedAtFirstIsNotTaken() {
        var lease = Lease(node: 1, owner: Token(7)!, outlivesFlushes: true)
        lease.taken(.refused, now: 0)
        #expect(lease.isLost && !lease.isHeld)
    }
}
