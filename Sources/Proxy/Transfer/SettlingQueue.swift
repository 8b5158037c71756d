/// What waits before it is looked at again, each for as long: so the first in is the first out. Nanoseconds.
struct SettlingQueue<Element> {
    private static var consumedLimit: Int { 1024 }

    private var waiting: [(time: UInt64, element: Element)] = []
    private var first = 0

    /// When `next` will have something; `.max` for never.
    var nextTime: UInt64 { first < waiting.count ? waiting[first].time : .max }

    /// - Parameter time: not before those that were given earlier.
    mutating func add(_ element: Element, until time: UInt64) { waiting.append((time, element)) }

    /// The next whose time has come.
    mutating func next(now: UInt64) -> Element? {
        guard nextTime <= now, first < waiting.count else { return nil }
        defer { consume() }
        return waiting[first].element
    }

    /// What is taken goes now and then, so that the rest need not move each time, and no more is kept than that.
    private mutating func consume() {
        first += 1
        guard first == waiting.count || first >= Self.consumedLimit else { return }
        waiting.removeFirst(first)
        first = 0
    }
}
