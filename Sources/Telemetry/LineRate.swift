/// Lets one line of a kind into the log every ten seconds, and adds up what it holds back for the next one.
public struct LineRate: Sendable {
    /// Nanoseconds.
    public static var pause: UInt64 { 10_000_000_000 }

    private struct Entry {
        var next: UInt64
        var held: UInt64
    }

    private var entries: [Int: Entry] = [:]

    public init() {}

    /// How much to tell of, if now is the time.
    public mutating func admit(kind: Int, _ count: UInt64, now: UInt64) -> UInt64? {
        let held = entries[kind]?.held ?? 0
        if let entry = entries[kind], now < entry.next {
            entries[kind] = Entry(next: entry.next, held: held &+ count)
            return nil
        }
        entries[kind] = Entry(next: now &+ Self.pause, held: 0)
        return held &+ count
    }
}
