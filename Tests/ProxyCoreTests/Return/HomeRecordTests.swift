import Testing

@testable import ProxyCore

/// What proxies tell each other about nodes whose keys are elsewhere.
struct HomeRecordTests {
    private static let owners = [Token(3)!, Token(5)!]

    private func record(_ version: UInt64, _ phase: HomePhase, _ owner: Int = 0) -> HomeRecord {
        HomeRecord(version: version, phase: phase, owner: Self.owners[owner])
    }

    private func parsed(_ text: [UInt8]) -> HomeRecord? { unsafe HomeRecord(text: text.span.bytes) }

    @Test func itReadsAsItWasWritten() {
        for phase in HomePhase.allCases {
            let written = HomeRecord(version: 0x12_3456, phase: phase, owner: Self.owners[1])
            #expect(parsed(written.text) == written)
        }
        #expect(String(decoding: record(1, .away).text, as: UTF8.self) == "1 0000000000000001 a 0000000000000003")
        for text in ["", "1 -", "1 0000000000000001 x 0000000000000003", "1 0000000000000001 a 0000000000000000"] {
            #expect(parsed(Array(text.utf8)) == nil, "\(text)")
        }
    }

    /// A return that is called off counts more than any of its steps but the last.
    @Test func whatCountsOfTwo() {
        let order = [
            record(1, .clean), record(2, .joining), record(2, .leading), record(2, .away), record(2, .away, 1),
            record(2, .home), record(3, .joining),
        ]
        for (index, left) in order.enumerated() {
            for right in order[(index + 1)...] { #expect(left < right) }
        }
    }

    @Test func whatANodeIsTold() {
        var records = HomeRecords(nodes: 2)
        #expect(records.answer(to: nil, of: 1) == nil && records.answer(to: record(1, .away), of: 1) == nil)
        let news = [record(2, .away), record(2, .away), record(1, .clean)].map { records.hear($0, of: 1) }
        #expect(news == [true, false, false])
        #expect(records.answer(to: nil, of: 1) == record(2, .away), "it was evicted")
        #expect(records.answer(to: record(1, .held), of: 1) == record(2, .away))
        #expect(records.answer(to: record(3, .home), of: 1) == nil)
        #expect(records.next(.joining, of: 1, by: Self.owners[0]) == record(3, .joining))
        _ = records.hear(record(4, .clean), of: 1)
        #expect(records.answer(to: nil, of: 1) == nil, "it may be forgotten")
        #expect(records.answer(to: record(3, .home), of: 1) == record(4, .clean))
    }

    /// The nodes have been flushed, and another proxy remembers what was over before.
    @Test func whoKnowsNothingIsHeardAllTheSame() {
        var (other, fresh) = (HomeRecords(nodes: 2), HomeRecords(nodes: 2))
        _ = other.hear(record(1_795_000_000_007, .clean), of: 1)
        let said = fresh.next(.held, of: 1, by: Self.owners[1], first: 1_796_000_000_000)
        let isNews = other.hear(said, of: 1)
        #expect(isNews && other.answer(to: said, of: 1) == nil)
        _ = fresh.hear(said, of: 1)
        let next = fresh.next(.away, of: 1, by: Self.owners[1], first: 1_797_000_000_000)
        #expect(next.version == said.version + 1)
    }

    /// A node that is away itself holds what was known when it went.
    @Test func whoIsBelievedAtTheStart() {
        var records = HomeRecords(nodes: 3)
        records.begin(with: [(record(5, .home), 1, 0), (record(1, .away), 0, 2), (record(1, .away), 0, 1)])
        #expect(records.known[0]?.phase == .away && records.known[1] == nil)
        var all = HomeRecords(nodes: 2)
        all.begin(with: [(record(5, .away), 1, 0), (record(1, .away), 0, 1)])
        #expect(all.known.allSatisfy { $0?.phase == .away }, "nobody is better than the other")
    }

    private enum Seen {
        case nothing
        case value(HomeRecord)
        case refusedOnce(HomeRecord)
        case misfit, lost
    }

    @Test(
        arguments: [
            (.nothing, .done), (.value(HomeRecord(version: 1, phase: .away, owner: owners[0])), .done),
            (.refusedOnce(HomeRecord(version: 2, phase: .home, owner: owners[0])), .seen),
            (.value(HomeRecord(version: 2, phase: .away, owner: owners[0])), .seen),
            // Even where it would count less.
            (.value(HomeRecord(version: 2, phase: .joining, owner: owners[0])), .seen), (.misfit, .unable),
            (.lost, .failed),
        ] as [(Seen, Ending)])
    private func aChangeFromWhatWasKnown(_ seen: Seen, _ ending: Ending) {
        let (from, to) = (record(1, .away), record(2, .joining, 1))
        var change = HomeChange(to, of: 1, on: 0, from: .some(from), life: 5)
        let first = change.nextCommand()
        #expect(first == MarkerCommand(node: 0, item: .away(of: 1), .read))
        switch seen {
        case .nothing: change.received(.missing, isOpen: true)
        case .value(let record): change.received(.value(record.text, cas: 7), isOpen: true)
        case .refusedOnce(let record):
            change.received(.missing, isOpen: true)
            let second = change.nextCommand()
            #expect(second == MarkerCommand(node: 0, item: .away(of: 1), .store(to.text, .ifMissing)))
            change.received(.refused, isOpen: true)
            let third = change.nextCommand()
            #expect(third == MarkerCommand(node: 0, item: .away(of: 1), .read))
            change.received(.value(record.text, cas: 7), isOpen: true)
        case .misfit: change.received(.failed, isOpen: true)
        case .lost: change.received(.failed, isOpen: false)
        }
        if change.nextCommand() != nil { change.received(.done(cas: 9), isOpen: true) }
        #expect(Ending(change.outcome) == ending)
    }

    /// Whatever takes the place of what: a node that was taken out could never be said to be.
    @Test func aNodeWithoutCASNumbersKeepsNoRecord() {
        var change = HomeChange(record(1, .held), of: 1, on: 0, from: .some(nil), life: 5)
        _ = change.nextCommand()
        change.received(.missing, isOpen: true)
        _ = change.nextCommand()
        change.received(.done(cas: 0), isOpen: true)
        let undo = change.nextCommand()
        #expect(undo == MarkerCommand(node: 0, item: .away(of: 1), .delete) && change.outcome == nil)
        change.received(.done(cas: 0), isOpen: true)
        #expect(change.outcome == .unable)

        var later = HomeChange(record(2, .away), of: 1, on: 0, from: .some(nil), life: 5)
        _ = later.nextCommand()
        later.received(.value(record(1, .held).text, cas: 0), isOpen: true)
        #expect(later.outcome == .unable)
    }

    private enum Ending {
        case done, seen, unable, failed, none

        init(_ outcome: HomeChange.Outcome?) {
            switch outcome {
            case .done: self = .done
            case .seen: self = .seen
            case .unable: self = .unable
            case .failed: self = .failed
            case nil: self = .none
            }
        }
    }

    /// What is said again takes the place of all that counts less.
    @Test func whatIsSaidAgain() {
        let again = record(2, .home)
        for (existing, isStored) in [(record(2, .away), true), (record(2, .home), false), (record(3, .away), false)] {
            var change = HomeChange(again, of: 1, on: 0, from: nil, life: 5)
            _ = change.nextCommand()
            change.received(.value(existing.text, cas: 7), isOpen: true)
            let isSaid = change.nextCommand() != nil
            #expect(isSaid == isStored)
        }
    }

    @Test func whatComesOfTelling() {
        let (mine, theirs) = (record(3, .away), record(3, .home, 1))
        for (outcomes, result) in [
            ([.done, .done], .told), ([.done, .unable], .told), ([.unable, .done], .told),
            // One that is read by others may not know.
            ([.done, .failed], .failed), ([.failed], .failed), ([.unable, .failed], .failed),
            ([.unable, .unable], .unable), ([.done, .seen(theirs)], .refused(theirs)),
            ([.seen(theirs)], .refused(theirs)),
        ] as [([HomeChange.Outcome], HomeTelling)] {
            #expect(told(mine, outcomes) == result, "\(outcomes)")
        }
        // What counts less was said by who was told first elsewhere, and the first decides.
        #expect(told(theirs, [.done, .seen(mine)]) == .told)
        #expect(told(theirs, [.seen(mine)]) == .refused(mine))
    }

    private func told(_ record: HomeRecord, _ outcomes: [HomeChange.Outcome]) -> HomeTelling? {
        var news = HomeNews(record, to: Array(outcomes.indices))
        var left = outcomes
        while news.result == nil {
            let next = news.nextKeepers()
            guard !next.isEmpty else { return nil }
            for _ in next { news.answered(left.removeFirst()) }
        }
        return news.result
    }

    /// Of two that say something else at once, one gets no further than the first.
    @Test func theFirstDecides() {
        var news = HomeNews(record(2, .home), to: [4, 0, 3])
        let first = news.nextKeepers()
        let nobody = news.nextKeepers()
        news.answered(.unable)
        let second = news.nextKeepers()
        #expect(first == [4] && nobody.isEmpty && second == [0])
        var (other, loser) = (news, news)
        news.answered(.done)
        let rest = news.nextKeepers()
        news.answered(.done)
        #expect(rest == [3] && news.result == .told)
        loser.answered(.seen(record(2, .away)))
        let none = loser.nextKeepers()
        #expect(loser.result == .refused(record(2, .away)) && none.isEmpty)
        other.answered(.failed)
        #expect(other.result == .failed)
    }
}
