import Bytes
import MemcacheProtocol

/// Feeds a node's bytes to the reply parser. The first byte names the verb, the second the raw key's length, the third
/// where the bytes are cut.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzReplies(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count > 3 else { return 0 }
    let verb = Verb.allCases[Int(data[0]) % Verb.allCases.count]
    let rawKeyLength = verb == .metaGet || verb == .metaDebug ? data[1] % 188 : 0
    var rest = Array(UnsafeBufferPointer(start: data + 3, count: count - 3))
    let cut = Int(data[2])
    while !rest.isEmpty {
        let step = ReplyParser.parse(rest.span.bytes, for: verb, rawKeyLength: rawKeyLength)
        let general = ReplyParser.parseAny(rest.span.bytes, for: verb, rawKeyLength: rawKeyLength)
        check(describe(step) == describe(general), "a short cut differs: \(step), \(general)")
        let part = Array(rest[..<min(cut, rest.count)])
        let early = ReplyParser.parse(part.span.bytes, for: verb, rawKeyLength: rawKeyLength)
        check(describe(early) == "needMore" || describe(early) == describe(step), "cut: \(early), whole: \(step)")
        switch step {
        case .needMore:
            check(rest.count <= ReplyParser.lineLimit, "unbounded")
            return 0
        case .broken:
            return 0
        case .line(_, let length), .end(let length), .stat(let length):
            check(length >= 3 && length <= rest.count && rest[length - 1] == 0x0a, "the line's end")
            rest.removeFirst(length)
        case .value(let head):
            check(head.headerLength <= rest.count && rest[Int(head.headerLength) - 1] == 0x0a, "the header's end")
            check(head.key.end <= head.headerLength && head.key.count <= 250, "the key")
            check(head.dataLength <= ReplyParser.dataLimit, "the data")
            if head.totalLength > rest.count { return 0 }
            rest.removeFirst(head.totalLength)
        }
    }
    return 0
}

private func describe(_ step: ReplyStep) -> String {
    switch step {
    case .value(let head): "\(head.headerLength) \(head.dataLength) \(head.key.offset) \(head.key.length) \(head.cas)"
    default: "\(step)"
    }
}

private func check(_ holds: Bool, _ what: String) {
    if !holds { fatalError(what) }
}
