import Bytes
import DroverTesting
import Glibc
import MemcacheProtocol
import Testing

@testable import ProxyCore

private func unixTime() -> Int { time(nil) }

/// One memcached, asked directly, with the replies as a transfer reads them.
private final class Node {
    let server: MemcachedServer
    let client: RawClient

    init(_ version: MemcachedServer.Version) throws {
        var options = MemcachedServer.Options()
        (options.listen, options.memory, options.threads) = (.unix, 64, 1)
        options.more = ["-o", "no_lru_maintainer"]
        server = try MemcachedServer(version, options: options)
        client = try server.client()
    }

    @discardableResult
    func ask(_ text: String) throws -> String { String(try client.roundTrip(text + "\r\n").dropLast()) }

    /// A command of a step; the reply and the value that came with it.
    func run(_ command: ItemCommand, key: String, isBase64: Bool, body: [UInt8]) throws -> (ItemReply, [UInt8]) {
        let bytes = Array(key.utf8)
        let line = unsafe command.line(
            key: bytes.span.bytes, isBase64: isBase64, unixTime: Int64(unixTime()))
        var text = line.withBytes { line in
            (0..<line.byteCount).map { unsafe line.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
        }
        if command.kind == .add { text += body + [13, 10] }
        try client.send(text)
        let reply = try client.readLine()
        var value: [UInt8] = []
        if reply.hasPrefix("VA "), let size = reply.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) {
            value = try client.read(exactly: size + 2).dropLast(2)
        }
        return (Self.reply(reply), value)
    }

    private static func reply(_ text: String) -> ItemReply {
        let bytes = Array(text.utf8)
        let code: ReplyCode =
            switch text.prefix(2) {
            case "HD": .hd
            case "VA": .value
            case "EN": .en
            case "NF": .nf
            case "NS": .ns
            case "EX": .ex
            case "SE": .serverError
            default: .clientError
            }
        return unsafe ItemReply(code, line: bytes.span.bytes)
    }
}

/// The steps on real servers, with what clients do between any two of their commands: the races of which each was lost
/// when it was done naively.
@Suite(.serialized)
struct StepServersTests {
    static let versions: [MemcachedServer.Version] = [.debian, .newer]

    /// Copies `k` from one to the other. `before` runs before the command with that number, from 0.
    private func copy(
        _ source: Node, _ target: Node, key: String = "k", isBase64: Bool = false, room: Int = 1 << 20,
        before: (number: Int, action: () throws -> Void)? = nil
    ) throws -> CopyStep.Outcome? {
        var step = CopyStep(room: room)
        var (value, number): ([UInt8], Int) = ([], 0)
        while let command = step.nextCommand() {
            if let before, before.number == number { try before.action() }
            let node = command.side == .source ? source : target
            let (reply, found) = try node.run(command, key: key, isBase64: isBase64, body: value)
            if command.kind == .fetch { value = found }
            step.received(reply)
            number += 1
        }
        return step.outcome
    }

    @Test(arguments: versions) func aCopyIsFaithful(version: MemcachedServer.Version) throws {
        let (source, target) = (try Node(version), try Node(version))
        for (flags, life) in [("4294967295", "0"), ("0", "100"), ("7", "2592000"), ("7", "3456000")] {
            // Over 30 days a client gives a date.
            let expiry = life == "3456000" ? String(unixTime() + 3_456_000) : life
            try source.ask("ms k 3 F\(flags) T\(expiry)\r\nabc")
            try target.ask("md k")
            #expect(try copy(source, target) == .copied)
            let (here, there) = (try source.ask("mg k f s t u"), try target.ask("mg k f s t u"))
            func left(_ reply: String) -> Int { Int(reply.split(separator: "t").last ?? "") ?? 0 }
            #expect(here.split(separator: "t")[0] == there.split(separator: "t")[0])
            #expect(abs(left(here) - left(there)) <= 1, "\(here) is not \(there)")
        }
        try source.ask("ms AAECAw== 2 b T50\r\nxy")
        #expect(try copy(source, target, key: "AAECAw==", isBase64: true) == .copied)
        #expect(try target.ask("mg AAECAw== b s u") == "HD s2")
    }

    /// R1, R3: deleted on both between the fetch and the add.
    @Test(arguments: versions) func nothingIsResurrected(version: MemcachedServer.Version) throws {
        let (source, target) = (try Node(version), try Node(version))
        try source.ask("ms k 2 T300\r\nv1")
        let outcome = try copy(source, target, before: (1, { for node in [source, target] { try node.ask("md k") } }))
        #expect(outcome == .takenBack)
        #expect(try target.ask("mg k v") == "EN")
    }

    /// R3b: and then set anew, at the source first: the copy is taken back, the new value is not.
    @Test(arguments: versions) func whatAClientHasSetStays(version: MemcachedServer.Version) throws {
        let (source, target) = (try Node(version), try Node(version))
        for number in 1...2 {
            try source.ask("ms k 2\r\nv1")
            try target.ask("md k")
            let outcome = try copy(
                source, target, before: (number, { for node in [source, target] { try node.ask("ms k 2\r\nv2") } }))
            #expect(outcome == (number == 1 ? .present : .takenBack))
            #expect(try target.ask("mg k s u") == "HD s2")
            #expect(try target.client.roundTrip("mg k v\r\n", through: "\r\nv2\r\n").hasSuffix("v2\r\n"))
        }
    }

    /// R5: an increment is not applied twice, since it is a delete on the node that is filled.
    @Test(arguments: versions) func anIncrementIsNotAppliedTwice(version: MemcachedServer.Version) throws {
        for number in 1...2 {
            let (source, target) = (try Node(version), try Node(version))
            try source.ask("ms n 1\r\n5")
            let outcome = try copy(
                source, target, key: "n",
                before: (
                    number,
                    {
                        try source.ask("incr n 1")
                        try target.ask("md n")
                    }
                ))
            #expect(outcome == .takenBack)
            #expect(try target.ask("mg n v") == "EN", "a miss, never a wrong value")
        }
    }

    /// R6: a touch leaves the CAS number.
    @Test(arguments: versions) func aTouchIsSeen(version: MemcachedServer.Version) throws {
        let (source, target) = (try Node(version), try Node(version))
        try source.ask("ms k 1 T500\r\nx")
        #expect(try copy(source, target, before: (2, { try source.ask("touch k 10") })) == .takenBack)
        #expect(try target.ask("mg k v") == "EN")
    }

    /// R7: an ms of a value that is too large would delete what the target has.
    @Test(arguments: versions) func aTooLargeValueDeletesNothing(version: MemcachedServer.Version) throws {
        let (source, target) = (try Node(version), try Node(version))
        try source.ask("ms k 2000\r\n" + String(repeating: "x", count: 2000))
        try target.ask("ms k 3\r\nnew")
        #expect(try copy(source, target, room: 1000) == .skipped(.tooLarge))
        #expect(try target.ask("mg k s u") == "HD s3")
    }

    /// The right to refresh a stale item goes back to the clients; a copy of it would be fresh.
    @Test(arguments: versions) func staleItemsAndStubsAreLeftAlone(version: MemcachedServer.Version) throws {
        let (source, target) = (try Node(version), try Node(version))
        try source.ask("ms k 1\r\nx")
        try source.ask("md k I T300")
        #expect(try copy(source, target) == .skipped(.stale))
        #expect(try source.ask("mg k").contains("W"), "a client still gets it")
        try source.ask("mg stub N300")
        #expect(try copy(source, target, key: "stub") == .skipped(.stub))
        #expect(try target.ask("mg k") == "EN" && target.ask("mg stub") == "EN")
    }

    /// D2: only what the source has changed since the watermark goes.
    @Test(arguments: versions) func cleaningByWatermark(version: MemcachedServer.Version) throws {
        let (source, target) = (try Node(version), try Node(version))
        for key in ["same", "set", "gone", "touched", "incremented"] {
            for node in [source, target] { try node.ask("ms \(key) 1 T1000\r\n5") }
        }
        let mark = Self.number(try source.ask("ma tick N0 c"), after: "c")
        try source.ask("ms set 1 T1000\r\n6")
        try source.ask("md gone")
        try source.ask("touch touched 50")
        try source.ask("incr incremented 1")
        var kept: [String] = []
        for key in ["same", "set", "gone", "touched", "incremented"] {
            var item = StoredItem.missing
            item.kind = .fresh
            item.cas = Self.number(try target.ask("mg \(key) c u"), after: "c")
            item.ttl = 1000
            var step = CleanStep(target: item, watermark: mark)
            while let command = step.nextCommand() {
                step.received(
                    try (command.side == .source ? source : target).run(command, key: key, isBase64: false, body: []).0)
            }
            if step.outcome == .kept { kept.append(key) }
            #expect(try target.ask("mg \(key) s u") == (key == "same" ? "HD s1" : "EN"))
        }
        #expect(kept == ["same"])
    }

    /// A lease is by CAS number, and after a restart these begin anew: so its renewal has to be on the connection that
    /// took it.
    @Test(arguments: versions) func numbersOfALeaseCollideAfterARestart(version: MemcachedServer.Version) throws {
        func lease(_ node: Node, _ action: MarkerCommand.Action) throws -> MarkerReply {
            let command = MarkerCommand(node: 0, item: .lease, action)
            try node.client.send(command.bytes(names: ["a"]))
            let line = try node.client.readLine()
            let bytes = Array(line.utf8)
            let code: ReplyCode = line.hasPrefix("HD") ? .hd : line.hasPrefix("NS") ? .ns : .ex
            return unsafe MarkerReply(code, to: action, line: bytes.span.bytes, value: [])
        }
        let text = MarkerText.token(Token(1)!)
        let node = try Node(version)
        guard case .done(let mine) = try lease(node, .store(text, .ifMissing)) else {
            Issue.record("not taken")
            return
        }
        #expect(mine > 0)
        #expect(try lease(node, .store(text, .ifMissing)) == .refused)
        #expect(try lease(node, .store(text, .ifSame(mine + 7))) == .refused)
        // Another process, and another proxy's lease.
        let restarted = try Node(version)
        let theirs = try lease(restarted, .store(MarkerText.token(Token(2)!), .ifMissing))
        #expect(theirs == .done(cas: mine), "the numbers collide")
    }

    private static func number(_ reply: String, after letter: Character) -> UInt64 {
        for word in reply.split(separator: " ") where word.first == letter {
            if let number = UInt64(word.dropFirst()) { return number }
        }
        return 0
    }
}
