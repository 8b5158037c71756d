import Testing

@testable import ProxyCore

/// The course of a filling, told by what it sends.
struct FillingPlanTests {
    static let token = Token(0xabc)!
    static let owner = Token(0xdef)!
    static let start: UInt64 = 20_000_000_000

    /// Node 1 of three comes back with its old marker, revoked by both others.
    static func markers(missed: Missed = .unknown) -> PoolMarkers {
        var markers = PoolMarkersTests.whole()
        for node in 0..<3 {
            let reading = PoolMarkersTests.reading(of: node) {
                if node != 1 {
                    $0.standings[1] = Standing(token: PoolMarkersTests.tokens[1], isRevoked: true, missed: missed)
                }
            }
            markers.read(node, reading, asked: start, now: start)
        }
        return markers
    }

    /// Nodes that answer by what they have: the markers only.
    struct Nodes {
        var items: [Int: [MarkerItem: (text: [UInt8], cas: UInt64)]] = [:]
        private var cas: UInt64 = 100

        init(_ markers: PoolMarkers) {
            for (node, known) in markers.nodes.enumerated() {
                guard let reading = known.reading else { continue }
                if let token = reading.ready { put(node, .ready, MarkerText.token(token)) }
                for (other, standing) in reading.standings.enumerated() {
                    if let standing { put(node, .standing(of: other), standing.text) }
                }
            }
        }

        mutating func put(_ node: Int, _ item: MarkerItem, _ text: [UInt8]) {
            cas += 1
            items[node, default: [:]][item] = (text, cas)
        }

        mutating func run(_ command: MarkerCommand) -> MarkerReply {
            let found = items[command.node]?[command.item]
            switch command.action {
            case .read: return found.map { .value($0.text, cas: $0.cas) } ?? .missing
            case .store(let text, let condition):
                switch condition {
                case .always: break
                case .ifMissing: if found != nil { return .refused }
                case .ifSame(let cas): if found?.cas != cas { return .refused }
                }
                put(command.node, command.item, text)
                return .done(cas: cas)
            case .delete:
                items[command.node]?[command.item] = nil
                return found == nil ? .missing : .done(cas: 0)
            case .deleteSame(let cas):
                if let found, found.cas != cas { return .refused }
                items[command.node]?[command.item] = nil
                return found == nil ? .missing : .done(cas: 0)
            }
        }
    }

    private func plan(_ markers: PoolMarkers, mayFlush: Bool = false) -> FillingPlan {
        var options = FillingPlan.Options(quietTime: markers.quietTime, verify: .full)
        options.mayFlush = mayFlush
        return FillingPlan(
            of: 1, markers: markers, token: Self.token, owner: Self.owner, options: options, now: Self.start)
    }

    /// Plays it to its end. `before` may do something before a command; giving false loses the answer.
    private func play(
        _ plan: inout FillingPlan, _ nodes: inout Nodes, _ markers: PoolMarkers, copies: [Int] = [100, 3],
        before: (FillingPlan.Command, inout Nodes) -> Bool = { _, _ in true }
    ) -> [String] {
        var (told, now, copies): ([String], UInt64, [Int]) = ([], Self.start, copies)
        while let command = plan.nextCommand(markers) {
            #expect(plan.nextCommand(markers) == nil, "one at a time")
            let isAnswered = before(command, &nodes)
            now += 1
            switch command {
            case .marker(let marker):
                let verb =
                    switch marker.action {
                    case .read: "read"
                    case .store: "store"
                    case .delete, .deleteSame: "delete"
                    }
                told.append("\(marker.node) \(verb) \(marker.item)")
                plan.received(isAnswered ? nodes.run(marker) : .failed, markers, now: now)
            case .flush:
                told.append("flush")
                nodes.items[1] = [:]
                plan.flushed(.done(cas: 0))
            case .wait(let until):
                told.append("wait \((until - now + 500_000_000) / 1_000_000_000)")
                plan.waited(now: until - 1)
                #expect(plan.nextCommand(markers) == nil, "it is not time")
                now = until
                plan.waited(now: until)
            case .pass(let pass):
                told.append("\(pass)")
                if case .copy = pass { now += 1000 }
                let changed = if case .copy = pass { copies.isEmpty ? 0 : copies.removeFirst() } else { 0 }
                plan.passed(changed: changed, isWhole: isAnswered, now: now)
            }
        }
        return told
    }

    @Test func aStaleNodeComesBack() {
        let mark = Missed.since(Watermark(cas: 77, token: PoolMarkersTests.tokens[0]))
        let markers = Self.markers(missed: mark)
        var nodes = Nodes(markers)
        var plan = plan(markers)
        let told = play(&plan, &nodes, markers)
        #expect(
            told == [
                "1 store lease", "1 read ready", "1 read filling", "1 delete ready", "1 store filling",
                "0 read standing(of: 1)", "0 store standing(of: 1)", "2 read standing(of: 1)",
                "2 store standing(of: 1)",
                "wait 3", "0 read standing(of: 1)", "2 read standing(of: 1)",
                // Node 2 keeps no point of its own, so all that it has is copied anew.
                "clean([Optional(77), nil, Optional(0)])", "copy(number: 1)", "copy(number: 2)", "verify",
                "1 read standing(of: 0)", "1 read standing(of: 2)",
                "0 read standing(of: 1)", "2 read standing(of: 1)",
                "1 read filling", "1 store filling", "1 store ready",
                "0 read standing(of: 1)", "0 store standing(of: 1)", "2 read standing(of: 1)",
                "2 store standing(of: 1)",
                "1 delete filling", "1 delete lease",
            ])
        #expect(plan.outcome == .ready(Self.token))
        #expect(nodes.items[1]?[.ready]?.text == MarkerText.token(Self.token))
        #expect(nodes.items[1]?[.lease] == nil && nodes.items[1]?[.filling] == nil)
        for peer in [0, 2] {
            let text = nodes.items[peer]?[.standing(of: 1)]?.text
            #expect(text == Standing(token: Self.token, isRevoked: false, missed: .nothing).text)
        }
    }

    @Test func anEmptyNodeIsCleanedOfWhateverItHas() {
        var markers = Self.markers(missed: .since(Watermark(cas: 77, token: PoolMarkersTests.tokens[0])))
        markers.lost(1, mayBeNew: true)
        markers.read(1, PoolMarkersTests.empty(), asked: Self.start, now: Self.start)
        var nodes = Nodes(markers)
        var plan = plan(markers)
        let told = play(&plan, &nodes, markers)
        #expect(told.contains("clean([Optional(0), nil, Optional(0)])") && plan.outcome == .ready(Self.token))
        #expect(told.contains("1 store standing(of: 0)"), "it learns of the others")
        #expect(
            nodes.items[1]?[.standing(of: 2)]?.text
                == Standing(token: PoolMarkersTests.tokens[2], isRevoked: false, missed: .nothing).text)
    }

    /// A filling that was cut short had known what the node held: its successor knows it from the marker.
    @Test func theNextOneGoesOnWithTheSameWatermark() {
        let mark = Missed.since(Watermark(cas: 77, token: PoolMarkersTests.tokens[0]))
        var markers = Self.markers(missed: mark)
        let filling = Filling(token: Token(5)!, hadFilling: true)
        markers.read(
            1, PoolMarkersTests.reading(of: 1) { ($0.ready, $0.filling) = (nil, filling) }, asked: Self.start,
            now: Self.start)
        var nodes = Nodes(markers)
        nodes.put(1, .filling, filling.text)
        var plan = plan(markers)
        #expect(play(&plan, &nodes, markers).contains("clean([Optional(77), nil, Optional(0)])"))
    }

    @Test func withoutAnyWatermarkItMayFlushTwice() {
        let markers = Self.markers()
        var nodes = Nodes(markers)
        var plan = plan(markers, mayFlush: true)
        let told = play(&plan, &nodes, markers)
        let flushes = told.drop { $0 != "flush" }.prefix(8)
        #expect(
            Array(flushes) == [
                "flush", "1 store lease", "1 store filling", "wait 2", "flush", "1 store lease", "1 store filling",
                "copy(number: 1)",
            ])
        #expect(plan.outcome == .ready(Self.token))
    }

    /// Wherever it comes: a revocation of the token ends the filling without a ready marker, or makes that worthless.
    @Test func aRevocationMeanwhileEndsIt() {
        let markers = Self.markers()
        for position in 0..<28 {
            var nodes = Nodes(markers)
            var (plan, count) = (plan(markers), 0)
            _ = play(&plan, &nodes, markers) { _, nodes in
                if count == position {
                    let text = nodes.items[2]?[.standing(of: 1)]?.text ?? []
                    let old = unsafe Standing(text: text.span.bytes)
                    nodes.put(2, .standing(of: 1), Standing.revoked(old, known: nil, missed: .unknown).text)
                }
                count += 1
                return true
            }
            let text = nodes.items[2]?[.standing(of: 1)]?.text ?? []
            let standing = unsafe Standing(text: text.span.bytes)
            let isReadable = nodes.items[1]?[.ready] != nil && standing?.confirms(Self.token) == true
            // Before the announcement it is of the old token, and says nothing about this filling.
            #expect(isReadable == (position <= 8), "before command \(position)")
        }
    }

    /// Wherever an answer is lost, the node is not readable by half: it is ready with all that stands elsewhere, or not.
    @Test func aLostAnswerEndsIt() {
        let markers = Self.markers()
        for position in 0..<28 {
            var nodes = Nodes(markers)
            var (plan, count) = (plan(markers), 0)
            _ = play(&plan, &nodes, markers) { _, _ in
                defer { count += 1 }
                return count != position
            }
            if plan.outcome != .ready(Self.token) { #expect(plan.outcome == .ended(.disturbed), "\(position)") }
            if position > 0, position < 24, plan.outcome == .ended(.disturbed) { #expect(plan.farewell != nil) }
        }
    }

    @Test func itEndsWhereItIsNotNeededOrNotPossible() {
        let markers = Self.markers()
        var nodes = Nodes(markers)
        nodes.put(1, .lease, MarkerText.token(Token(9)!))
        var leased = plan(markers)
        #expect(play(&leased, &nodes, markers) == ["1 store lease"] && leased.outcome == .ended(.leased))
        #expect(leased.farewell == nil)
        // Another was faster.
        var others = Nodes(markers)
        others.put(1, .ready, MarkerText.token(Token(9)!))
        var late = plan(markers)
        #expect(play(&late, &others, markers) == ["1 store lease", "1 read ready"])
        #expect(late.outcome == .ended(.leased) && others.items[1]?[.ready] != nil)
        var disturbed = plan(markers)
        _ = disturbed.nextCommand(markers)
        disturbed.disturbed()
        disturbed.received(.done(cas: 1), markers, now: Self.start)
        #expect(disturbed.outcome == .ended(.disturbed) && disturbed.nextCommand(markers) == nil)
        var gone = markers
        gone.lost(2, mayBeNew: true)
        #expect(!plan(markers).fits(gone, now: Self.start) && plan(markers).fits(markers, now: Self.start))
    }
}
