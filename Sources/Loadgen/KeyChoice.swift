internal import Glibc

/// splitmix64's step: spreads every bit of a counter over all bits of the result.
@inline(__always)
func mixed(_ value: UInt64) -> UInt64 {
    var mix = value
    mix = (mix ^ (mix >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mix = (mix ^ (mix >> 27)) &* 0x94d0_49bb_1331_11eb
    return mix ^ (mix >> 31)
}

/// Draws key numbers, uniform or by Zipf's law: number k with a weight of 1 / (k + 1) ^ skew.
///
/// A draw is a function of a 64-bit number alone, so the keys of a request need not be kept until its reply: its number
/// tells them again.
struct KeyChoice: Sendable {
    /// Walker's alias method: each column holds its own number with probability `threshold` and one other number
    /// otherwise, which makes a draw from any distribution one look into a table.
    private struct Column {
        var threshold: UInt32
        var alias: UInt32
    }

    let count: Int
    private let columns: [Column]

    init(count: Int, skew: Double) {
        self.count = count
        columns = skew == 0 ? [] : Self.columns(count: count, skew: skew)
    }

    private static func columns(count: Int, skew: Double) -> [Column] {
        var weights = (0..<count).map { pow(Double($0 + 1), -skew) }
        let scale = Double(count) / weights.reduce(0, +)
        var small: [Int] = []
        var large: [Int] = []
        for index in weights.indices {
            weights[index] *= scale
            if weights[index] < 1 { small.append(index) } else { large.append(index) }
        }
        var columns = (0..<count).map { Column(threshold: .max, alias: UInt32($0)) }
        while let poor = small.popLast(), let rich = large.last {
            columns[poor] = Column(threshold: UInt32(weights[poor] * Double(UInt32.max)), alias: UInt32(rich))
            weights[rich] -= 1 - weights[poor]
            if weights[rich] < 1 {
                large.removeLast()
                small.append(rich)
            }
        }
        return columns
    }

    /// The number that `seed` and `position` stand for, in 0..<count.
    @inline(__always)
    func number(seed: UInt64, position: Int) -> Int {
        let random = mixed(seed &+ UInt64(truncatingIfNeeded: position) &* 0x9e37_79b9_7f4a_7c15)
        let column = Int(((random >> 32) &* UInt64(count)) >> 32)
        if columns.isEmpty { return column }
        let entry = columns[column]
        return UInt32(truncatingIfNeeded: random) <= entry.threshold ? column : Int(entry.alias)
    }
}
