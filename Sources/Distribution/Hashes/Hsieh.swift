/// Paul Hsieh's SuperFastHash. Unlike in his own text the running value starts at 0, and of the four tails only that of
/// three bytes reads a byte with its sign.
enum Hsieh {
    static func hash(_ key: RawSpan) -> UInt32 {
        var hash: UInt32 = 0
        var at = 0
        while key.byteCount &- at >= 4 {
            hash = hash &+ key.word16(at)
            let high = (key.word16(at + 2) &<< 11) ^ hash
            hash = (hash &<< 16) ^ high
            hash = hash &+ (hash &>> 11)
            at &+= 4
        }
        switch key.byteCount &- at {
        case 3:
            hash = hash &+ key.word16(at)
            hash ^= hash &<< 16
            hash ^= key.signedByte(at + 2) &<< 18
            hash = hash &+ (hash &>> 11)
        case 2:
            hash = hash &+ key.word16(at)
            hash ^= hash &<< 11
            hash = hash &+ (hash &>> 17)
        case 1:
            hash = hash &+ UInt32(key.byte(at))
            hash ^= hash &<< 10
            hash = hash &+ (hash &>> 1)
        default:
            break
        }
        return key.byteCount == 0 ? 0 : finish(hash)
    }

    /// Lets every bit touch the others.
    private static func finish(_ value: UInt32) -> UInt32 {
        var hash = value
        hash ^= hash &<< 3
        hash = hash &+ (hash &>> 5)
        hash ^= hash &<< 4
        hash = hash &+ (hash &>> 17)
        hash ^= hash &<< 25
        return hash &+ (hash &>> 6)
    }
}
