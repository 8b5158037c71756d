/// How fast a transfer may go: two token buckets, of items and of bytes, that run slower while clients suffer. It reads
/// no clock; times are nanoseconds.
///
/// A bucket is kept as the time at which it will be full again, so that nothing has to be poured in.
public struct TransferRate: BitwiseCopyable, Sendable {
    /// What may be sent at once after a pause, as time: the depth of a batch at full rate is rarely more.
    static let burst: UInt64 = 20_000_000
    /// The slowest is the full rate halved so many times.
    public static let slowest: UInt8 = 6
    /// So many calm looks in a row double the rate.
    static let patience: UInt8 = 3

    private let itemCost: UInt64
    /// Of 1024 bytes.
    private let kilobyteCost: UInt64
    private var itemsFull: UInt64 = 0
    private var bytesFull: UInt64 = 0
    /// How often the rate is halved now.
    public private(set) var halvings: UInt8 = 0
    private var calmLooks: UInt8 = 0

    /// - Parameters:
    ///   - rate: items a second, at least 1.
    ///   - bandwidth: bytes a second, at least 1.
    public init(rate: Int, bandwidth: Int) {
        itemCost = 1_000_000_000 / UInt64(max(rate, 1))
        kilobyteCost = 1_024_000_000_000 / UInt64(max(bandwidth, 1))
    }

    public init(_ settings: SyncSettings) { self.init(rate: settings.rate, bandwidth: settings.bandwidth) }

    /// From now on as slow as another, of the same or of other limits.
    public mutating func keepPace(with other: TransferRate) {
        (halvings, calmLooks) = (other.halvings, other.calmLooks)
    }

    /// When the next item may be asked for; it may now if that is not later than `now`.
    public var nextTime: UInt64 {
        let full = max(itemsFull, bytesFull)
        return full > Self.burst ? full - Self.burst : 0
    }

    /// An item is asked for.
    public mutating func takeItem(now: UInt64) { Self.pour(itemCost << UInt64(halvings), from: &itemsFull, now: now) }

    /// It had this many bytes, or the target got as many.
    public mutating func takeBytes(_ count: Int, now: UInt64) {
        let (cost, isTooMuch) = UInt64(max(count, 0)).multipliedReportingOverflow(by: kilobyteCost << UInt64(halvings))
        Self.pour(isTooMuch ? .max : cost / 1024, from: &bytesFull, now: now)
    }

    private static func pour(_ cost: UInt64, from full: inout UInt64, now: UInt64) {
        full = max(full, now).addingSaturated(cost)
    }

    /// A look at the clients, some times a second.
    public mutating func look(isStrained: Bool) {
        guard isStrained else {
            guard halvings > 0 else { return }
            calmLooks += 1
            if calmLooks == Self.patience {
                halvings -= 1
                calmLooks = 0
            }
            return
        }
        halvings = min(halvings + 1, Self.slowest)
        calmLooks = 0
    }
}
