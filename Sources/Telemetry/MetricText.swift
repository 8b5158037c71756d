/// Prometheus' text format, version 0.0.4, written line by line.
struct MetricText {
    typealias Labels = [(name: String, value: String)]

    /// Exponents of the powers of two of microseconds that a histogram shows: 64 µs to 16.8 s.
    static let shownExponents = 6...24

    private(set) var bytes: [UInt8] = []

    /// The comments that precede a metric's samples.
    mutating func begin(_ metric: Metric) {
        append("# HELP \(metric.name) \(metric.help)\n# TYPE \(metric.name) \(metric.kind.rawValue)\n")
    }

    mutating func sample(_ metric: Metric, _ labels: Labels, _ value: UInt64) {
        line(metric.name, labels, String(value))
    }

    mutating func sample(_ metric: Metric, _ labels: Labels, _ value: Int) {
        line(metric.name, labels, String(value))
    }

    mutating func sample(_ metric: Metric, _ labels: Labels, _ value: Double) {
        line(metric.name, labels, String(value))
    }

    /// The buckets are cumulative, and the last one is all.
    mutating func histogram(_ metric: Metric, _ labels: Labels, _ histogram: LatencyHistogram) {
        for exponent in Self.shownExponents {
            let edge = Self.seconds(nanoseconds: 1000 << UInt64(exponent))
            line(
                metric.name + "_bucket", labels + [("le", edge)], String(histogram.count(belowPowerOfTwo: exponent)))
        }
        let count = String(histogram.count)
        line(metric.name + "_bucket", labels + [("le", "+Inf")], count)
        line(metric.name + "_sum", labels, Self.seconds(nanoseconds: histogram.sum))
        line(metric.name + "_count", labels, count)
    }

    /// A decimal fraction without an exponent: "0.000064".
    static func seconds(nanoseconds: UInt64) -> String {
        let whole = nanoseconds / 1_000_000_000
        var digits = String(nanoseconds % 1_000_000_000)
        if digits == "0" { return String(whole) }
        digits = String(repeating: "0", count: 9 - digits.utf8.count) + digits
        while digits.utf8.last == UInt8(ascii: "0") { digits.removeLast() }
        return "\(whole).\(digits)"
    }

    private mutating func line(_ name: String, _ labels: Labels, _ value: String) {
        append(name)
        if !labels.isEmpty {
            bytes.append(UInt8(ascii: "{"))
            for (index, label) in labels.enumerated() {
                append(index == 0 ? "" : ",")
                append(label.name)
                append("=\"")
                appendEscaped(label.value)
                bytes.append(UInt8(ascii: "\""))
            }
            bytes.append(UInt8(ascii: "}"))
        }
        append(" ")
        append(value)
        append("\n")
    }

    private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

    /// As the format demands for a label's value: backslash, quote and line feed.
    private mutating func appendEscaped(_ text: String) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): append("\\\\")
            case UInt8(ascii: "\""): append("\\\"")
            case UInt8(ascii: "\n"): append("\\n")
            default: bytes.append(byte)
            }
        }
    }
}
