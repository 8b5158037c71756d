import Bytes
import DroverTesting
import MemcacheProtocol
import ProxyCore
import Testing

/// One memcached as a node, asked directly.
private final class Node {
    let client: RawClient

    init(_ version: MemcachedServer.Version) throws {
        var options = MemcachedServer.Options()
        (options.listen, options.memory, options.threads) = (.unix, 64, 1)
        options.more = ["-o", "no_lru_maintainer"]
        client = try MemcachedServer(version, options: options).client()
    }

    func ask(_ text: String) throws -> String {
        let all = try client.roundTrip(text + "mn\r\n", through: "MN\r\n")
        return String(all.dropLast("MN\r\n".count))
    }

    /// Empties the node, which keeps counting its CAS numbers, and stores an item.
    func begin(_ item: String?) throws {
        _ = try ask("md k\r\nmd a2V5 b\r\n")
        guard let item else { return }
        for key in ["k \(item.utf8.count)", "a2V5 \(item.utf8.count) b"] {
            _ = try ask("ms \(key) F3 T100\r\n\(item)\r\n")
        }
    }

    /// All that copies have to agree in; the time to live stands between spaces.
    func state(_ key: String) throws -> String { try ask("mg \(key) v f t s u\r\n") }
}

/// The rewritten lines on real servers: the other copy comes to have what the primary has, or its answer says that it
/// does not.
@Suite(.serialized)
struct CopyServersTests {
    /// Commands without the data block; `#` stands for the CAS number that a client was shown.
    private static let commands = [
        "add k 9 50 1", "replace k 9 50 1", "cas k 9 50 1 #", "append k 9 50 1", "prepend k 9 50 1 noreply",
        "set k 9 50 1", "incr k 2", "decr k 2 noreply", "touch k 50", "gat 50 k", "gats 0 k", "delete k",
        "ms k 1 F9 T50", "ms k 1 F9 T50 C#", "ms k 1 ME F9 T50 q O1", "ms k 1 MR F9 T50 k", "ms k 1 MR C# F9",
        "ms k 1 MA F9 T50", "ms k 1 MP C# c", "ms k 1 MA N50", "ms k 1 I C#", "ms a2V5 1 b MR T50 c", "ms a2V5 1 MA b",
        "md k", "md k q C#", "md k I T50", "md k I C# O1", "md a2V5 b I",
        "ma k", "ma k v D2", "ma k MD T50 v c", "ma k N50 J90 v", "ma k N50 J90", "ma k C# v", "ma a2V5 b v N9 J70",
        "mg k v", "mg k T50 v", "mg k v N50", "mg k N50 T20 c", "mg k T20 N50 s", "mg k R30 v", "mg k R300 v",
        "mg k N50 R300", "mg a2V5 b N50 k c v", "mg a2V5 b T50 k c v",
    ]
    /// 1.6.18 does not know these.
    private static let newer = [
        "md k x", "md k x I T50 F9", "ms k 1 ME E99 T50", "ms k 1 MA E99", "ma k E99 v", "md k I E99", "mg k N50 E99",
    ]

    @Test(arguments: [MemcachedServer.Version.debian, .newer])
    func copiesComeToAgree(version: MemcachedServer.Version) throws {
        let (primary, copy) = (try Node(version), try Node(version))
        // Their CAS numbers go apart.
        for _ in 0..<10 { _ = try copy.ask("set other 0 0 1\r\n1\r\n") }
        let tag = CASTag.tags(ofNodes: ["a", "b"])[0]
        var effects: [String: Int] = [:]
        for command in Self.commands + (version == .newer ? Self.newer : []) {
            for (here, there): (String?, String?) in [
                ("5", "5"), ("abc", "abc"), (nil, nil), ("5", nil), (nil, "5"), ("5", "40"),
            ] {
                try primary.begin(here)
                try copy.begin(there)
                // Before anything was changed they may disagree, and only some commands tell.
                let (effect, agrees) = try run(command, tag, primary, copy)
                let same = try statesAgree(primary, copy, of: command)
                effects["\(effect)", default: 0] += 1
                let what = "\(command) on \(here ?? "nothing") and \(there ?? "nothing"): \(effect)"
                if here == there, effect != .repair {
                    #expect(agrees, "\(what): the copies answer differently")
                    #expect(same, "\(what): the copies are not alike")
                } else if effect == .sameValue || effect == .sameCommand(compare: true), here == nil || there == nil {
                    #expect(same || !agrees, "\(what): the copies are not alike, and nobody noticed")
                }
            }
        }
        #expect(effects.count == 5, "\(effects)")
    }

    /// Through the proxy's steps: the primary first, then what the copy gets.
    private func run(
        _ command: String, _ tag: CASTag, _ primary: Node, _ copy: Node
    ) throws -> (effect: CopyEffect, agrees: Bool) {
        let current = try primary.ask("mg k c u\r\n")
        let number = current.split(separator: "c").last.flatMap { UInt64($0.prefix(while: \.isNumber)) } ?? 1
        let text = command.replacing("#", with: "\(tag.shown(number))") + "\r\n"
        let line = Array(text.utf8)
        let head = try requestHead(text)
        let body = head.verb.carriesBody ? "7\r\n" : ""

        var buffer = LineBuffer()
        var asked = text
        if let held = unsafe head.comparedCAS(in: line.span.bytes) {
            let plain = tag.asked(held, by: head.verb, head.options)
            #expect(unsafe CopyLine.comparing(plain, line.span.bytes, head, into: &buffer))
            asked = spelled(buffer)
        } else if !head.quiet.isEmpty {
            asked = String(decoding: line[..<head.quiet.start] + line[head.quiet.end...], as: UTF8.self)
        }
        let decided = try copyReply(try primary.ask(asked + body), to: head.verb)
        let effect = CopyEffect(of: head.verb, head.options, decided)
        switch effect {
        case .nothing, .repair:
            return (effect, effect == .nothing)
        case .sameValue:
            #expect(unsafe CopyLine.sameValue(line.span.bytes, head, into: &buffer))
        case .sameCommand:
            #expect(unsafe CopyLine.sameCommand(line.span.bytes, head, key: head.key, into: &buffer))
        }
        let copyText = spelled(buffer)
        let verb = try requestHead(copyText).verb
        let answer = try copyReply(try copy.ask(copyText + (verb.carriesBody ? body : "")), to: verb)
        return (effect, effect.agrees(answer, with: decided, to: head.verb, head.options))
    }

    private func spelled(_ buffer: borrowing LineBuffer) -> String {
        String(decoding: (0..<buffer.count).map { buffer.bytes.byte(at: $0) }, as: UTF8.self)
    }

    /// Equal but for a second in the time to live.
    private func statesAgree(_ primary: Node, _ copy: Node, of command: String) throws -> Bool {
        let key = command.contains("a2V5") ? "a2V5 b" : "k"
        let (left, right) = (try primary.state(key).split(separator: " "), try copy.state(key).split(separator: " "))
        return left.count == right.count
            && zip(left, right).allSatisfy { one, other in
                if one == other { return true }
                guard one.first == "t", other.first == "t", let x = Int(one.dropFirst()),
                    let y = Int(other.dropFirst())
                else { return false }
                return abs(x - y) <= 1
            }
    }

    /// Two nodes that have given the same number: the other one's never matches, whatever compares it.
    @Test(arguments: [MemcachedServer.Version.debian, .newer])
    func anotherNodesNumberNeverMatches(version: MemcachedServer.Version) throws {
        let node = try Node(version)
        let (mine, other) = (CASTag.tags(ofNodes: ["a", "b"])[0], CASTag.tags(ofNodes: ["a", "b"])[1])
        for (command, matches, exists, missing) in [
            ("cas k 0 0 1 #", "STORED\r\n", "EXISTS\r\n", "NOT_FOUND\r\n"),
            ("ms k 1 C#", "HD\r\n", "EX\r\n", "NF\r\n"),
            ("ms k 1 C# I", "HD\r\n", "EX\r\n", "NF\r\n"),
            ("ms k 1 C# MR", "HD\r\n", "EX\r\n", "NF\r\n"),
            ("ms k 1 C# MA", "HD\r\n", "EX\r\n", "NS\r\n"),
            ("ms k 1 C# MP", "HD\r\n", "EX\r\n", "NS\r\n"),
            ("md k C#", "HD\r\n", "EX\r\n", "NF\r\n"),
            ("md k I C#", "HD\r\n", "EX\r\n", "NF\r\n"),
            ("ma k C#", "HD\r\n", "EX\r\n", "NF\r\n"),
        ] {
            let head = try requestHead(command.replacing("#", with: "1") + "\r\n")
            let body = head.verb.carriesBody ? "7\r\n" : ""
            for (tag, isThere, expected) in [
                (mine, true, matches), (other, true, exists), (mine, false, missing), (other, false, missing),
            ] {
                _ = try node.ask("set k 0 0 1\r\n5\r\n")
                let shownText = try node.ask("mg k c\r\n").dropFirst("HD c".count).dropLast()
                let number = try #require(UInt64(shownText))
                if !isThere { _ = try node.ask("delete k\r\n") }
                // A client holds the number as the node of that tag would have shown it.
                let asked = mine.asked(tag.shown(number), by: head.verb, head.options)
                let answer = try node.ask(command.replacing("#", with: "\(asked)") + "\r\n" + body)
                #expect(answer == expected, "\(command), \(tag == mine ? "its own" : "another's") number")
                if tag == other, isThere { #expect(try node.ask("mg k v\r\n") == "VA 1\r\n5\r\n", "\(command)") }
            }
        }
    }
}
