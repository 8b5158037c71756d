/// As much of Markdown as the README's tables need.
enum Markdown {
    /// The cells of every line that is a row of a table. An escaped bar does not part cells.
    static func rows(_ text: String) -> [[String]] {
        text.split(separator: "\n").filter { $0.hasPrefix("|") }.map { line in
            var cells = [""]
            var isEscaped = false
            for character in line.dropFirst() {
                if character == "|" && !isEscaped {
                    cells.append("")
                } else {
                    cells[cells.count - 1].append(character)
                }
                isEscaped = character == "\\"
            }
            return cells.dropLast().map { cell in
                let words = cell.split(separator: " ", omittingEmptySubsequences: true)
                return words.joined(separator: " ")
            }
        }
    }

    /// What stands between backticks.
    static func codes(_ text: String) -> [String] {
        let parts = text.split(separator: "`", omittingEmptySubsequences: false)
        return parts.indices.filter { $0 % 2 == 1 && $0 < parts.count - 1 }.map { String(parts[$0]) }
    }
}
