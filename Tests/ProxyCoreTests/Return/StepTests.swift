import Testing

@testable import ProxyCore

/// The steps of one item, by what they answer to.
struct StepTests {
    static func item(
        _ kind: StoredItem.Kind = .fresh, size: UInt32 = 3, flags: UInt32 = 5, ttl: Int64 = 100, cas: UInt64 = 7
    ) -> StoredItem {
        var item = StoredItem.missing
        (item.kind, item.size, item.flags, item.ttl, item.cas) = (kind, size, flags, ttl, cas)
        return item
    }

    static func won() -> StoredItem {
        var item = item(.stale)
        item.isWon = true
        return item
    }

    private func text(_ command: ItemCommand) -> String {
        "\(command.side) \(command.kind)" + (command.cas > 0 ? " \(command.cas)" : "")
    }

    // MARK: Copy

    private func copy(_ replies: ItemReply..., room: Int = 1000) -> (sent: [String], outcome: CopyStep.Outcome?) {
        var step = CopyStep(room: room)
        var sent: [String] = []
        var replies = replies[...]
        while let command = step.nextCommand() {
            #expect(step.nextCommand() == nil, "one at a time")
            sent.append(text(command))
            guard let reply = replies.popFirst() else { break }
            step.received(reply)
        }
        #expect(replies.isEmpty)
        return (sent, step.outcome)
    }

    @Test func anUnchangedItemIsCopied() {
        let (sent, outcome) = copy(.item(Self.item()), .done(cas: 9), .item(Self.item(ttl: 99)))
        #expect(sent == ["source fetch", "target add", "source look"] && outcome == .copied)
    }

    @Test func whatMovedIsTakenBack() {
        let replies: [ItemReply] = [
            .missing, .item(Self.item(cas: 8)), .item(Self.item(ttl: 10)), .item(Self.item(ttl: -1)),
            .item(Self.item(.stale)), .failed, .refused,
        ]
        for reply in replies {
            let (sent, outcome) = copy(.item(Self.item()), .done(cas: 9), reply, .done(cas: 0))
            #expect(sent.last == "target takeBack 9" && outcome == .takenBack, "\(reply)")
        }
        // A client has set something newer on it: that stays.
        #expect(copy(.item(Self.item()), .done(cas: 9), .missing, .refused).outcome == .takenBack)
        #expect(copy(.item(Self.item()), .done(cas: 9), .missing, .failed).outcome == .failed)
    }

    @Test func whatMustNotBeCopiedIsNot() {
        #expect(copy(.missing).outcome == .gone && copy(.failed).outcome == .failed)
        #expect(copy(.item(Self.item(.stub))).outcome == .skipped(.stub))
        #expect(copy(.item(Self.item(.stale))).outcome == .skipped(.stale))
        #expect(copy(.item(Self.item(ttl: 0))).outcome == .skipped(.expiring), "it would live for ever")
        #expect(copy(.item(Self.item(size: 11)), room: 10).outcome == .skipped(.tooLarge))
        #expect(copy(.item(Self.item(size: 10)), .refused, room: 10).outcome == .present)
        #expect(copy(.item(Self.item()), .tooLarge).outcome == .skipped(.tooLarge))
        #expect(copy(.item(Self.item()), .done(cas: 0)).outcome == .failed, "no CAS numbers: nothing to take back by")
        let (sent, outcome) = copy(.item(Self.won()), .done(cas: 0))
        #expect(sent == ["source fetch", "source giveBack 7"] && outcome == .skipped(.stale))
    }

    @Test func roomIsWhatMemcachedHas() {
        // 1048480 bytes were taken and 1048575 were not.
        #expect(CopyStep.room(itemSizeMax: 1 << 20, keyLength: 10) >= 1_048_480)
        #expect(CopyStep.room(itemSizeMax: 1 << 20, keyLength: 10) < 1_048_575)
    }

    // MARK: Clean

    private func clean(
        watermark: UInt64, ttl: Int64 = 100, _ replies: ItemReply...
    ) -> (sent: [String], outcome: CleanStep.Outcome?) {
        var step = CleanStep(target: Self.item(ttl: ttl, cas: 40), watermark: watermark)
        var sent: [String] = []
        for reply in replies {
            guard let command = step.nextCommand() else { break }
            sent.append(text(command))
            step.received(reply)
        }
        #expect(step.nextCommand() == nil)
        return (sent, step.outcome)
    }

    @Test func onlyWhatWasThereBeforeMayStay() {
        #expect(clean(watermark: 7, .item(Self.item(cas: 7))).outcome == .kept)
        #expect(clean(watermark: 7, ttl: 97, .item(Self.item(cas: 7))).outcome == .kept)
        for reply: ItemReply in [
            .missing, .item(Self.item(cas: 8)), .item(Self.item(ttl: 90)), .item(Self.item(ttl: -1)),
            .item(Self.item(.stub)), .item(Self.item(.stale)),
        ] {
            let (sent, outcome) = clean(watermark: 7, reply, .done(cas: 0))
            #expect(sent == ["source look", "target takeBack 40"] && outcome == .dropped, "\(reply)")
        }
        #expect(clean(watermark: 7, .missing, .refused).outcome == .dropped, "a client has set it anew")
        #expect(clean(watermark: 7, .failed).outcome == .failed)
        #expect(clean(watermark: 7, .missing, .failed).outcome == .failed)
        #expect(clean(watermark: 0, .done(cas: 0)).sent == ["target takeBack 40"], "nothing to look for")
        #expect(clean(watermark: 7, .item(Self.won()), .done(cas: 0), .done(cas: 0)).sent.last == "source giveBack 7")
    }

    // MARK: Verify

    private func verify(
        isEqual: Bool, _ replies: ItemReply...
    ) -> (sent: [String], outcome: VerifyStep.Outcome?) {
        var step = VerifyStep()
        var sent: [String] = []
        for reply in replies {
            guard let command = step.nextCommand() else { break }
            sent.append(text(command))
            if step.received(reply) { step.compared(isEqual: isEqual) }
        }
        #expect(step.nextCommand() == nil)
        return (sent, step.outcome)
    }

    @Test func whatDiffersIsDropped() {
        let (here, there) = (ItemReply.item(Self.item()), ItemReply.item(Self.item(cas: 40)))
        #expect(verify(isEqual: true, here, there).outcome == .agreed)
        #expect(verify(isEqual: true, here, .missing).outcome == .absent)
        #expect(verify(isEqual: true, .missing, .missing).outcome == .agreed)
        let (sent, outcome) = verify(isEqual: false, here, there, here, .done(cas: 0))
        #expect(sent.suffix(2) == ["source look", "target takeBack 40"] && outcome == .diverged)
        for other: ItemReply in [
            .item(Self.item(size: 4, cas: 40)), .item(Self.item(flags: 6, cas: 40)), .item(Self.item(ttl: 50, cas: 40)),
        ] {
            #expect(verify(isEqual: true, here, other, here, .done(cas: 0)).outcome == .diverged, "\(other)")
        }
        #expect(verify(isEqual: true, .missing, there, .missing, .done(cas: 0)).outcome == .diverged, "resurrected")
        #expect(verify(isEqual: false, here, there, .item(Self.item(cas: 8))).outcome == .moved)
        #expect(verify(isEqual: false, here, there, here, .refused).outcome == .moved)
        #expect(verify(isEqual: true, .failed).outcome == .failed)
        #expect(verify(isEqual: true, .item(Self.won()), .missing, .done(cas: 0)).sent.last == "source giveBack 7")
    }

    // MARK: Lines

    @Test func linesAreAsMemcachedWantsThem() {
        func line(_ kind: ItemCommand.Kind, _ item: StoredItem = .missing, cas: UInt64 = 0, isBase64: Bool = false)
            -> String
        {
            let key = Array("k".utf8)
            let line = unsafe ItemCommand(kind, .target, item: item, cas: cas).line(
                key: key.span.bytes, isBase64: isBase64, unixTime: 1_800_000_000)
            return line.withBytes { line in
                String(
                    decoding: (0..<line.byteCount).map { unsafe line.unsafeLoad(fromByteOffset: $0, as: UInt8.self) },
                    as: UTF8.self)
            }
        }
        #expect(line(.look) == "mg k f t s c u\r\n" && line(.fetch, isBase64: true) == "mg k b f t s c u v\r\n")
        #expect(line(.add, Self.item()) == "ms k 3 c ME F5 T100\r\n")
        #expect(line(.add, Self.item(flags: 0, ttl: -1), isBase64: true) == "ms k 3 b c ME T0\r\n")
        #expect(line(.add, Self.item(flags: 0, ttl: 2_592_000)) == "ms k 3 c ME T2592000\r\n")
        #expect(line(.add, Self.item(flags: 0, ttl: 2_592_001)) == "ms k 3 c ME T1802592001\r\n", "a date")
        #expect(line(.add, Self.item(flags: 0, ttl: .max)) == "ms k 3 c ME T2147483647\r\n")
        #expect(line(.takeBack, cas: .max) == "md k C18446744073709551615\r\n")
        #expect(line(.giveBack, cas: 3) == "md k I C3\r\n")
    }
}
