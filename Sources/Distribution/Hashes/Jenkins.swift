/// Bob Jenkins's two: one-at-a-time (1997) and lookup3 (2006) with libmemcached's starting value 13.
enum Jenkins {
    static func oneAtATime(_ key: RawSpan) -> UInt32 {
        var hash: UInt32 = 0
        for at in 0..<key.byteCount {
            hash = hash &+ key.signedByte(at)
            hash = hash &+ (hash &<< 10)
            hash ^= hash &>> 6
        }
        hash = hash &+ (hash &<< 3)
        hash ^= hash &>> 11
        return hash &+ (hash &<< 15)
    }

    static func lookup3(_ key: RawSpan) -> UInt32 {
        var a = 0xdead_beef &+ UInt32(truncatingIfNeeded: key.byteCount) &+ 13
        var b = a
        var c = a
        var at = 0
        while key.byteCount &- at > 12 {
            a = a &+ key.word32(at)
            b = b &+ key.word32(at + 4)
            c = c &+ key.word32(at + 8)
            mix(&a, &b, &c)
            at &+= 12
        }
        // The last block, one to twelve bytes, is as if zeros followed it. An empty key is not mixed at all.
        if at == key.byteCount { return c }
        a = a &+ tail(key, at)
        b = b &+ tail(key, at + 4)
        c = c &+ tail(key, at + 8)
        finish(&a, &b, &c)
        return c
    }

    /// Four bytes from `at` on, those past the end as zeros.
    @inline(__always)
    private static func tail(_ key: RawSpan, _ at: Int) -> UInt32 {
        let left = key.byteCount &- at
        if left >= 4 { return key.word32(at) }
        var word: UInt32 = 0
        if left > 0 { word = UInt32(key.byte(at)) }
        if left > 1 { word |= UInt32(key.byte(at + 1)) &<< 8 }
        if left > 2 { word |= UInt32(key.byte(at + 2)) &<< 16 }
        return word
    }

    @inline(__always)
    private static func mix(_ a: inout UInt32, _ b: inout UInt32, _ c: inout UInt32) {
        a = (a &- c) ^ c.rotated(left: 4)
        c = c &+ b
        b = (b &- a) ^ a.rotated(left: 6)
        a = a &+ c
        c = (c &- b) ^ b.rotated(left: 8)
        b = b &+ a
        a = (a &- c) ^ c.rotated(left: 16)
        c = c &+ b
        b = (b &- a) ^ a.rotated(left: 19)
        a = a &+ c
        c = (c &- b) ^ b.rotated(left: 4)
        b = b &+ a
    }

    @inline(__always)
    private static func finish(_ a: inout UInt32, _ b: inout UInt32, _ c: inout UInt32) {
        c = (c ^ b) &- b.rotated(left: 14)
        a = (a ^ c) &- c.rotated(left: 11)
        b = (b ^ a) &- a.rotated(left: 25)
        c = (c ^ b) &- b.rotated(left: 16)
        a = (a ^ c) &- c.rotated(left: 4)
        b = (b ^ a) &- a.rotated(left: 14)
        c = (c ^ b) &- b.rotated(left: 24)
    }
}
