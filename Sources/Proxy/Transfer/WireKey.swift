internal import Bytes
internal import MemcacheProtocol
internal import ProxyCore

/// How a key of a dump is spelled in a command.
enum WireKey {
    /// As it is; else in base64, which any memcached takes for any key.
    static func isPlain(_ key: RawSpan) -> Bool {
        for index in 0..<key.byteCount {
            let byte = key.byte(at: index)
            if byte <= ASCII.space || byte == 0x7f { return false }
        }
        return true
    }

    /// Some command can name it.
    static func isSpellable(_ key: RawSpan) -> Bool {
        isPlain(key) || Base64.encodedLength(key.byteCount) <= DumpLine.keyLimit
    }
}

/// A key as commands name it.
struct SpelledKey {
    let bytes: [UInt8]
    let isBase64: Bool

    init(_ key: [UInt8]) {
        isBase64 = unsafe !WireKey.isPlain(key.span.bytes)
        bytes = isBase64 ? unsafe Array(Base64.encode(key.span.bytes)) : key
    }
}
