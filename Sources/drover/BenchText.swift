internal import ArgumentParser
internal import Sockets

/// Reads the values of bench's options.
enum BenchText {
    static func address(_ text: String) throws -> SocketAddress {
        if let path = path(text), let address = SocketAddress(path: path) { return address }
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]), port > 0 else {
            throw ValidationError("'\(text)' is neither HOST:PORT nor a path")
        }
        var host = String(text[..<colon])
        if host == "localhost" { host = "127.0.0.1" }
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        guard let address = SocketAddress(literal: host, port: port) else {
            throw ValidationError("'\(host)' is no literal address")
        }
        return address
    }

    private static func path(_ text: String) -> String? {
        if text.hasPrefix("unix:") { return String(text.dropFirst(5)) }
        return text.hasPrefix("/") || text.hasPrefix("./") ? text : nil
    }

    /// `20000` or `20000/s`.
    static func rate(_ text: String) throws -> Double {
        let number = text.hasSuffix("/s") ? String(text.dropLast(2)) : text
        guard let rate = Double(number) else { throw ValidationError("'\(text)' is no rate: write 20000/s") }
        return rate
    }

    /// `10:1`: gets to sets.
    static func mix(_ text: String) throws -> (Int, Int) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map { Int($0) }
        guard parts.count == 2, let gets = parts[0], let sets = parts[1] else {
            throw ValidationError("'\(text)' is no mix: write GETS:SETS, as 10:1")
        }
        return (gets, sets)
    }

    /// `100`, `64k`, `1m` or a range of two of these.
    static func sizes(_ text: String) throws -> ClosedRange<Int> {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false).map { size(String($0)) }
        if parts.count == 1, let only = parts[0] { return only...only }
        guard parts.count == 2, let low = parts[0], let high = parts[1], low <= high else {
            throw ValidationError("'\(text)' is no size: write 100, 64k or 100-2000")
        }
        return low...high
    }

    private static func size(_ text: String) -> Int? {
        let lower = text.lowercased()
        let scale = lower.hasSuffix("k") ? 1 << 10 : lower.hasSuffix("m") ? 1 << 20 : 1
        guard let number = Int(scale == 1 ? lower : String(lower.dropLast())), number >= 0, number < 1 << 30 else {
            return nil
        }
        return number * scale
    }

    /// `10s`, `500ms` or `2m`.
    static func nanoseconds(_ text: String) throws -> UInt64 {
        let units: [(String, Double)] = [("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9)]
        for (unit, scale) in units where text.hasSuffix(unit) {
            guard let number = Double(text.dropLast(unit.count)), number >= 0, number * scale < 1e15 else { break }
            return UInt64(number * scale)
        }
        throw ValidationError("'\(text)' is no time: write 10s, 500ms or 2m")
    }
}
