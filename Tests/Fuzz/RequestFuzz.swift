import Bytes
import MemcacheProtocol

/// Feeds a client's bytes to the request parser, message after message. The first byte says how the bytes arrive.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzRequests(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count > 1 else { return 0 }
    let input = Array(UnsafeBufferPointer(start: data + 1, count: count - 1))
    let stride = Int(data[0]) + 1
    var limits = ProtocolLimits()
    limits.value = 1000
    limits.multigetLine = 5000
    var parser = RequestParser()
    var general = RequestParser()
    var scan = LineScan()
    var rest = input[...]
    while !rest.isEmpty {
        let window = Array(rest)
        var other = scan
        var dripped = scan
        let step = parser.parse(window.span.bytes, scan: &scan, limits: limits)
        check(same(step, general.parseAny(window.span.bytes, scan: &other, limits: limits)), "a short cut differs")
        switch step {
        case .needMore:
            return 0
        case .refused(let refusal):
            check(refusal.consumed > 0 && refusal.consumed <= window.count, "consumed")
            check(!refusal.dropsBase64 || !refusal.drops.isEmpty, "drops")
            check(refusal.drops.end <= refusal.consumed, "drops in the line")
            rest = rest.dropFirst(Int(refusal.consumed))
            switch refusal.aftermath {
            case .close: return 0
            case .proceed: break
            case .swallow(let bytes): rest = rest.dropFirst(Int(bytes))
            }
        case .request(let head):
            examine(head, window, &parser, limits)
            rest = rest.dropFirst(Int(head.lineLength) + (head.verb.carriesBody ? Int(head.bodyLength) + 2 : 0))
        }
        if window.count <= limits.line { drip(window, stride, step, &dripped, limits) }
    }
    return 0
}

/// However the bytes arrive, the verdict is the same, and comes with the newline.
private func drip(
    _ window: [UInt8], _ stride: Int, _ step: RequestStep, _ scan: inout LineScan, _ limits: ProtocolLimits
) {
    var parser = RequestParser()
    var length = 0
    while length < window.count {
        length = min(length + stride, window.count)
        let part = Array(window[..<length])
        let said = parser.parse(part.span.bytes, scan: &scan, limits: limits)
        if case .needMore = said {
            check(!part.contains(0x0a), "asks for more behind a newline")
            continue
        }
        if case .refused(let refusal) = said, refusal.aftermath.isClose { return }
        return check(same(said, step), "another verdict when dripped")
    }
}

private func examine(_ head: RequestHead, _ window: [UInt8], _ parser: inout RequestParser, _ limits: ProtocolLimits) {
    let length = Int(head.lineLength)
    check(length <= window.count && window[length - 1] == 0x0a, "the line's end")
    for range in [head.key, head.quiet, head.argument] { check(range.end < length, "a range leaves the line") }
    check(head.key.count <= limits.key && head.bodyLength <= limits.value, "limits")
    check(!head.verb.carriesBody || head.keyCount == 1, "a body without a key")
    if head.keyCount > 1 {
        for index in 0..<Int(head.keyCount) {
            let key = parser.key(at: index)
            check(!key.isEmpty && key.count <= limits.key && key.end < length, "a key")
        }
    }
    check(head.options.contains(.quiet) == !head.quiet.isEmpty, "quiet")
    guard !head.quiet.isEmpty else { return }
    // Without its quiet word the line asks the same.
    let loud = Array(window[..<head.quiet.start] + window[head.quiet.end..<length])
    var again = RequestParser()
    var scan = LineScan()
    guard case .request(let bare) = again.parse(loud.span.bytes, scan: &scan, limits: limits) else {
        return check(false, "not valid without its quiet word")
    }
    check(bare.verb == head.verb && bare.bodyLength == head.bodyLength && bare.quiet.isEmpty, "the loud line differs")
    let (key, loudKey) = (window[head.key.start..<head.key.end], loud[bare.key.start..<bare.key.end])
    check(key.elementsEqual(loudKey), "the loud key differs")
    check(bare.options.union(.quiet) == head.options, "the loud options differ")
}

private func same(_ one: RequestStep, _ two: RequestStep) -> Bool {
    switch (one, two) {
    case (.needMore, .needMore): true
    case (.request(let a), .request(let b)):
        a.verb == b.verb && a.options == b.options && a.lineLength == b.lineLength && a.key == b.key
            && a.keyCount == b.keyCount && a.bodyLength == b.bodyLength && a.quiet == b.quiet
            && a.argument == b.argument && a.rawKeyLength == b.rawKeyLength
    case (.refused(let a), .refused(let b)):
        a.reply == b.reply && a.consumed == b.consumed && a.silent == b.silent && a.drops == b.drops
            && "\(a.aftermath)" == "\(b.aftermath)"
    default: false
    }
}

extension Refusal.Aftermath {
    fileprivate var isClose: Bool { if case .close = self { true } else { false } }
}

private func check(_ holds: Bool, _ what: String) {
    if !holds { fatalError(what) }
}
