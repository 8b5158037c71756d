import Bytes
import DroverTesting
import MemcacheProtocol
import ProxyCore
import Testing

/// What the other copies get, command by command and answer by answer.
struct CopyEffectTests {
    private struct Row: Sendable {
        let line: String
        let answer: String
        let effect: CopyEffect

        init(_ line: String, _ answer: String, _ effect: CopyEffect) {
            (self.line, self.answer, self.effect) = (line, answer, effect)
        }
    }

    private static let compared = CopyEffect.sameCommand(compare: true)
    private static let blind = CopyEffect.sameCommand(compare: false)

    private static let rows = [
        Row("add k 0 0 1", "STORED", .sameValue), Row("add k 0 0 1", "NOT_STORED", .nothing),
        Row("add k 0 0 1", "SERVER_ERROR object too large for cache", .nothing),
        Row("replace k 0 0 1", "STORED", .sameValue), Row("replace k 0 0 1", "NOT_STORED", .nothing),
        Row("cas k 0 0 1 5", "STORED", .sameValue), Row("cas k 0 0 1 5", "EXISTS", .nothing),
        Row("cas k 0 0 1 5", "NOT_FOUND", .nothing), Row("cas k 0 0 1 5", "SERVER_ERROR out of memory", .nothing),
        Row("append k 0 0 1", "STORED", compared), Row("append k 0 0 1", "NOT_STORED", .nothing),
        Row("prepend k 0 0 1", "STORED", compared), Row("prepend k 0 0 1", "NOT_STORED", .nothing),
        Row("incr k 1", "6", compared), Row("incr k 1", "NOT_FOUND", .nothing),
        Row("decr k 1", "0", compared), Row("decr k 1", "NOT_FOUND", .nothing),
        Row("incr k 1", "CLIENT_ERROR cannot increment or decrement non-numeric value", .nothing),
        Row("touch k 5", "TOUCHED", compared), Row("touch k 5", "NOT_FOUND", .nothing),
        Row("gat 5 k", "VALUE k 0 1", compared), Row("gat 5 k", "END", .nothing),
        Row("gats 5 k", "SERVER_ERROR out of memory writing get response", .repair),
        // All copies get these at once, but asked they have an answer.
        Row("set k 0 0 1", "STORED", .sameValue), Row("set k 0 0 1", "SERVER_ERROR object too large", .repair),
        Row("delete k", "DELETED", blind), Row("delete k", "NOT_FOUND", blind),
        Row("get k", "VALUE k 0 1", .nothing), Row("gets k", "END", .nothing),

        Row("mg k v", "VA 1", .nothing), Row("mg k v", "EN", .nothing), Row("mg k", "HD W", blind),
        Row("mg k v T30", "VA 1", compared), Row("mg k T30", "HD", compared), Row("mg k T30", "EN", .nothing),
        Row("mg k v N30", "VA 0 W", compared), Row("mg k v N30", "VA 0 Z", .nothing), Row("mg k N30", "EN", .nothing),
        Row("mg k v R30", "VA 1 W", blind), Row("mg k R30 Ow", "HD Ow", .nothing),
        Row("mg k v N30 R30", "VA 0 W", .repair), Row("mg k v N30 R30", "VA 0 X W", compared),
        Row("mg k v N30 R30 T5", "VA 0 W", .repair), Row("mg k v N30 R30 T5", "VA 0 Z", compared),
        Row("mg k v N30 T5", "VA 0 W", compared), Row("mg k v N30", "VA 1 X Z", .nothing),
        Row("mg k v E30", "VA 1", .nothing),
        Row("mg k T30", "SERVER_ERROR refcount overflow during fetch", .repair),
        Row("mg k N30", "SERVER_ERROR refcount overflow during fetch", .repair),
        Row("mg k v", "SERVER_ERROR refcount overflow during fetch", .nothing),

        Row("ms k 1", "HD", .sameValue), Row("ms k 1 MS T30", "HD c5", .sameValue),
        Row("ms k 1 ME", "HD", .sameValue), Row("ms k 1 ME", "NS", .nothing),
        Row("ms k 1 MR", "HD", .sameValue), Row("ms k 1 MR", "NS", .nothing),
        Row("ms k 1 C5", "HD", .sameValue), Row("ms k 1 C5", "EX", .nothing), Row("ms k 1 C5", "NF", .nothing),
        Row("ms k 1 MR C5", "HD", .sameValue), Row("ms k 1 I", "HD", .sameValue),
        Row("ms k 1 I C5", "HD", .repair), Row("ms k 1 I C5", "EX", .nothing),
        Row("ms k 1 MA", "HD", compared), Row("ms k 1 MA", "NS", .nothing), Row("ms k 1 MP C5", "HD", compared),
        Row("ms k 1 MP C5", "EX", .nothing), Row("ms k 1 MA I C5", "HD", compared),
        Row("ms k 1 MA N30", "HD", .repair), Row("ms k 1 MP N0", "NS", .nothing),
        Row("ms k 1 ME", "SERVER_ERROR object too large for cache", .repair),
        Row("ms k 1 MA", "SERVER_ERROR out of memory storing object", .repair),
        Row("ms k 1 E5 ME", "CLIENT_ERROR invalid flag", .nothing),

        Row("md k", "HD", blind), Row("md k", "NF", blind), Row("md k C5", "HD", blind),
        Row("md k C5", "NF", .nothing), Row("md k C5", "EX", .nothing),
        Row("md k I T30", "HD", compared), Row("md k I", "NF", .nothing), Row("md k x", "HD", compared),
        Row("md k x", "NF", .nothing), Row("md k I C5", "EX", .nothing), Row("md k x", "SERVER_ERROR oom", .nothing),

        Row("ma k", "HD", compared), Row("ma k", "NF", .nothing), Row("ma k v", "VA 1 c5", compared),
        Row("ma k N0 v", "VA 1", compared), Row("ma k N0 J5", "HD", .repair), Row("ma k C5", "EX", .nothing),
        Row("ma k N0", "NS", .nothing), Row("ma k", "CLIENT_ERROR cannot increment", .nothing),
        Row("ma k N0", "SERVER_ERROR Out of memory allocating new item", .nothing),
    ]

    @Test(arguments: rows) private func effects(row: Row) throws {
        let head = try requestHead(row.line + "\r\n")
        let answer = try copyReply(row.answer + "\r\n1\r\n", to: head.verb)
        #expect(CopyEffect(of: head.verb, head.options, answer) == row.effect)
    }

    /// A command, the primary's answer, and what copies may answer to what they get.
    @Test(arguments: [
        ("add k 0 0 1", "STORED", ["STORED"], ["SERVER_ERROR object too large for cache", "NOT_STORED"]),
        ("ms k 1 ME", "HD", ["HD"], ["NS", "SERVER_ERROR out of memory storing object", "CLIENT_ERROR x"]),
        ("append k 0 0 1", "STORED", ["STORED"], ["NOT_STORED"]),
        ("incr k 1", "6", ["6"], ["7", "NOT_FOUND", "CLIENT_ERROR cannot increment or decrement non-numeric value"]),
        ("decr k 1", "18446744073709551615", ["18446744073709551615"], ["18446744073709551614"]),
        ("touch k 5", "TOUCHED", ["TOUCHED"], ["NOT_FOUND"]),
        ("gat 5 k", "VALUE k 0 1", ["TOUCHED"], ["NOT_FOUND", "SERVER_ERROR x"]),
        ("mg k v T5", "VA 1", ["HD", "HD W"], ["EN"]),
        ("mg k v N5", "VA 0 W", ["HD W"], ["HD Z", "HD", "EN", "SERVER_ERROR x"]),
        ("mg k v N5 T6", "VA 1", ["HD", "HD Z"], ["HD W", "EN"]),
        ("mg k v N5", "VA 1 X W", ["HD X W"], ["HD W", "HD", "EN", "HD X Z"]),
        ("mg k v R5", "VA 1 W", ["HD W", "HD", "EN"], ["SERVER_ERROR x"]),
        ("ms k 1 MA", "HD", ["HD"], ["NS", "EX", "NF"]),
        ("ms k 1 MA N0", "HD", [], ["HD"]),
        ("md k C5", "HD", ["HD", "NF"], ["SERVER_ERROR x"]),
        ("delete k", "NOT_FOUND", ["DELETED", "NOT_FOUND"], ["SERVER_ERROR x"]),
        ("md k I", "HD", ["HD"], ["NF", "EX"]),
        ("ma k", "HD", ["HD"], ["NF", "VA 1"]),
        ("ma k v", "VA 1", ["VA 1"], ["NF", "HD"]),
        ("get k", "END", ["END", "ERROR"], []),
    ])
    func agreement(line: String, decided: String, good: [String], bad: [String]) throws {
        let head = try requestHead(line + "\r\n")
        let primary = try copyReply(decided + "\r\n7\r\n", to: head.verb)
        let effect = CopyEffect(of: head.verb, head.options, primary)
        // What the copies get is another command where a gat has become a touch, and an add a set.
        let asked: Verb =
            switch (head.verb, effect) {
            case (.gat, _): .touch
            case (_, .sameValue) where head.verb != .metaSet: .set
            default: head.verb
            }
        for (answers, agree) in [(good, true), (bad, false)] {
            for answer in answers {
                let copy = try copyReply(answer + "\r\n7\r\n", to: asked)
                #expect(effect.agrees(copy, with: primary, to: head.verb, head.options) == agree, "\(answer)")
            }
        }
    }

    @Test func countersAreComparedByTheirValue() throws {
        let head = try requestHead("ma k v\r\n")
        let primary = try copyReply("VA 2 c5\r\n16\r\n", to: .metaArithmetic)
        let effect = CopyEffect(of: head.verb, head.options, primary)
        for (answer, agree) in [("VA 2\r\n16\r\n", true), ("VA 2\r\n17\r\n", false), ("VA 1\r\n1\r\n", false)] {
            let copy = try copyReply(answer, to: .metaArithmetic)
            #expect(effect.agrees(copy, with: primary, to: head.verb, head.options) == agree, "\(answer)")
        }
    }
}

/// A valid line's head.
func requestHead(_ text: String) throws -> RequestHead {
    let bytes = Array(text.utf8)
    var parser = RequestParser()
    var scan = LineScan()
    guard case .request(let head) = unsafe parser.parse(bytes.span.bytes, scan: &scan, limits: ProtocolLimits()) else {
        throw TestFailure("refused: \(text.debugDescription)")
    }
    return head
}

/// A node's whole answer, as the core sees it.
func copyReply(_ text: String, to verb: Verb) throws -> CopyReply {
    let bytes = Array(text.utf8)
    let all = unsafe bytes.span.bytes
    switch ReplyParser.parse(all, for: verb) {
    case .line(let code, let length):
        return CopyReply(code, to: verb, header: all.extracting(0..<length), value: all.extracting(0..<0))
    case .end(let length):
        return CopyReply(.end, to: verb, header: all.extracting(0..<length), value: all.extracting(0..<0))
    case .value(let head):
        let header = Int(head.headerLength)
        return CopyReply(
            .value, to: verb, header: all.extracting(0..<header), value: all.extracting(header..<head.totalLength))
    default:
        throw TestFailure("no answer to \(verb): \(text.debugDescription)")
    }
}
