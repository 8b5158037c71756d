/// "A Fast, Minimal Memory, Consistent Hash Algorithm", John Lamping and Eric Veach, Google, 2014.
enum JumpHash {
    /// The bucket of a hash, below `buckets`, which is at least 1. One bucket more takes its share from the others, and
    /// nothing moves between those.
    static func bucket(_ hash: UInt64, of buckets: Int) -> Int {
        var state = hash
        var bucket = 0
        var next = 0
        while next < buckets {
            bucket = next
            state = state &* 2_862_933_555_777_941_757 &+ 1
            next = Int(Double(bucket &+ 1) * (Double(1 << 31) / Double((state &>> 33) &+ 1)))
        }
        return bucket
    }
}

/// MurmurHash3's last step, by Austin Appleby: each bit of the input flips half of the output's.
@inline(__always)
func mixed(_ value: UInt64) -> UInt64 {
    var hash = (value ^ (value &>> 33)) &* 0xff51_afd7_ed55_8ccd
    hash = (hash ^ (hash &>> 33)) &* 0xc4ce_b9fe_1a85_ec53
    return hash ^ (hash &>> 33)
}
