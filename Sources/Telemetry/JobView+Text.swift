/// How jobs are shown to people.
extension JobView {
    public var isOver: Bool { state == .done || state == .ended }

    /// "fill main/node2", "verify main".
    public var title: String { "\(kind) \(pool)\(node.map { "/\($0)" } ?? "")".visible }

    /// What it does, or how it has ended.
    private var standing: String {
        switch state {
        case .running: phase.isEmpty ? "running" : phase.visible
        case .paused: phase.isEmpty ? "paused" : "paused, \(phase.visible)"
        case .done:
            "done in \(NumberText.duration(seconds))"
                + (outcome.isEmpty || outcome == "done" ? "" : ": \(outcome.visible)")
        case .ended:
            "ended after \(NumberText.duration(seconds))" + (outcome.isEmpty ? "" : ": \(outcome.visible)")
        }
    }

    /// Of the items that are known of, those that are done, 0 to 1; nil while none are known.
    private var share: Double? { known > 0 ? min(1, Double(done) / Double(known)) : nil }

    /// Share, items, rate and time left, as far as they are known.
    private var figures: [String] {
        var figures: [String] = []
        if let share {
            figures = [NumberText.percent(share), "\(NumberText.grouped(done)) of \(NumberText.grouped(known))"]
        } else if done > 0 {
            figures = [NumberText.grouped(done)]
        }
        guard state == .running else { return figures }
        if rate > 0 { figures.append("\(NumberText.grouped(Int(exactly: rate.rounded()) ?? .max))/s") }
        if halvings > 0 { figures.append("slowed for clients") }
        if let left = secondsLeft { figures.append("\(NumberText.duration(left)) left") }
        return figures
    }

    /// One line for a log or a list: "job 7: fill main/node2: copying, 45 %, 450,000 of 1,000,000, 20,000/s, 27 s left".
    public var line: String {
        let parts = [standing] + (isOver ? [] : figures)
        return "job \(id): \(title): \(parts.joined(separator: ", "))"
    }

    /// One line with a bar for a terminal of so many columns, of which it leaves the last one free. Where they are few
    /// the bar goes first, then the end of the line.
    public func progressLine(width: Int) -> String {
        let room = max(0, width - 1)
        let head = "\(title): \(standing)"
        guard !isOver else { return String(head.prefix(room)) }
        let tail = figures.joined(separator: "  ")
        // Two brackets, and two blanks on each side. A bar that were as long as it can be would jump as figures come.
        let bar = min(20, room - head.count - tail.count - 6)
        guard let share, bar >= 8 else {
            return String((tail.isEmpty ? head : "\(head)  \(tail)").prefix(room))
        }
        let full = Int(share * Double(bar))
        let done = String(repeating: "#", count: full)
        return "\(head)  [\(done)\(String(repeating: "-", count: bar - full))]  \(tail)"
    }

    /// Its line, and below it the figures of its report but for what did not occur.
    public var text: String {
        var table = TextTable(right: [false, true])
        for entry in report where entry.value != 0 || entry.name.hasSuffix("_ratio") {
            table.add(Self.reportRow(entry.name, entry.value))
        }
        return "\(line)\n\(table.text(indent: "  "))"
    }

    /// A name tells its number's unit by how it ends.
    private static func reportRow(_ name: String, _ value: Double?) -> [String] {
        let units: [(end: String, text: (Double) -> String)] = [
            ("_seconds", NumberText.duration), ("_ratio", NumberText.percent), ("_bytes", NumberText.bytes),
        ]
        for unit in units where name.hasSuffix(unit.end) {
            // The end of "copied_bytes" says what is counted, that of "total_seconds" only how.
            let kept = unit.end == "_bytes" ? name : String(name.dropLast(unit.end.utf8.count))
            return [spaced(kept), value.map(unit.text) ?? unknown]
        }
        return [spaced(name), value.map(count) ?? unknown]
    }

    private static let unknown = "-"

    private static func count(_ value: Double) -> String {
        Int(exactly: value).map { NumberText.grouped($0) } ?? NumberText.fixed(value, 3)
    }

    private static func spaced(_ name: String) -> String { String(name.visible.map { $0 == "_" ? " " : $0 }) }
}
