import Bytes
import MemcacheProtocol

/// What a step says, as a line of text that a table can hold.
///
/// `set key=4+1 body=5 q=12+8` is a request; `CLIENT_ERROR …, swallow 7, silent` is a refusal; `…` asks for more.
func outcome(_ text: String, limits: ProtocolLimits = ProtocolLimits()) -> String {
    outcome(Array(text.utf8), limits: limits)
}

func outcome(_ bytes: [UInt8], limits: ProtocolLimits = ProtocolLimits()) -> String {
    var parser = RequestParser()
    var scan = LineScan()
    let step = unsafe parser.parse(bytes.span.bytes, scan: &scan, limits: limits)
    return describe(step, bytes, parser)
}

func describe(_ step: RequestStep, _ bytes: [UInt8], _ parser: borrowing RequestParser) -> String {
    switch step {
    case .needMore: return "…"
    case .refused(let refusal): return describe(refusal)
    case .request(let head):
        var text = "\(head.verb.spelling)"
        if head.keyCount == 1 { text += " \(show(bytes, head.key))" }
        if head.keyCount > 1 {
            for index in 0..<Int(head.keyCount) { text += " \(show(bytes, parser.key(at: index)))" }
        }
        if head.verb.carriesBody { text += ", body \(head.bodyLength)" }
        if !head.argument.isEmpty { text += ", argument \(show(bytes, head.argument))" }
        if !head.quiet.isEmpty { text += ", without '\(show(bytes, head.quiet))'" }
        if head.options.contains(.quiet) { text += ", quiet" }
        if head.options.contains(.base64Key) { text += ", base64" }
        if head.options.contains(.pureRead) { text += ", pure" }
        if head.options.contains(.wantsValue) { text += ", value" }
        if head.options.contains(.readModifyWrite) { text += ", rmw" }
        if head.rawKeyLength != 0 { text += ", raw \(head.rawKeyLength)" }
        return text
    }
}

func describe(_ refusal: Refusal) -> String {
    var text = "\(refusal.reply)"
    switch refusal.aftermath {
    case .proceed: break
    case .swallow(let count): text += ", swallow \(count)"
    case .close: text += ", close"
    }
    if refusal.silent { text += ", silent" }
    if !refusal.drops.isEmpty { text += ", drops" }
    return text
}

private func show(_ bytes: [UInt8], _ range: ByteRange) -> String {
    String(decoding: bytes[range.start..<range.end], as: UTF8.self)
}
