/// Collects errors and warnings while a tree is read, so that one run shows them all.
struct FindingLog {
    let file: String
    private(set) var errors: [ConfigFinding] = []
    private(set) var warnings: [ConfigFinding] = []

    init(file: String) {
        self.file = file
    }

    mutating func error(_ position: TextPosition, _ message: String) {
        errors.append(ConfigFinding(file: file, line: position.line, column: position.column, message: message))
    }

    mutating func warn(_ position: TextPosition, _ message: String) {
        warnings.append(ConfigFinding(file: file, line: position.line, column: position.column, message: message))
    }

    /// The warnings in the file's order, or every error as one.
    func finish() throws(ConfigErrors) -> [ConfigFinding] {
        let sorted = Self.inOrder(warnings)
        guard errors.isEmpty else {
            throw ConfigErrors(cause: .invalid, errors: Self.inOrder(errors), warnings: sorted)
        }
        return sorted
    }

    /// By place; those of one place in the order in which they were found.
    private static func inOrder(_ findings: [ConfigFinding]) -> [ConfigFinding] {
        findings.enumerated().sorted { left, right in
            (left.element.line, left.element.column, left.offset)
                < (right.element.line, right.element.column, right.offset)
        }.map(\.element)
    }
}
