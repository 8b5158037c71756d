/// Command words as the little-endian integer that their bytes make, so that comparing one is comparing a number.
enum Spelling {
    static let get: UInt64 = 0x746567
    static let gets: UInt64 = 0x7374_6567
    static let gat: UInt64 = 0x74_6167
    static let gats: UInt64 = 0x7374_6167
    static let bget: UInt64 = 0x7465_6762
    static let set: UInt64 = 0x74_6573
    static let add: UInt64 = 0x64_6461
    static let replace: UInt64 = 0x65_6361_6c70_6572
    static let append: UInt64 = 0x646e_6570_7061
    static let prepend: UInt64 = 0x64_6e65_7065_7270
    static let cas: UInt64 = 0x73_6163
    static let delete: UInt64 = 0x6574_656c_6564
    static let incr: UInt64 = 0x7263_6e69
    static let decr: UInt64 = 0x7263_6564
    static let touch: UInt64 = 0x68_6375_6f74
    static let version: UInt64 = 0x6e_6f69_7372_6576
    static let quit: UInt64 = 0x7469_7571
    static let stats: UInt64 = 0x73_7461_7473
    static let noreply: UInt64 = 0x79_6c70_6572_6f6e
    /// `flush_all` and `verbosity` have nine letters: their first eight, the ninth follows.
    static let flushAl: UInt64 = 0x6c61_5f68_7375_6c66
    static let verbosit: UInt64 = 0x7469_736f_6272_6576
    /// The reserved prefix `__drover:` likewise.
    static let reserved: UInt64 = 0x7265_766f_7264_5f5f
    /// With a space behind, as the fast paths look for them.
    static let getSpace: UInt64 = 0x2074_6567
    static let setSpace: UInt64 = 0x2074_6573
    static let spaceNoreply: UInt64 = 0x796c_7065_726f_6e20
    static let http: UInt64 = 0x2f_5054_5448

    static let endLine: UInt64 = 0x0a_0d44_4e45
    static let hdLine: UInt64 = 0x0a0d_4448
    static let enLine: UInt64 = 0x0a0d_4e45
    static let deletedCR: UInt64 = 0x0d44_4554_454c_4544
    static let storedLine: UInt64 = 0x0a0d_4445_524f_5453
    static let valueSpace: UInt64 = 0x2045_554c_4156

    /// The low `count` bytes of a word; `count` is at most 8.
    @inline(__always)
    static func prefix(_ word: UInt64, _ count: Int) -> UInt64 {
        count >= 8 ? word : word & ((1 << UInt64(truncatingIfNeeded: count &* 8)) &- 1)
    }
}
