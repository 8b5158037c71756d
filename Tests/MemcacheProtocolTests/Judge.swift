import Bytes
import DroverTesting
import MemcacheProtocol

/// Asks a real memcached about one line, and says where it and the parser disagree.
struct Judge {
    private let server: MemcachedServer
    /// The parser follows this version; another may find an error in what passes, as long as it is one reply.
    var isModel: Bool { server.version == .newer }

    init(_ version: MemcachedServer.Version) throws {
        var options = MemcachedServer.Options()
        (options.listen, options.memory, options.threads) = (.unix, 64, 1)
        server = try MemcachedServer(version, options: options)
    }

    /// nil where server and parser agree on `line`, else what happened.
    func disagreement(on line: [UInt8], limits: ProtocolLimits = ProtocolLimits()) throws -> String? {
        var parser = RequestParser()
        var scan = LineScan()
        switch unsafe parser.parse(line.span.bytes, scan: &scan, limits: limits) {
        case .needMore:
            return nil
        case .refused(let refusal):
            return try refused(line, refusal)
        case .request(let head):
            return try passed(line, head) ?? (head.quiet.isEmpty ? nil : hushed(line, head))
        }
    }

    /// The server must say what the refusal says, and be where the refusal says: `mn` is answered by MN at once.
    private func refused(_ line: [UInt8], _ refusal: Refusal) throws -> String? {
        var expected = refusal.silent ? [] : spelled(refusal.reply)
        var sent = line
        switch refusal.aftermath {
        case .proceed: break
        case .close: return try closed(line, expected)
        case .swallow(let count):
            if count > 4 << 20 { return nil }  // too much to send
            while sent.count < line.count + Int(count) { sent += Array("foo\r\n".utf8) }
            sent.removeLast(sent.count - line.count - Int(count))
        }
        sent += mark
        expected += markReply
        let client = try server.client()
        try? client.send(sent)
        let got = client.read { $0.suffix(4) == markReply[...] }
        // Another version may word it otherwise, but the connection must be in the same state.
        if !isModel, got.count(where: { $0 == 0x0a }) == (refusal.silent ? 1 : 2), got.suffix(4) == markReply[...] {
            return nil
        }
        // ma looks at its opaque only when it has the item.
        if refusal.reply == .opaqueTooLong, isAboutTheItem(got[...]) { return nil }
        return got == expected ? nil : "refused with \(describe(refusal)), but the server said \(quoted(got))"
    }

    /// What passes must get one reply that fits the verb, and no error from the model.
    private func passed(_ line: [UInt8], _ head: RequestHead) throws -> String? {
        let quiet = head.quiet
        let loud = Array(line[..<quiet.start] + line[quiet.end...])
        if head.verb == .quit { return try closed(line, []) }
        let client = try server.client()
        try? client.send(loud + body(head) + mark)
        let got = client.read { $0.suffix(4) == markReply[...] }
        var rest = got[...]
        while true {
            let window = Array(rest)
            let step = unsafe ReplyParser.parse(window.span.bytes, for: head.verb, rawKeyLength: head.rawKeyLength)
            switch step {
            case .needMore, .broken:
                return "passed, but \(step) in \(quoted(got))"
            case .line(let code, let length):
                rest = rest.dropFirst(length)
                let refused = code == .error || code == .clientError
                if refused, isModel, head.verb != .stats, !isAboutTheItem(window[..<length]) {
                    return "passed, but the server said \(quoted(got))"
                }
                return complete(rest, head, got)
            case .end(let length):
                rest = rest.dropFirst(length)
                return complete(rest, head, got)
            case .stat(let length):
                rest = rest.dropFirst(length)
            case .value(let value):
                rest = rest.dropFirst(value.totalLength)
                if head.verb == .metaGet || head.verb == .metaArithmetic { return complete(rest, head, got) }
            }
        }
    }

    private func complete(_ rest: ArraySlice<UInt8>, _ head: RequestHead, _ got: [UInt8]) -> String? {
        // A mn that passes is answered like the mark behind it, and was read as that.
        if Array(rest) == markReply || head.verb == .metaNoop && rest.isEmpty { return nil }
        return "passed, but more than one reply: \(quoted(got))"
    }

    /// With its `noreply` a classic command is answered by nothing.
    private func hushed(_ line: [UInt8], _ head: RequestHead) throws -> String? {
        guard !head.verb.isMeta else { return nil }
        let client = try server.client()
        try? client.send(line + body(head) + mark)
        let got = client.read { $0.suffix(4) == markReply[...] }
        return got == markReply ? nil : "quiet, but the server said \(quoted(got))"
    }

    private func closed(_ line: [UInt8], _ expected: [UInt8]) throws -> String? {
        let client = try server.client()
        try? client.send(line)
        let got = client.read { _ in false }
        return got == expected && client.isClosed ? nil : "to be closed, but the server said \(quoted(got))"
    }

    private func body(_ head: RequestHead) -> [UInt8] {
        guard head.verb.carriesBody else { return [] }
        return [UInt8](repeating: 0x31, count: Int(head.bodyLength)) + [0x0d, 0x0a]
    }

    /// An error that depends on what is stored, which no parser can foresee.
    private func isAboutTheItem(_ reply: ArraySlice<UInt8>) -> Bool {
        String(decoding: reply, as: UTF8.self).hasPrefix("CLIENT_ERROR cannot increment or decrement")
    }

    private var mark: [UInt8] { Array("mn\r\n".utf8) }
    private var markReply: [UInt8] { Array("MN\r\n".utf8) }

    private func spelled(_ reply: ReplyText) -> [UInt8] {
        unsafe [UInt8](UnsafeBufferPointer(start: reply.bytes.utf8Start, count: reply.bytes.utf8CodeUnitCount))
    }

}

extension Verb {
    var isMeta: Bool {
        switch self {
        case .metaGet, .metaSet, .metaDelete, .metaArithmetic, .metaNoop, .metaDebug: true
        default: false
        }
    }
}
