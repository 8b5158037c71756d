/// The ring of Richard Jones's ketama (last.fm, 2007) with libmemcached's weighted points, which are twemproxy's too:
/// 160 for each member on average, in proportion to the weights, four from each MD5 of `key-0`, `key-1` and so on. A
/// hash belongs to the first point that is not below it.
@usableFromInline
struct KetamaRing: Sendable {
    /// Point in the upper half, member in the lower, ascending; then the first once more at the greatest point, so that
    /// a search always ends before the end.
    @usableFromInline let points: [UInt64]
    /// For each value of a hash's upper bits, the index of the first point that is not below it: one point on average
    /// is left to step over.
    @usableFromInline let starts: [UInt32]
    @usableFromInline let shift: UInt32

    init(_ members: [Member]) {
        var points: [UInt64] = []
        let total = members.reduce(0) { $0 + $1.weight }
        for (index, member) in members.enumerated() {
            // In the peers' order of operations and in their precision: the counts are cut to whole MD5s.
            let share = Float(member.weight) / Float(total)
            let digests = Int((share * 160 / 4 * Float(members.count) + 0.0000000001).rounded(.down))
            let prefix = Array("\(member.key)-".utf8)
            for digest in 0..<digests {
                let text = prefix + Array("\(digest)".utf8)
                let words = unsafe MD5.digest(text.span.bytes).words
                for word in 0..<4 { points.append(UInt64(words[word]) << 32 | UInt64(index)) }
            }
        }
        points.sort()

        let bits = UInt32(max(1, Int.bitWidth - max(1, points.count - 1).leadingZeroBitCount))
        shift = 32 - bits
        var starts: [UInt32] = []
        var next = 0
        for bucket in 0..<(UInt64(1) << bits) {
            while next < points.count, points[next] >> 32 < bucket << shift { next += 1 }
            starts.append(UInt32(next))
        }
        self.starts = starts
        points.append(UInt64(UInt32.max) << 32 | (points.first ?? 0) & 0xffff_ffff)
        self.points = points
    }

    /// How many points there are.
    var count: Int { points.count - 1 }

    /// The index of the hash's point; `count` stands for the first once more.
    @inlinable @inline(__always)
    func index(of hash: UInt64) -> Int {
        let low = UInt32(truncatingIfNeeded: hash)
        let wanted = UInt64(low) &<< 32
        var index = Int(starts[Int(low &>> shift)])
        while points[index] < wanted { index &+= 1 }
        return index
    }

    /// The member of the point at `index`, 0 to `count`.
    @inlinable @inline(__always)
    func member(at index: Int) -> Int {
        Int(UInt32(truncatingIfNeeded: points[index]))
    }
}
