import MemcacheProtocol
import Testing

@testable import ProxyCore

/// One back-fill, alone: what is sent, and what the copies hold afterwards.
struct FillPlanTests {
    private static let now: Int64 = 1_800_000_000
    private static let fresh = FakeCopy.Item(value: [1, 2, 3], flags: 5, expiry: now + 100)
    private static let newer = FakeCopy.Item(value: [9])

    private struct Run {
        var copies: [FakeCopy]
        var commands: [String] = []
        var outcome: FillPlan.Outcome?

        func value(on copy: Int) -> [UInt8]? { copies[copy].items["key"]?.value }
    }

    /// - Parameters:
    ///   - items: what the copies hold; all that hold nothing are filled from the last.
    ///   - failing: commands, with the copy's index before each, that get no answer.
    ///   - meddle: what another proxy does before a command is carried out.
    ///   - disturbed: from this command on, this process is writing the key itself.
    private func run(
        _ items: FakeCopy.Item?..., failing: Set<String> = [], disturbed: Int = .max,
        meddle: (inout [FakeCopy], Int) -> Void = { _, _ in }
    ) -> Run {
        var run = Run(
            copies: items.map { item in
                var copy = FakeCopy()
                copy.put("key", item)
                return copy
            })
        let targets = items.dropLast().indices.reduce(UInt8(0)) { $0 | 1 << UInt8($1) }
        var fill = RepairSimulation.FakeFill(worker: 0, key: 0, source: items.count - 1, targets: targets)
        let key = [UInt8]("key".utf8)
        while let command = fill.plan.nextCommand(), run.commands.count < 20 {
            let line = unsafe command.line(key: key.span.bytes, isBase64: false, unixTime: Self.now, keepsCAS: false)
            let text = line.withBytes { line in
                String(
                    decoding: (0..<line.byteCount - 2).map {
                        unsafe line.unsafeLoad(fromByteOffset: $0, as: UInt8.self)
                    }, as: UTF8.self)
            }
            run.commands.append("\(command.copy) \(text)")
            meddle(&run.copies, run.commands.count)
            if failing.contains(run.commands.last!) || failing.contains("\(command.copy)") {
                fill.plan.failed(command.copy)
                continue
            }
            let body = command.carriesValue ? fill.value : []
            let reply = run.copies[command.copy].run(text, body: body, now: Self.now)
            fill.take(reply, from: command.copy, isDisturbed: run.commands.count >= disturbed)
        }
        run.outcome = fill.plan.outcome
        return run
    }

    @Test func theCommandsAreThese() {
        let run = run(nil, nil, Self.fresh)
        #expect(
            run.commands == [
                "2 mg key f t s c u v", "0 ms key 3 F5 T100 ME c", "1 ms key 3 F5 T100 ME c", "2 mg key f t s c u",
            ])
        #expect(run.outcome?.filled == 0b11 && run.outcome?.takenBack == 0 && run.outcome?.unsure == 0)
        #expect(run.value(on: 0) == [1, 2, 3] && run.value(on: 1) == [1, 2, 3])
    }

    @Test(
        arguments: [
            (nil, "T0"), (now + 2_592_000, "T2592000"), (now + 2_592_001, "T\(now + 2_592_001)"),
        ] as [(Int64?, String)])
    func theTimeThatIsLeft(expiry: Int64?, text: String) {
        let run = run(nil, FakeCopy.Item(value: [7], expiry: expiry))
        #expect(run.commands.count > 1 && run.commands[1] == "0 ms key 1 \(text) ME c")
    }

    /// Another proxy changes the key before each of the commands.
    @Test(arguments: 1...3, [newer, nil])
    func nothingNewerIsOverwritten(position: Int, other: FakeCopy.Item?) {
        let run = run(nil, Self.fresh) { copies, count in
            if count == position { for index in 0...1 { copies[index].put("key", other) } }
        }
        #expect(run.outcome != nil)
        #expect(run.value(on: 0) == other?.value && run.value(on: 1) == other?.value, "\(run.commands)")
    }

    /// It deletes the key on the copy that is filled before the add comes, and on the source behind the add.
    @Test func whatComesTooLateIsTakenBack() {
        let run = run(nil, Self.fresh) { copies, count in if count == 3 { copies[1].put("key", nil) } }
        #expect(run.commands.last == "0 md key C102" && run.value(on: 0) == nil)
        #expect(run.outcome == FillPlan.Outcome(filled: 0, takenBack: 1, unsure: 0))
    }

    @Test func aTouchChangesNothingThatMatters() {
        let run = run(nil, Self.fresh) { copies, count in if count == 3 { copies[1].items["key"]?.expiry? += 50 } }
        #expect(run.outcome == FillPlan.Outcome(filled: 1, takenBack: 0, unsure: 0))
    }

    @Test(arguments: [1, 2, 3])
    func aWriteOfThisProcessEndsIt(from command: Int) {
        let run = run(nil, Self.fresh, disturbed: command)
        #expect(run.value(on: 0) == nil, "\(run.commands)")
        #expect(run.commands.count == (command == 1 ? 1 : 4) && run.outcome?.filled == 0)
    }

    @Test(arguments: [
        FakeCopy.Item(value: [1], isStale: true), FakeCopy.Item(value: [], expiry: now + 30, hasToken: true), nil,
    ])
    func whatIsNotHandedOn(item: FakeCopy.Item?) {
        let run = run(nil, item)
        #expect(run.outcome == FillPlan.Outcome() && run.value(on: 0) == nil)
        // The right to replace a stale item, which the look took, is given back.
        #expect(run.copies[1].items["key"]?.hasToken == item?.hasToken, "\(run.commands)")
    }

    /// Whoever does not answer may have the item; whoever has it while the source is gone drops it.
    @Test func thoseThatDoNotAnswer() {
        let add = "0 ms key 3 F5 T100 ME c"
        #expect(run(nil, nil, Self.fresh, failing: [add]).outcome == .init(filled: 2, takenBack: 0, unsure: 1))
        #expect(run(nil, Self.fresh, failing: [add]).outcome == .init(filled: 0, takenBack: 0, unsure: 1))
        #expect(run(nil, Self.fresh, failing: ["1"]).outcome == .init())
        let look = run(nil, Self.fresh, failing: ["1 mg key f t s c u"])
        #expect(look.outcome == .init(filled: 0, takenBack: 1, unsure: 0) && look.value(on: 0) == nil)
        let both = run(nil, Self.fresh, failing: ["1 mg key f t s c u", "0 md key C102"])
        #expect(both.outcome == .init(filled: 0, takenBack: 0, unsure: 1))
    }

    @Test func withoutCASNumbersNothingIsFilled() {
        let run = run(nil, Self.fresh) { copies, _ in copies[1].items["key"]?.cas = 0 }
        #expect(run.commands.count == 1 && run.value(on: 0) == nil)
    }

    /// Answers that belong to no command, or to another, trap nothing.
    @Test func oddReplies() {
        for code in ReplyCode.allCases {
            var plan = FillPlan(source: 1, targets: 1)
            let line = [UInt8]("SERVER_ERROR\r\n".utf8)
            _ = unsafe plan.received(code, line: line.span.bytes, from: 7, isDisturbed: false)
            while let command = plan.nextCommand() {
                _ = unsafe plan.received(code, line: line.span.bytes, from: command.copy, isDisturbed: false)
            }
            #expect(plan.outcome == FillPlan.Outcome())
        }
    }
}
