/// MD5 (RFC 1321). Ketama takes its points from all four words of a digest, the hash `md5` the first.
enum MD5 {
    struct Digest {
        /// The digest's sixteen bytes as little-endian words.
        var words: InlineArray<4, UInt32>
    }

    static func digest(_ message: RawSpan) -> Digest {
        var state: InlineArray<4, UInt32> = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476]
        var block = InlineArray<16, UInt32>(repeating: 0)
        var at = 0
        while message.byteCount &- at >= 64 {
            for word in 0..<16 { block[word] = message.word32(at &+ word &* 4) }
            add(block, to: &state)
            at &+= 64
        }
        // What is left, then a set bit, zeros, and the length in bits in the last eight bytes of a block.
        block = InlineArray(repeating: 0)
        let left = message.byteCount &- at
        for index in 0..<left {
            block[index &>> 2] |= UInt32(message.byte(at &+ index)) &<< UInt32(truncatingIfNeeded: (index & 3) &* 8)
        }
        block[left &>> 2] |= 0x80 &<< UInt32(truncatingIfNeeded: (left & 3) &* 8)
        if left >= 56 {
            add(block, to: &state)
            block = InlineArray(repeating: 0)
        }
        let bits = UInt64(message.byteCount) &* 8
        block[14] = UInt32(truncatingIfNeeded: bits)
        block[15] = UInt32(truncatingIfNeeded: bits &>> 32)
        add(block, to: &state)
        return Digest(words: state)
    }

    /// The 64 steps over one block.
    private static func add(_ block: InlineArray<16, UInt32>, to state: inout InlineArray<4, UInt32>) {
        var a = state[0]
        var b = state[1]
        var c = state[2]
        var d = state[3]
        for step in 0..<64 {
            let mixed: UInt32
            let word: Int
            switch step &>> 4 {
            case 0: (mixed, word) = ((b & c) | (~b & d), step)
            case 1: (mixed, word) = ((d & b) | (~d & c), 5 &* step &+ 1)
            case 2: (mixed, word) = (b ^ c ^ d, 3 &* step &+ 5)
            default: (mixed, word) = (c ^ (b | ~d), 7 &* step)
            }
            let sum = a &+ mixed &+ md5Sines[step] &+ block[word & 15]
            let shift = md5Shifts[(step &>> 4) &* 4 &+ (step & 3)]
            (a, d, c, b) = (d, c, b, b &+ sum.rotated(left: shift))
        }
        state[0] = state[0] &+ a
        state[1] = state[1] &+ b
        state[2] = state[2] &+ c
        state[3] = state[3] &+ d
    }
}

/// How far each of a round's four kinds of step rotates.
private let md5Shifts: InlineArray<16, Int> = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21]

/// The integer part of |sin(i + 1)| times 2^32.
private let md5Sines: InlineArray<64, UInt32> = [
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
]
