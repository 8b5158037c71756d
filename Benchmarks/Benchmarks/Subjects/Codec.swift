import Bytes
import MemcacheProtocol

/// One line a turn, as it lies in a connection's window with another behind it.
private func request(_ name: String, _ text: String) -> Subject {
    let bytes = Array((text + text).utf8)
    return Subject(name: "request: " + name) { times in
        var parser = RequestParser()
        let limits = ProtocolLimits()
        var sum: UInt64 = 0
        for _ in 0..<times {
            var scan = LineScan()
            guard case .request(let head) = parser.parse(bytes.span.bytes, scan: &scan, limits: limits) else {
                fatalError("the benchmark's own request was refused")
            }
            sum &+= UInt64(head.keyCount)
        }
        return sum
    }
}

/// All elements of a reply.
private func reply(_ name: String, to verb: Verb, _ text: String) -> Subject {
    let bytes = Array(text.utf8)
    return Subject(name: "reply: " + name) { times in
        var sum: UInt64 = 0
        for _ in 0..<times {
            var from = 0
            while from < bytes.count {
                switch ReplyParser.parse(bytes.span.bytes.extracting(from...), for: verb) {
                case .value(let head): from += head.totalLength
                case .line(_, let length), .end(let length), .stat(let length): from += length
                case .needMore, .broken: fatalError("the benchmark's own reply was refused")
                }
            }
            sum &+= UInt64(from)
        }
        return sum
    }
}

private let value = String(repeating: "x", count: 100)
private let classicValue = "VALUE key:00001234 0 100\r\n\(value)\r\n"

let codecSubjects: [Subject] = [
    request("get", "get key:00001234\r\n"),
    request("set, its line", "set key:00001234 0 0 100\r\n"),
    request("get of 50 keys", "get" + (0..<50).map { " key:000012\($0 + 10)" }.joined() + "\r\n"),
    request("gets", "gets key:00001234\r\n"),
    request("delete", "delete key:00001234\r\n"),
    request("mg", "mg key:00001234 v k q O123\r\n"),
    request("ms, its line", "ms key:00001234 100 T60 F3\r\n"),
    reply("VALUE and END", to: .get, classicValue + "END\r\n"),
    reply("50 VALUEs and END", to: .get, String(repeating: classicValue, count: 50) + "END\r\n"),
    reply("STORED", to: .set, "STORED\r\n"),
    reply("VA", to: .metaGet, "VA 100 kkey:00001234 O123\r\n\(value)\r\n"),
]
