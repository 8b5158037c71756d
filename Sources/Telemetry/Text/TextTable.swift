/// Rows whose columns stand below each other.
struct TextTable {
    /// Whether the column's cells stand at its right, as numbers do.
    private let right: [Bool]
    private var rows: [[String]] = []

    init(right: [Bool]) { self.right = right }

    /// - Parameter cells: one a column.
    mutating func add(_ cells: [String]) { rows.append(cells) }

    var isEmpty: Bool { rows.isEmpty }

    /// Each row is a line, with that before it and without blanks at its end.
    func text(indent: String) -> String {
        var widths = right.map { _ in 0 }
        for row in rows {
            for (column, cell) in row.enumerated() { widths[column] = max(widths[column], cell.count) }
        }
        var text = ""
        for row in rows {
            var line = indent
            for (column, cell) in row.enumerated() {
                let room = String(repeating: " ", count: widths[column] - cell.count)
                line += (column > 0 ? "  " : "") + (right[column] ? room + cell : cell + room)
            }
            while line.last == " " { line.removeLast() }
            text += line + "\n"
        }
        return text
    }
}
