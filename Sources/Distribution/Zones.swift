/// The members' zones as numbers.
struct Zones: Sendable {
    /// How many different ones there are.
    let count: Int
    private let numbers: [UInt16]

    init(_ members: [Member]) {
        var known: [String: UInt16] = [:]
        var next: UInt16 = 0
        numbers = members.map { member in
            if let zone = member.zone, let number = known[zone] { return number }
            if let zone = member.zone { known[zone] = next }
            next += 1
            return next - 1
        }
        count = Int(next)
    }

    @inline(__always)
    func zone(of member: Int) -> UInt16 { numbers[member] }
}
