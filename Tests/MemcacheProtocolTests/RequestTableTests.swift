import MemcacheProtocol
import Testing

@Suite("Request lines")
struct RequestTableTests {
    @Test("Each line of the tables comes to its verdict")
    func tables() {
        for row in RequestTables.all + RequestTables.own {
            #expect(outcome(row.line) == row.expected, "\(row.line.debugDescription)")
        }
    }

    @Test("Bytes behind the line change nothing")
    func following() {
        for row in RequestTables.all + RequestTables.own {
            #expect(outcome(row.line + "noreply q\r\nx") == row.expected, "\(row.line.debugDescription)")
        }
    }

    @Test("Cut at every byte, a line asks for more until it is whole")
    func cuts() {
        for row in RequestTables.all + RequestTables.own {
            let bytes = Array(row.line.utf8)
            for step in [1, 2, 3, 7] {
                var parser = RequestParser()
                var scan = LineScan()
                var length = 0
                while length < bytes.count {
                    length = min(length + step, bytes.count)
                    let window = Array(bytes[..<length])
                    let verdict = unsafe parser.parse(window.span.bytes, scan: &scan, limits: ProtocolLimits())
                    let expected = length == bytes.count ? row.expected : "…"
                    let said = describe(verdict, window, parser)
                    #expect(said == expected, "\(row.line.debugDescription) up to \(length) by \(step)")
                    if said != expected { return }
                }
            }
        }
    }

    @Test("The short cuts come to the general parser's verdict")
    func shortCuts() {
        for row in RequestTables.all + RequestTables.own {
            let bytes = Array(row.line.utf8)
            var parser = RequestParser()
            var scan = LineScan()
            let step = unsafe parser.parseAny(bytes.span.bytes, scan: &scan, limits: ProtocolLimits())
            #expect(describe(step, bytes, parser) == row.expected, "\(row.line.debugDescription)")
        }
    }

    @Test("A line without end: closed past 2048 bytes, but a get's may go on to its own bound")
    func endless() {
        let padding = String(repeating: "x", count: 3000)
        var limits = ProtocolLimits()
        limits.multigetLine = 4000
        #expect(outcome("set " + padding.prefix(2044), limits: limits) == "…")
        #expect(outcome("set " + padding.prefix(2045), limits: limits) == "lineTooLong, close, silent")
        #expect(outcome("gat 1 " + padding, limits: limits) == "lineTooLong, close, silent")
        #expect(outcome("get " + padding, limits: limits) == "…")
        #expect(outcome("  gets " + padding, limits: limits) == "…")
        #expect(
            outcome(String(repeating: " ", count: 101) + "get " + padding, limits: limits)
                == "lineTooLong, close, silent")
        #expect(outcome("get " + padding + padding, limits: limits) == "lineTooLong, close")
        #expect(outcome("get " + padding + padding + "\r\n", limits: limits) == "lineTooLong, close")
        // What is whole at once passes only if a node would take it in parts too.
        let spaces = String(repeating: " ", count: 3000)
        #expect(outcome("get a" + spaces + "b\r\n", limits: limits) == "get a b")
        #expect(outcome("gat 1 a" + spaces + "b\r\n", limits: limits) == "lineTooLong, close, silent")
        #expect(outcome("delete a" + spaces + "\r\n", limits: limits) == "lineTooLong, close, silent")
        #expect(outcome("delete a" + spaces.prefix(2039) + "\r\n", limits: limits) == "delete a")
        #expect(outcome("delete a" + spaces.prefix(2040) + "\r\n", limits: limits) == "lineTooLong, close, silent")
        // memcached refuses a longer line of another command as any, if it comes in one piece.
        #expect(outcome("delete " + padding + "\r\n", limits: limits) == "keyTooLong")
    }

    @Test("The binary protocol's first byte closes a new connection, and is an unknown command on an old one")
    func binary() {
        #expect(outcome([0x80, 0x00]) == "error, close, silent")
        var parser = RequestParser()
        var scan = LineScan()
        for (line, expected) in [("get a\r\n", "get a"), ("mn\r\n", "mn")] {
            let bytes = Array(line.utf8)
            let step = unsafe parser.parse(bytes.span.bytes, scan: &scan, limits: ProtocolLimits())
            #expect(describe(step, bytes, parser) == expected)
            let binary: [UInt8] = [0x80, 0x0d, 0x0a]
            let next = unsafe parser.parse(binary.span.bytes, scan: &scan, limits: ProtocolLimits())
            #expect(describe(next, binary, parser) == "error")
        }
    }

    @Test("The value's limit is the caller's")
    func valueLimit() {
        var limits = ProtocolLimits()
        limits.value = 10
        #expect(outcome("set k 0 0 10\r\n", limits: limits) == "set k, body 10")
        #expect(outcome("set k 0 0 11\r\n", limits: limits) == "tooLarge, swallow 13, drops")
        #expect(outcome("ms k 11\r\n", limits: limits) == "tooLarge, swallow 13, drops")
    }
}
