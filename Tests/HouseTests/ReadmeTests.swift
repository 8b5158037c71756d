import Telemetry
import Testing

/// What the README and the annotated config list is all that there is.
struct ReadmeTests {
    private static let readme = Repository.text(of: "README.md")
    /// The first cell of every row of a table.
    private static let firstCells = Set(Markdown.rows(readme).compactMap { $0.first })

    /// Every list of keys that the config reader knows: `…Keys = [`, `known = [` and `known: [`.
    private static let configKeys: Set<String> = {
        var keys: Set<String> = []
        for file in Repository.sources where file.path.hasPrefix("Sources/ProxyConfig/SettingsReader") {
            for mark in ["Keys = [", "known = [", "known: ["] {
                for list in file.text.pieces(after: mark) {
                    let literals = list.prefix { $0 != "]" }.split(separator: "\"", omittingEmptySubsequences: false)
                    for index in literals.indices where index % 2 == 1 { keys.insert(String(literals[index])) }
                }
            }
        }
        return keys
    }()

    @Test func theReaderHasTheKeysThatThisTestFound() {
        let some = ["workers", "pools", "when_down", "zone", "interval", "bandwidth", "memory"]
        #expect(Self.configKeys.isSuperset(of: some))
        #expect(Self.configKeys.count >= 38)
    }

    @Test func theReadmeHasARowForEveryConfigKey() {
        let groups = ["", "probe.", "sync.", "limits."]
        for key in Self.configKeys {
            #expect(groups.contains { Self.firstCells.contains("`\($0)\(key)`") }, "\(key)")
        }
    }

    @Test func theAnnotatedConfigHasEveryKey() {
        let lines = Repository.text(of: "conf/drover.yml").split(separator: "\n")
        // Without comments: a key that is only spoken of is not shown.
        let text = lines.map { $0.prefix { $0 != "#" } }.joined(separator: "\n")
        for key in Self.configKeys {
            #expect([" ", "{", "\n"].contains { "\n\(text)".contains("\($0)\(key):") }, "\(key)")
        }
    }

    @Test func theReadmeHasARowForEveryMetric() {
        let shown = Self.firstCells.filter { $0.hasPrefix("`drover_") }
        #expect(shown == Set(MetricList.all.map { "`\($0.name)`" }))
    }

    /// `("name", value)` in these files.
    @Test func theReadmeHasARowForEveryFigureOfAReport() {
        var figures: Set<String> = []
        for file in Repository.sources
        where ["Job", "ScrubRun", "PoolQuality"].contains(where: { file.path.hasSuffix("/\($0).swift") }) {
            for literal in [" (\"", "[(\""].flatMap({ file.text.pieces(after: $0) }) {
                let name = literal.prefix { $0.isLowercase || $0 == "_" }
                if literal.dropFirst(name.count).hasPrefix("\", ") { figures.insert(String(name)) }
            }
        }
        let rows = Set(Self.firstCells.flatMap { Markdown.codes($0) })
        #expect(figures.count >= 31 && figures.isSubset(of: rows), "\(figures.subtracting(rows))")
    }

    @Test func theReadmeNamesEveryCause() {
        for cause in ErrorCause.allCases {
            #expect(Self.readme.contains("`\(cause.label)`"), "\(cause.label)")
        }
    }

    /// Links to files of the repository, and headings that are linked to.
    @Test func theReadmesLinksLeadSomewhere() {
        let headings = Self.readme.split(separator: "\n").filter { $0.hasPrefix("#") }.map { line in
            let title = line.drop { $0 == "#" || $0 == " " }.lowercased()
            return "#" + title.map { $0 == " " ? "-" : "\($0)" }.filter { $0 != "," }.joined()
        }
        let links = Self.readme.pieces(after: "](").map { String($0.prefix { $0 != ")" }) }
        #expect(links.count > 10)
        for link in links where !link.hasPrefix("http") {
            let leads = link.hasPrefix("#") ? headings.contains(link) : !Repository.text(of: link).isEmpty
            #expect(leads, "\(link)")
        }
    }
}

extension String {
    /// What follows each occurrence of the mark, to the end of the text.
    fileprivate func pieces(after mark: String) -> [Substring] {
        var pieces: [Substring] = []
        var rest = self[...]
        while let found = rest.firstRange(of: mark) {
            rest = rest[found.upperBound...]
            pieces.append(rest)
        }
        return pieces
    }
}
