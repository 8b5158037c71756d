import MemcacheProtocol
import Testing

@testable import ProxyCore

/// One repair, alone: what is sent for every pair of states, and what the copies hold afterwards.
struct RepairPlanTests {
    private static let now: Int64 = 1_800_000_000
    private static let fresh = FakeCopy.Item(value: [1, 2, 3], flags: 5, expiry: now + 100)

    private static func item(_ change: (inout FakeCopy.Item) -> Void) -> FakeCopy.Item {
        var item = fresh
        change(&item)
        return item
    }

    /// Everything that a copy may hold.
    private static let states: [(name: String, item: FakeCopy.Item?)] = [
        ("nothing", nil),
        ("fresh", fresh),
        ("other value", item { $0.value = [1, 2, 4] }),
        ("other size", item { $0.value = [1, 2] }),
        ("empty", item { $0.value = [] }),
        ("other flags", item { $0.flags = 0 }),
        ("one second", item { $0.expiry! += 1 }),
        ("two seconds", item { $0.expiry! += 2 }),
        ("for ever", item { $0.expiry = nil }),
        ("long", item { $0.expiry! += 40 * 86_400 }),
        ("large", item { $0.value = [UInt8](repeating: 7, count: 100) }),
        ("stale", item { $0.isStale = true }),
        ("stale, being replaced", item { ($0.isStale, $0.hasToken) = (true, true) }),
        ("being replaced", item { $0.hasToken = true }),
        ("stub", FakeCopy.Item(value: [], expiry: now + 30, hasToken: true)),
    ]

    /// Runs a repair to its end. Returns the commands, with the copy's index before each.
    private func run(
        _ copies: inout [FakeCopy], key: String = "key", isBase64: Bool = false, failing: Set<String> = [],
        isCheck: Bool = false, meddle: (inout [FakeCopy], String) -> Void = { _, _ in }
    ) -> (commands: [String], outcome: RepairPlan.Outcome?, written: Int) {
        var repair = FakeRepair(key: key, isBase64: isBase64, copies: copies.count, isCheck: isCheck)
        var commands: [String] = []
        while let command = repair.plan.nextCommand() {
            let text = "\(command.copy) " + repair.text(command, now: Self.now)
            commands.append(text)
            guard commands.count < 50 else { break }
            if failing.contains(text) || failing.contains("\(command.copy)") {
                repair.plan.failed(command.copy)
                continue
            }
            meddle(&copies, text)
            let reply = copies[command.copy].run(
                String(text.dropFirst(2)), body: repair.body(command), now: Self.now)
            repair.take(reply, from: command.copy)
        }
        return (commands, repair.plan.outcome, repair.plan.written)
    }

    private func copies(_ items: FakeCopy.Item?...) -> [FakeCopy] {
        items.map { item in
            var copy = FakeCopy()
            copy.put("key", item)
            return copy
        }
    }

    /// What a client can see: all but CAS numbers and who replaces a stale item.
    private func visible(_ copy: FakeCopy) -> FakeCopy.Item? {
        guard var item = copy.items["key"] else { return nil }
        item.cas = 0
        if !item.value.isEmpty { item.hasToken = false }
        return item
    }

    @Test(arguments: [2, 3])
    func everyPairAgreesAfterwards(count: Int) {
        for source in Self.states {
            for other in Self.states {
                var copies = copies(source.item, other.item)
                if count == 3 { copies.append(copies[0]) }
                let before = copies
                let (commands, outcome, written) = run(&copies)
                #expect(outcome == .agreed, "\(source.name), \(other.name)")
                let found = visible(copies[1])
                if found?.expiry != nil, let expiry = visible(copies[0])?.expiry, abs(found!.expiry! - expiry) == 1 {
                    copies[1].items["key"]!.expiry = expiry
                }
                #expect(visible(copies[1]) == visible(copies[0]), "\(source.name), \(other.name): \(commands)")
                #expect(visible(copies[0]) == visible(before[0]), "\(source.name) is the source")
                #expect(copies.allSatisfy { $0.bumps == 0 || source.name == "stub" }, "\(source.name), \(other.name)")
                let isSame = source.name == other.name && source.name != "large"
                if isSame { #expect(written == 0 && commands.count <= 2 * count, "\(source.name): \(commands)") }
                // A right to replace that a look took is given back; one that a client has stays his.
                let tokens = [copies[0], before[0]].map { $0.items["key"]?.hasToken }
                #expect(tokens[0] == tokens[1], "\(source.name), \(other.name)")
            }
        }
    }

    /// It tells whether they agree, and changes nothing.
    @Test(arguments: [2, 3])
    func everyPairIsChecked(count: Int) {
        // These agree with "fresh": what differs is too small, or no part of what a client may see for sure.
        let alike = [["fresh", "one second", "two seconds", "being replaced"], ["stale", "stale, being replaced"]]
        for source in Self.states {
            for other in Self.states {
                var copies = copies(source.item, other.item)
                if count == 3 { copies.append(copies[0]) }
                let before = copies
                let (commands, outcome, written) = run(&copies, isCheck: true)
                let isAlike =
                    source.name == other.name || alike.contains { $0.contains(source.name) && $0.contains(other.name) }
                #expect(outcome == (isAlike ? .agreed : .differed), "\(source.name), \(other.name): \(commands)")
                #expect(written == 0 && commands.allSatisfy { $0.contains(" mg ") || $0.hasSuffix(" I C101") })
                for (after, before) in zip(copies, before) {
                    #expect(visible(after) == visible(before) && after.bumps == before.bumps)
                    #expect(after.items["key"]?.hasToken == before.items["key"]?.hasToken, "\(commands)")
                }
            }
        }
    }

    @Test func aCheckFetchesNoLargeValue() {
        var fresh = copies(Self.fresh, Self.fresh)
        #expect(
            run(&fresh, isCheck: true).commands == [
                "0 mg key f t s c u", "0 mg key f t s c u v", "1 mg key f t s c u v",
            ])
        var large = copies(Self.states[10].item, Self.item { $0.value = [UInt8](repeating: 8, count: 100) })
        let (commands, outcome, _) = run(&large, isCheck: true)
        #expect(commands == ["0 mg key f t s c u", "1 mg key f t s c u"])
        #expect(outcome == .agreed, "as far as it has looked")
        var missing = copies(nil, nil)
        #expect(run(&missing, isCheck: true).commands == ["0 mg key f t s c u", "1 mg key f t s c u"])
        // The next in line stands in for a source that fails in the middle.
        var three = copies(Self.fresh, Self.states[10].item, Self.states[10].item)
        let (afterwards, end, _) = run(&three, failing: ["0 mg key f t s c u v"], isCheck: true)
        #expect(afterwards.suffix(2) == ["1 mg key f t s c u", "2 mg key f t s c u"] && end == .copyFailed)
    }

    @Test func theCommandsAreThese() {
        var agreeing = copies(Self.fresh, Self.fresh)
        #expect(run(&agreeing).commands == ["0 mg key f t s c u v", "1 mg key f t s c u v"])

        var missing = copies(nil, Self.fresh)
        #expect(
            run(&missing).commands == [
                "0 mg key f t s c u v", "1 mg key f t s c u", "1 md key C101", "0 mg key f t s c u",
            ])

        var lost = copies(Self.fresh, nil)
        #expect(
            run(&lost).commands == [
                "0 mg key f t s c u v", "1 mg key f t s c u v", "1 ms key 3 F5 T100 ME", "0 mg key f t s c u",
            ])

        var longer = copies(Self.item { $0.expiry! += 30 * 86_400 }, Self.item { $0.flags = 1 })
        #expect(run(&longer).commands[2] == "1 ms key 3 F5 T\(Self.now + 100 + 30 * 86_400) C101")

        var stale = copies(Self.item { $0.isStale = true }, nil)
        #expect(
            run(&stale).commands == [
                "0 mg key f t s c u v", "1 mg key f t s c u v", "1 ms key 3 F5 T100 ME c", "1 md key I C102",
                "0 mg key f t s c u", "0 md key I C101",
            ])

        var large = copies(Self.states[10].item, Self.states[10].item)
        #expect(run(&large).commands[1...2] == ["1 mg key f t s c u", "1 ms key 100 F5 T100 C101"])
    }

    @Test func aBase64KeyKeepsItsSpelling() {
        var copies = [FakeCopy(), FakeCopy()]
        copies[0].put("AAECAw==", FakeCopy.Item(value: [9]))
        let commands = run(&copies, key: "AAECAw==", isBase64: true).commands
        #expect(commands[0] == "0 mg AAECAw== b f t s c u v" && commands[2] == "1 ms AAECAw== 1 b T0 ME")
        #expect(copies[1].items["AAECAw=="]?.value == [9])
    }

    @Test func withoutCASNumbersItStoresUnguarded() {
        var copies = [FakeCopy(), FakeCopy()]
        for index in 0...1 {
            copies[index].keepsCAS = false
            copies[index].put("key", FakeCopy.Item(value: [UInt8(index)]))
        }
        let (commands, outcome, _) = run(&copies)
        #expect(commands[2] == "1 ms key 1 T0" && outcome == .agreed)
        #expect(copies[1].items["key"]?.value == [0])
    }

    /// The next copy in line is the source when the first does not answer.
    @Test func aDeadPrimaryIsStoodInFor() {
        var copies = copies(Self.fresh, nil, Self.fresh)
        let (commands, outcome, _) = run(&copies, failing: ["0"])
        #expect(outcome == .copyFailed)
        #expect(copies[2].items["key"] == nil)
        #expect(commands.count { $0.hasPrefix("0") } == 1)
    }

    @Test(arguments: ["1 mg key f t s c u v", "1 ms key 3 F5 T100 ME", "0 mg key f t s c u"])
    func afterAFailureItIsNotOver(command: String) {
        var copies = copies(Self.fresh, nil, nil)
        #expect(run(&copies, failing: [command]).outcome == .copyFailed)
        #expect(copies[2].items["key"]?.value == [1, 2, 3], "the others are repaired all the same")
    }

    @Test func allDead() {
        var copies = copies(Self.fresh, Self.fresh)
        #expect(run(&copies, failing: ["0", "1"]).outcome == .copyFailed)
    }

    /// Another proxy writes between any two of the commands: its value survives where it was, and the repair is due again.
    @Test(arguments: 2...3, [Self.fresh, nil])
    func nothingNewerIsOverwritten(position: Int, other: FakeCopy.Item?) {
        let newer = FakeCopy.Item(value: [9, 9])
        var copies = copies(Self.item { $0.value = [4, 5, 6] }, other)
        var sent = 0
        let outcome = run(&copies) { copies, _ in
            sent += 1
            if sent == position + 1 { for index in 0...1 { copies[index].put("key", newer) } }
        }.outcome
        #expect(outcome == .moved)
        #expect(copies.allSatisfy { $0.items["key"]?.value == [9, 9] })
    }

    @Test func aWriteBetweenTheLooksIsSeenInTheEnd() {
        var copies = copies(Self.fresh, Self.fresh)
        var sent = 0
        let outcome = run(&copies) { copies, _ in
            sent += 1
            if sent == 2 { for index in 0...1 { copies[index].put("key", FakeCopy.Item(value: [9, 9])) } }
        }.outcome
        #expect(outcome == .moved)
        #expect(run(&copies).outcome == .agreed)
        #expect(visible(copies[0]) == visible(copies[1]))
    }

    @Test(arguments: [
        "HD", "HD f1", "HD f1 t-1 s3", "HD f4294967296 t-1 s3 c1", "HD f1 t-2 s3 c1",
        "HD f1 t-1 s3 c18446744073709551616",
        "HD fx t-1 s3 c1", "VA 4 f1 t-1 s3 c1", "VA f1 t-1 s3 c1", "VA 3 f t-1 s3 c1", "OK f1 t-1 s3 c1",
        "HD f1 t99999999999 s3 c1", "VA 3 f1 t-1 s3 c", "",
    ])
    func linesThatSayTooLittle(line: String) {
        let bytes = [UInt8](line.utf8)
        #expect(unsafe StoredItem(line: bytes.span.bytes) == nil)
    }

    @Test func linesThatSayEnough() {
        for line in ["VA 3 f1 t-1 s3 c7\r\n", "HD c7 s3 t-1 f1", "HD  c7 s3 t-1 f1 kabc Oxyz Z"] {
            let bytes = [UInt8](line.utf8)
            let item = unsafe StoredItem(line: bytes.span.bytes)
            #expect(item?.size == 3 && item?.flags == 1 && item?.ttl == -1 && item?.cas == 7 && item?.kind == .fresh)
        }
    }

    /// Answers that belong to no command, or to another, trap nothing and count as failures.
    @Test func oddRepliesAreFailures() {
        for code in ReplyCode.allCases where code != .en {
            var plan = RepairPlan(copies: 2)
            let line = [UInt8]("SERVER_ERROR\r\n".utf8)
            #expect(unsafe plan.received(code, line: line.span.bytes, from: 0) == .discard)
            while let command = plan.nextCommand() {
                #expect(unsafe plan.received(code, line: line.span.bytes, from: command.copy) == .discard)
            }
            #expect(plan.outcome == .copyFailed)
        }
    }

    /// The source became stale between the two looks at it: the second took the right, of an item with another number.
    @Test func aRightThatTheSecondLookTookIsGivenBack() {
        var repair = FakeRepair(key: "k", copies: 2)
        func next(_ expected: String) {
            #expect(repair.plan.nextCommand().map { repair.text($0, now: 0) } == expected)
        }
        func hear(_ code: ReplyCode, _ line: String, from copy: Int) {
            repair.take(FakeCopy.Reply(code: code, line: "\(line)\r\n", value: Array("x\r\n".utf8)), from: copy)
        }
        next("mg k f t s c u v")
        hear(.value, "VA 1 f0 t-1 s1 c5", from: 0)
        next("mg k f t s c u v")
        hear(.en, "EN", from: 1)
        next("ms k 1 T0 ME")
        hear(.hd, "HD", from: 1)
        next("mg k f t s c u")
        hear(.hd, "HD f0 t-1 s1 c9 X W", from: 0)
        #expect(repair.plan.mayHoldRight)
        next("md k I C9")
        hear(.hd, "HD", from: 0)
        #expect(!repair.plan.mayHoldRight)
        #expect(repair.plan.outcome == .moved)
    }
}
