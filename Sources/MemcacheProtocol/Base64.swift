internal import Bytes

/// memcached's own reading of base64, which is looser than the standard: other characters are skipped, padding may
/// come early, and what follows it is ignored.
public enum Base64 {
    /// Room for any key: 250 encoded bytes make at most 186.
    public static let longestKey = 192

    /// Decodes `text` into `key` and gives the decoded length; 0 if memcached could not decode it.
    /// At most 250 bytes of text.
    public static func decode(_ text: RawSpan, into key: inout InlineArray<192, UInt8>) -> Int {
        var letters = 0
        for index in 0..<text.byteCount where value(text.byte(at: index)) != skipped { letters += 1 }
        guard letters > 0, letters & 3 == 0, letters / 4 * 3 <= key.count else { return 0 }

        var length = 0
        var group: UInt32 = 0
        var filled = 0
        var padding = 0
        for index in 0..<text.byteCount {
            let letter = text.byte(at: index)
            let bits = value(letter)
            if bits == skipped { continue }
            if letter == pad { padding += 1 }
            group = group << 6 | UInt32(bits)
            filled += 1
            guard filled == 4 else { continue }
            key[length] = UInt8(truncatingIfNeeded: group >> 16)
            key[length + 1] = UInt8(truncatingIfNeeded: group >> 8)
            key[length + 2] = UInt8(truncatingIfNeeded: group)
            guard padding == 0 else { return padding > 2 ? 0 : length + 3 - padding }
            length += 3
            group = 0
            filled = 0
        }
        return length
    }

    /// Bytes of the text that stands for so many.
    public static func encodedLength(_ count: Int) -> Int { (count + 2) / 3 * 4 }

    /// The standard's text, with padding.
    public static func encode(_ bytes: RawSpan) -> [UInt8] {
        let alphabet: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        let letters = unsafe RawSpan(_unsafeStart: alphabet.utf8Start, byteCount: 64)
        var text: [UInt8] = []
        text.reserveCapacity(encodedLength(bytes.byteCount))
        var index = 0
        while index < bytes.byteCount {
            let count = min(3, bytes.byteCount - index)
            var group: UInt32 = 0
            for place in 0..<3 { group = group << 8 | (place < count ? UInt32(bytes.byte(at: index + place)) : 0) }
            for place in 0..<4 {
                text.append(place <= count ? letters.byte(at: Int(group >> UInt32(18 - 6 * place) & 63)) : pad)
            }
            index += 3
        }
        return text
    }

    private static let skipped: UInt8 = 0x80
    private static let pad: UInt8 = 0x3d

    /// Six bits; 0 for the padding; `skipped` for a character outside the alphabet.
    private static func value(_ letter: UInt8) -> UInt8 {
        switch letter {
        case 0x41...0x5a: letter - 0x41
        case 0x61...0x7a: letter - 0x61 + 26
        case 0x30...0x39: letter - 0x30 + 52
        case 0x2b: 62
        case 0x2f: 63
        case pad: 0
        default: skipped
        }
    }
}
