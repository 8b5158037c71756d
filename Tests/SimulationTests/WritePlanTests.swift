import Testing

@testable import ProxyCore

struct WritePlanTests {
    typealias Result = WritePlan.Result

    /// Answers every command with what `results` has for the copy, and tells what was sent in which round, such as
    /// "0command 1command | 2delete".
    private func play(
        _ kind: WritePlan.Kind, _ access: [PoolMarkers.Access], _ results: [Int: Result] = [:],
        published: Bool? = true
    ) -> (sent: String, plan: WritePlan) {
        var plan = WritePlan(kind, access: access)
        var rounds: [String] = []
        while true {
            var sent: [(copy: Int, action: WritePlan.Action)] = []
            while let next = plan.nextCommand() { sent.append(next) }
            guard !sent.isEmpty else { break }
            #expect(plan.answer == nil && !plan.isSettled)
            rounds.append(sent.map { "\($0.copy)\($0.action)" }.joined(separator: " "))
            for (copy, _) in sent { plan.received(results[copy] ?? .taken, from: copy) }
        }
        #expect(plan.isSettled)
        if plan.failed | plan.missed != 0 { #expect(plan.answer == nil, "not before the revocations") }
        if let published, plan.failed | plan.missed != 0 { plan.published(isKept: published) }
        return (rounds.joined(separator: " | "), plan)
    }

    @Test func allFull() {
        for kind in [WritePlan.Kind.set, .delete] {
            let (sent, plan) = play(kind, [.full, .full])
            #expect(sent == "0command 1command" && plan.answer == .acknowledged)
        }
        #expect(play(.readModifyWrite, [.full, .full, .full]).sent == "0command | 1effect 2effect")
        let (sent, plan) = play(.readModifyWrite, [.full, .full], [0: .refused])
        #expect(sent == "0command" && plan.answer == .refused, "nothing was changed")
    }

    /// Survivors first, whatever the ring's order.
    @Test func aSyncingCopyComesLast() {
        #expect(play(.set, [.syncing, .full]).sent == "1command | 0command")
        #expect(play(.delete, [.syncing, .full, .full]).sent == "1command 2command | 0command")
        #expect(play(.readModifyWrite, [.syncing, .full]).sent == "1command | 0delete")
        #expect(
            play(.readModifyWrite, [.full, .syncing, .full]).sent == "0command | 2effect | 1delete"
                || play(.readModifyWrite, [.full, .syncing, .full]).sent == "0command | 2effect 1delete")
    }

    @Test func whatTheSurvivorsDidNotTakeIsDeleted() {
        for result in [Result.refused, .failed] {
            #expect(play(.set, [.syncing, .full], [1: result]).sent == "1command | 0delete")
        }
    }

    @Test func aFailureIsRevokedBeforeTheAnswer() {
        let (_, plan) = play(.set, [.full, .full], [1: .failed], published: nil)
        #expect(plan.failed == 0b10 && plan.missed == 0 && plan.answer == nil)
        #expect(play(.set, [.full, .full], [1: .failed]).plan.answer == .acknowledged)
        #expect(play(.set, [.full, .full], [1: .failed], published: false).plan.answer == .failed)
        #expect(play(.delete, [.full, .syncing], [1: .failed]).plan.failed == 0b10)
    }

    @Test func aCopyThatIsAwayIsRevokedIfAnotherTookIt() {
        #expect(play(.set, [.none, .full], published: nil).plan.missed == 0b01)
        #expect(play(.set, [.none, .full], [1: .refused], published: nil).plan.missed == 0)
        #expect(play(.set, [.none, .full], [1: .refused]).plan.answer == .refused)
    }

    /// What failed may still be carried out, also where nobody took it.
    @Test func whereAllFailAllAreRevoked() {
        let (_, plan) = play(.set, [.full, .full], [0: .failed, 1: .failed])
        #expect(plan.failed == 0b11 && plan.answer == .failed)
        let (sent, next) = play(.readModifyWrite, [.full, .full], [0: .failed])
        #expect(sent == "0command | 1command" && next.failed == 0b01 && next.answer == .acknowledged)
    }

    @Test func withoutAFullCopyOthersMakeDo() {
        #expect(play(.set, [.syncing, .syncing]).sent == "0command 1command")
        #expect(play(.readModifyWrite, [.none, .syncing]).sent == "1command")
        let (sent, plan) = play(.set, [.none, .none])
        #expect(sent.isEmpty && plan.answer == .failed)
    }

    @Test func answersThatNobodyWaitsForAreIgnored() {
        var plan = WritePlan(.set, access: [.full])
        plan.received(.taken, from: 0)
        plan.received(.taken, from: 7)
        plan.received(.taken, from: -1)
        #expect(plan.answer == nil && plan.nextCommand()?.copy == 0)
    }
}
