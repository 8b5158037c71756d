/// Finds what a misspelt word was meant to be.
enum NearestName {
    /// The closest of `names`, if it is close enough to be worth a guess.
    static func of(_ word: String, in names: [String]) -> String? {
        let lower = word.lowercased()
        let best = names.map { (name: $0, distance: distance(lower, $0), bare: distance(bare(lower), bare($0))) }
            .min { ($0.distance, $0.bare, $0.name) < ($1.distance, $1.bare, $1.name) }
        guard let best, best.distance <= max(2, word.utf8.count / 3) else { return nil }
        return best.name
    }

    /// Without the marks between words, which people forget first.
    private static func bare(_ word: String) -> String { word.filter { $0 != "_" && $0 != "-" } }

    /// `did you mean "x"?`, else the whole list.
    static func hint(_ word: String, in names: [String]) -> String {
        if let near = of(word, in: names) { return "did you mean \"\(near)\"?" }
        return "it may be one of " + names.joined(separator: ", ")
    }

    /// Edits (insert, delete, replace, swap of neighbours) from one word to another.
    static func distance(_ left: String, _ right: String) -> Int {
        let a = Array(left.utf8.prefix(64))
        let b = Array(right.utf8.prefix(64))
        var before: [Int] = []
        var previous = Array(0...b.count)
        for i in 0..<a.count {
            var row = [i + 1]
            for j in 0..<b.count {
                var cost = min(previous[j + 1] + 1, row[j] + 1, previous[j] + (a[i] == b[j] ? 0 : 1))
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, before[j - 1] + 1) }
                row.append(cost)
            }
            before = previous
            previous = row
        }
        return previous[b.count]
    }
}
