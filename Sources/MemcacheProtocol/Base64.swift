import Bytes

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
