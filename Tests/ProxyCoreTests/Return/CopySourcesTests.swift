import Testing

@testable import ProxyCore

/// Which items a transfer concerns, and from where each comes.
struct CopySourcesTests {
    private let settings: PoolSettings = {
        let nodes = (0..<5).map { NodeSettings(address: .tcp(host: "10.0.0.\($0)", port: 11211)) }
        var settings = PoolSettings(name: "main", listen: [], nodes: nodes)
        settings.replicas = 3
        return settings
    }()

    private func sources(full: Set<Int>) -> CopySources {
        // The second of its kind: its nodes' numbers are not their places.
        let pool = Topology([settings, settings]).pools[1]
        return CopySources(of: pool, target: 2, isFull: (0..<5).map(full.contains))
    }

    @Test func theFirstFullCopyButTheTarget() {
        let lookup = KeyLookup(settings)
        for full in [Set(0..<5), [0, 1], [4], []] {
            let sources = sources(full: full)
            var seen: Set<Int> = []
            for number in 0..<500 {
                let key = Array("key:\(number)".utf8)
                let copies = lookup.copies(of: key)
                let source = copies.first { $0 != 2 && full.contains($0) }
                let expected: CopySources.Source =
                    !copies.contains(2) ? .none : source.map(CopySources.Source.node) ?? .unproven
                #expect(unsafe sources.source(of: key.span.bytes) == expected)
                if let source { seen.insert(source) }
            }
            #expect(seen == full.subtracting([2]))
        }
    }

    @Test func markersStayWhereTheyAre() {
        for key in ["__drover:ready", "__drover:", "__drover:standing:node1"] {
            let bytes = Array(key.utf8)
            #expect(unsafe sources(full: [0, 1, 3, 4]).source(of: bytes.span.bytes) == .none)
        }
    }

    @Test func strays() {
        func run(_ replies: ItemReply...) -> (sent: [ItemCommand.Kind], outcome: VerifyStep.Outcome?) {
            var step = VerifyStep(isStray: true)
            var sent: [ItemCommand.Kind] = []
            for reply in replies {
                guard let command = step.nextCommand() else { break }
                sent.append(command.kind)
                let compares = step.received(reply)
                #expect(!compares, "there is one value at most")
            }
            #expect(step.nextCommand() == nil)
            return (sent, step.outcome)
        }
        let there = ItemReply.item(StepTests.item(cas: 40))
        #expect(run(.item(StepTests.item())) == ([.look], .agreed))
        #expect(run(.missing, there, .missing, .done(cas: 0)) == ([.look, .fetch, .look, .takeBack], .diverged))
        #expect(run(.missing, .missing) == ([.look, .fetch], .agreed))
        #expect(run(.missing, there, .item(StepTests.item())) == ([.look, .fetch, .look], .moved))
        #expect(run(.missing, there, .missing, .refused).outcome == .moved)
        #expect(run(.failed).outcome == .failed)
        let stale = ItemReply.item(StepTests.item(.stale))
        #expect(
            run(.item(StepTests.won()), there, stale, .done(cas: 0), .done(cas: 0))
                == ([.look, .fetch, .look, .takeBack, .giveBack], .diverged))
    }
}
