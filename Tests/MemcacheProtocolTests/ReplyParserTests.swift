import Bytes
import MemcacheProtocol
import Testing

/// A node's answer to a verb, and the steps that must come of it.
private struct ReplyRow {
    let verb: Verb
    let reply: String
    let expected: [String]
    var rawKeyLength: UInt8 = 0

    init(_ verb: Verb, _ reply: String, _ expected: String..., raw: UInt8 = 0) {
        (self.verb, self.reply, self.expected, rawKeyLength) = (verb, reply, expected, raw)
    }
}

private func describe(_ step: ReplyStep, _ bytes: [UInt8]) -> String {
    switch step {
    case .needMore: return "…"
    case .broken: return "broken"
    case .line(let code, let length): return "\(code) \(length)"
    case .end(let length): return "end \(length)"
    case .stat(let length): return "stat \(length)"
    case .value(let head):
        let key = String(decoding: bytes[head.key.start..<head.key.end], as: UTF8.self)
        return "value '\(key)' \(head.headerLength)+\(head.dataLength)" + (head.cas == 0 ? "" : " cas \(head.cas)")
    }
}

private func parse(_ bytes: [UInt8], _ row: ReplyRow, short: Bool = true) -> ReplyStep {
    if short { return unsafe ReplyParser.parse(bytes.span.bytes, for: row.verb, rawKeyLength: row.rawKeyLength) }
    return unsafe ReplyParser.parseAny(bytes.span.bytes, for: row.verb, rawKeyLength: row.rawKeyLength)
}

/// All steps of a reply, up to the first that asks for more or gives up.
private func steps(_ bytes: [UInt8], _ row: ReplyRow, short: Bool = true) -> [String] {
    var rest = bytes
    var said: [String] = []
    while !rest.isEmpty {
        let step = parse(rest, row, short: short)
        said.append(describe(step, rest))
        switch step {
        case .needMore, .broken: return said
        case .line(_, let length), .end(let length), .stat(let length): rest.removeFirst(length)
        case .value(let head):
            if rest.count < head.totalLength { return said }
            rest.removeFirst(head.totalLength)
        }
    }
    return said
}

private let rows: [ReplyRow] = [
    ReplyRow(.get, "END\r\n", "end 5"),
    ReplyRow(.get, "VALUE k 0 2\r\nab\r\nEND\r\n", "value 'k' 13+2", "end 5"),
    ReplyRow(.get, "VALUE key:0123456789 4294967295 0\r\n\r\nEND\r\n", "value 'key:0123456789' 35+0", "end 5"),
    ReplyRow(.get, "VALUE k 0 7\r\nEND\r\nab\r\nEND\r\n", "value 'k' 13+7", "end 5"),
    ReplyRow(
        .get, "VALUE a\tb 1 1\r\nx\r\nVALUE é 1 1\r\ny\r\nEND\r\n", "value 'a\tb' 15+1", "value 'é' 14+1", "end 5"),
    ReplyRow(
        .gets, "VALUE k 0 1 18446744073709551615\r\nx\r\nEND\r\n", "value 'k' 34+1 cas 18446744073709551615", "end 5"),
    ReplyRow(.gats, "VALUE k 0 1 7\r\nx\r\nEND\r\n", "value 'k' 15+1 cas 7", "end 5"),
    ReplyRow(.gets, "VALUE k 0 1 18446744073709551616\r\n", "broken"),
    ReplyRow(.get, "VALUE k 0 1073741824\r\n", "value 'k' 22+1073741824"),
    ReplyRow(.get, "VALUE k 0 1073741825\r\n", "broken"),
    ReplyRow(.get, "VALUE k 0 -1\r\n", "broken"),
    ReplyRow(.get, "VALUE k 0\r\n", "broken"),
    ReplyRow(.get, "VALUE  0 1\r\n", "broken"),
    ReplyRow(.get, "VALUE k 0 1 \r\n", "broken"),
    ReplyRow(.get, "VALUE k 0 1 1 1\r\n", "broken"),
    ReplyRow(.get, "VALUE \(RequestTables.tooLong) 0 1\r\n", "broken"),
    ReplyRow(.get, "VALUE k 0 1\n", "broken"),
    ReplyRow(.get, "SERVER_ERROR out of memory writing get response\r\n", "serverError 49"),
    ReplyRow(.get, "STORED\r\n", "broken"),
    ReplyRow(.get, "END \r\n", "broken"),
    ReplyRow(.get, "\r\n", "broken"),
    ReplyRow(.set, "STORED\r\n", "stored 8"),
    ReplyRow(.add, "NOT_STORED\r\n", "notStored 12"),
    ReplyRow(.cas, "EXISTS\r\n", "exists 8"),
    ReplyRow(.cas, "NOT_FOUND\r\n", "notFound 11"),
    ReplyRow(.set, "STOREDx\r\n", "broken"),
    ReplyRow(.set, "END\r\n", "broken"),
    ReplyRow(.set, "ERROR\r\n", "error 7"),
    ReplyRow(.set, "ERROR Too many open connections\r\n", "error 33"),
    ReplyRow(.set, "CLIENT_ERROR bad data chunk\r\n", "clientError 29"),
    ReplyRow(.set, "SERVER_ERROR object too large for cache\r\n", "serverError 41"),
    ReplyRow(.delete, "DELETED\r\n", "deleted 9"),
    ReplyRow(.delete, "NOT_FOUND\r\n", "notFound 11"),
    ReplyRow(.delete, "OK\r\n", "broken"),
    ReplyRow(.touch, "TOUCHED\r\n", "touched 9"),
    ReplyRow(.incr, "18446744073709551615\r\n", "number 22"),
    ReplyRow(.decr, "0\r\n", "number 3"),
    ReplyRow(.incr, "5 \r\n", "broken"),
    ReplyRow(.incr, "NOT_FOUND\r\n", "notFound 11"),
    ReplyRow(.flushAll, "OK\r\n", "ok 4"),
    ReplyRow(.verbosity, "OK\r\n", "ok 4"),
    ReplyRow(.version, "VERSION 1.6.38\r\n", "version 16"),
    ReplyRow(.version, "VERSION\r\n", "broken"),
    ReplyRow(.stats, "STAT pid 1\r\nSTAT x\r\nEND\r\n", "stat 12", "stat 8", "end 5"),
    ReplyRow(.stats, "RESET\r\n", "reset 7"),
    ReplyRow(.stats, "OK\r\n", "ok 4"),
    ReplyRow(.stats, "ERROR\r\n", "error 7"),
    ReplyRow(.stats, "MN\r\n", "broken"),
    ReplyRow(.metaGet, "EN\r\n", "en 4"),
    ReplyRow(.metaGet, "HD\r\n", "hd 4"),
    ReplyRow(.metaGet, "HD t-1 s5 Oq\r\n", "hd 14"),
    ReplyRow(.metaGet, "HDx\r\n", "broken"),
    ReplyRow(.metaGet, "VA 2\r\nab\r\n", "value '' 6+2"),
    ReplyRow(.metaGet, "VA 2 s2 kfoo W\r\nab\r\n", "value '' 16+2"),
    ReplyRow(.metaGet, "VA 2x\r\n", "broken"),
    ReplyRow(.metaGet, "VA \r\n", "broken"),
    ReplyRow(.metaGet, "NS\r\n", "broken"),
    ReplyRow(.metaSet, "HD c5\r\n", "hd 7"),
    ReplyRow(.metaSet, "NS\r\n", "ns 4"),
    ReplyRow(.metaSet, "EX\r\n", "ex 4"),
    ReplyRow(.metaSet, "NF\r\n", "nf 4"),
    ReplyRow(.metaSet, "VA 1\r\n", "broken"),
    ReplyRow(.metaDelete, "HD\r\n", "hd 4"),
    ReplyRow(.metaDelete, "NF kfoo\r\n", "nf 9"),
    ReplyRow(.metaArithmetic, "VA 1 c4\r\n6\r\n", "value '' 9+1"),
    ReplyRow(.metaNoop, "MN\r\n", "mn 4"),
    ReplyRow(.metaDebug, "ME foo exp=-1\r\n", "me 15"),
    ReplyRow(.metaDebug, "EN\r\n", "en 4"),
    ReplyRow(.quit, "OK\r\n", "broken"),
    // A base64 key whose bytes hold a newline: the node echoes it encoded, or as it is.
    ReplyRow(.metaGet, "HD kYWIKY2Q= b\r\n", "hd 16", raw: 5),
    ReplyRow(.metaGet, "HD kab\ncd\r\n", "hd 11", raw: 5),
    ReplyRow(.metaGet, "VA 2 s2 kab\ncd t-1\r\n10\r\n", "value '' 20+2", raw: 5),
    ReplyRow(.metaGet, "VA 2 s2 kYWIKY2Q= b t-1\r\n10\r\n", "value '' 25+2", raw: 5),
    ReplyRow(.metaGet, "HD ka\r\nHD\r\n\r\n", "hd 13", raw: 7),
    ReplyRow(.metaGet, "EN kYWIKY2Q= b\r\n", "en 16", raw: 5),
    ReplyRow(.metaGet, "EN\r\n", "en 4", raw: 5),
    ReplyRow(.metaGet, "SERVER_ERROR x\r\n", "serverError 16", raw: 5),
    ReplyRow(.metaDebug, "ME ab\ncd exp=-1\r\n", "me 17", raw: 5),
    ReplyRow(.metaDebug, "EN\r\n", "en 4", raw: 5),
]

@Suite("Node replies")
struct ReplyParserTests {
    @Test("Each reply of the table comes to its steps, with the short cuts and without")
    func table() {
        for row in rows {
            let bytes = Array(row.reply.utf8)
            #expect(steps(bytes, row) == row.expected, "\(row.verb) \(row.reply.debugDescription)")
            #expect(steps(bytes, row, short: false) == row.expected, "\(row.verb) \(row.reply.debugDescription)")
        }
    }

    @Test("Cut at every byte, the first element asks for more until it is whole")
    func cuts() {
        for row in rows {
            let bytes = Array(row.reply.utf8)
            let length: Int
            switch parse(bytes, row) {
            case .line(_, let whole), .end(let whole), .stat(let whole): length = whole
            case .value(let head): length = Int(head.headerLength)
            case .needMore, .broken: continue
            }
            for cut in 0..<bytes.count {
                let said = describe(parse(Array(bytes[..<cut]), row), bytes)
                let expected = cut < length ? "…" : row.expected[0]
                #expect(said == expected, "\(row.verb) \(row.reply.debugDescription) up to \(cut)")
            }
        }
    }

    @Test("A line without end is given up after 8 KiB")
    func endless() {
        for (verb, start) in [(Verb.get, "VALUE "), (.stats, "STAT "), (.metaGet, "HD k"), (.version, "")] {
            let row = ReplyRow(verb, "")
            let bytes = Array(start.utf8) + [UInt8](repeating: 0x61, count: 9000)
            #expect(describe(parse(Array(bytes[..<8192]), row), bytes) == "…")
            #expect(describe(parse(Array(bytes[..<8193]), row), bytes) == "broken")
            #expect(describe(parse(bytes + [0x0d, 0x0a], row), bytes) == "broken")
        }
    }

    @Test("What quiet hides")
    func quiet() {
        let hidden: [(Verb, ReplyCode)] = [
            (.set, .stored), (.set, .serverError), (.delete, .notFound), (.incr, .number),
            (.metaGet, .en), (.metaSet, .hd), (.metaDelete, .hd), (.metaArithmetic, .hd), (.metaArithmetic, .value),
        ]
        for (verb, code) in hidden { #expect(ReplyCode.quietHides(verb, code), "\(verb) \(code)") }
        let shown: [(Verb, ReplyCode)] = [
            (.metaGet, .hd), (.metaGet, .value), (.metaGet, .serverError), (.metaSet, .ns), (.metaSet, .ex),
            (.metaSet, .nf), (.metaSet, .clientError), (.metaDelete, .nf), (.metaDelete, .ex),
            (.metaArithmetic, .nf), (.metaArithmetic, .clientError), (.metaNoop, .mn), (.metaDebug, .en),
        ]
        for (verb, code) in shown { #expect(!ReplyCode.quietHides(verb, code), "\(verb) \(code)") }
    }

    /// A code's own line is read as that code; what has its length and its code is that line.
    @Test func aCodeWithItsLengthTellsTheLine() {
        for code in ReplyCode.allCases {
            guard let text = code.line else { continue }
            let line = Array("\(text)".utf8)
            var read = 0
            for verb in Verb.allCases {
                guard case .line(code, line.count) = parse(line, ReplyRow(verb, "")) else { continue }
                read += 1
                for index in line.indices {
                    for byte in UInt8.min ... .max where byte != line[index] {
                        var other = line
                        other[index] = byte
                        guard case .line(code, line.count) = parse(other, ReplyRow(verb, "")) else { continue }
                        Issue.record("\(verb): \(other) is read as \(code)")
                    }
                }
            }
            #expect(read > 0, "\(code)")
        }
    }
}
