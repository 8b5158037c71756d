/// Numbers as people read them.
enum NumberText {
    /// "1,234,567".
    static func grouped(_ number: Int) -> String {
        let digits = Array(String(number.magnitude).utf8)
        var result = number < 0 ? "-" : ""
        for (index, digit) in digits.enumerated() {
            if index > 0 && (digits.count - index) % 3 == 0 { result += "," }
            result.unicodeScalars.append(Unicode.Scalar(digit))
        }
        return result
    }

    static func grouped(_ number: UInt64) -> String { grouped(Int(clamping: number)) }

    /// With so many digits after the point, rounded.
    static func fixed(_ number: Double, _ places: Int) -> String {
        guard number.isFinite, abs(number) < 1e12 else { return "\(number)" }
        var scale = 1
        for _ in 0..<places { scale *= 10 }
        let scaled = Int((abs(number) * Double(scale)).rounded())
        let sign = number < 0 && scaled > 0 ? "-" : ""
        guard places > 0 else { return "\(sign)\(scaled)" }
        let rest = String(scaled % scale)
        return "\(sign)\(scaled / scale)." + String(repeating: "0", count: places - rest.utf8.count) + rest
    }

    /// "66.7 %" of a share of 1. What is nearly all is not shown as all.
    static func percent(_ share: Double) -> String {
        guard share.isFinite else { return "? %" }
        let tenths = Int((min(max(share, 0), 10) * 1000).rounded())
        let shown = tenths == 1000 && share < 1 ? 999 : tenths
        return shown % 10 == 0 ? "\(shown / 10) %" : "\(shown / 10).\(shown % 10) %"
    }

    /// "0.4 s", "27 s", "3 min 12 s", "2 h 5 min", "3 d 4 h".
    static func duration(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds >= 0, seconds < 1e10 else { return "?" }
        if seconds < 10 { return "\(fixed(seconds, 1)) s" }
        let whole = Int(seconds.rounded())
        if whole < 60 { return "\(whole) s" }
        if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
        if whole < 86400 { return "\(whole / 3600) h \(whole / 60 % 60) min" }
        return "\(whole / 86400) d \(whole / 3600 % 24) h"
    }

    /// "0.2 ms" of nanoseconds.
    static func latency(_ nanoseconds: UInt64) -> String { "\(fixed(Double(nanoseconds) / 1e6, 1)) ms" }

    /// "512 B", "95.4 MiB".
    static func bytes(_ count: Double) -> String {
        var (count, unit) = (count, 0)
        let units = ["B", "KiB", "MiB", "GiB", "TiB"]
        while abs(count) >= 1024, unit < units.count - 1 { (count, unit) = (count / 1024, unit + 1) }
        return "\(fixed(count, unit == 0 ? 0 : 1)) \(units[unit])"
    }
}
