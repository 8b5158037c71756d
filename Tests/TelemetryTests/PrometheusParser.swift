/// A strict reader of Prometheus' text format 0.0.4: it refuses what a lenient one would forgive.
struct PrometheusParser {
    struct Failure: Error, CustomStringConvertible { var description: String }

    struct Sample: Equatable {
        var name: String
        var labels: [String: String]
        var value: Double
    }

    struct Family {
        var name: String
        var type: String
        var samples: [Sample] = []
    }

    private(set) var families: [Family] = []
    private var series: Set<String> = []

    init(_ bytes: [UInt8]) throws {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw Failure(description: "not UTF-8") }
        guard text.hasSuffix("\n") else { throw Failure(description: "no line feed at the end") }
        var pendingHelp: String?
        for line in text.dropLast().split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("# HELP ") {
                guard pendingHelp == nil else { throw Failure(description: "HELP without TYPE: \(line)") }
                pendingHelp = String(line.split(separator: " ")[2])
            } else if line.hasPrefix("# TYPE ") {
                let words = line.split(separator: " ")
                guard words.count == 4, pendingHelp == String(words[2]) else {
                    throw Failure(description: "TYPE without its HELP: \(line)")
                }
                guard !families.contains(where: { $0.name == words[2] }) else {
                    throw Failure(description: "twice: \(line)")
                }
                families.append(Family(name: String(words[2]), type: String(words[3])))
                pendingHelp = nil
            } else {
                try addSample(line)
            }
        }
        for family in families where family.type == "histogram" { try Self.check(family) }
    }

    private mutating func addSample(_ line: Substring) throws {
        guard var family = families.popLast() else { throw Failure(description: "sample before TYPE: \(line)") }
        let sample = try Self.sample(line)
        let suffixes = family.type == "histogram" ? ["_bucket", "_sum", "_count"] : [""]
        guard suffixes.contains(where: { sample.name == family.name + $0 }) else {
            throw Failure(description: "\(sample.name) under \(family.name)")
        }
        let labels = sample.labels.sorted(by: { $0.key < $1.key }).map { "\($0.key)=\($0.value)" }
        guard series.insert("\(sample.name) \(labels)").inserted else {
            throw Failure(description: "the series came twice: \(line)")
        }
        if family.type == "counter", !family.name.hasSuffix("_total") || sample.value < 0 {
            throw Failure(description: "no counter: \(line)")
        }
        family.samples.append(sample)
        families.append(family)
    }

    private static func sample(_ line: Substring) throws -> Sample {
        var rest = line
        let name = String(rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == ":") })
        guard let first = name.first, !first.isNumber else { throw Failure(description: "no name: \(line)") }
        rest = rest.dropFirst(name.count)
        var labels: [String: String] = [:]
        if rest.first == "{" {
            rest = rest.dropFirst()
            while rest.first != "}" {
                let label = String(rest.prefix { $0.isASCII && ($0.isLetter || $0 == "_") })
                rest = rest.dropFirst(label.count)
                guard !label.isEmpty, rest.hasPrefix("=\"") else { throw Failure(description: "label: \(line)") }
                rest = rest.dropFirst(2)
                labels[label] = try labelValue(&rest)
                if rest.first == "," { rest = rest.dropFirst() }
            }
            rest = rest.dropFirst()
        }
        let text = rest.dropFirst()
        guard rest.first == " ", !text.isEmpty, !text.contains(" "), let value = Double(text) else {
            throw Failure(description: "value: \(line)")
        }
        return Sample(name: name, labels: labels, value: value)
    }

    /// Up to the closing quote, which it takes.
    private static func labelValue(_ rest: inout Substring) throws -> String {
        var value = ""
        while let next = rest.popFirst() {
            switch next {
            case "\"": return value
            case "\\":
                switch rest.popFirst() {
                case "\\": value.append("\\")
                case "\"": value.append("\"")
                case "n": value.append("\n")
                default: throw Failure(description: "escape in \(value)")
                }
            default: value.append(next)
            }
        }
        throw Failure(description: "open quote")
    }

    /// Edges and counts rise, the last bucket is +Inf, and it is the count.
    private static func check(_ family: Family) throws {
        var last: Sample?
        for sample in family.samples {
            if sample.name.hasSuffix("_bucket") {
                guard let edge = Double(sample.labels["le"] ?? "") else { throw Failure(description: "le: \(sample)") }
                if let last, last.name == sample.name {
                    let before = Double(last.labels["le"] ?? "") ?? .infinity
                    guard edge > before, sample.value >= last.value else {
                        throw Failure(description: "buckets fall: \(sample)")
                    }
                }
            } else if sample.name.hasSuffix("_sum") {
                guard last?.labels["le"] == "+Inf" else { throw Failure(description: "no +Inf before \(sample)") }
            } else {
                guard let bucket = family.samples.last(where: { $0.labels["le"] == "+Inf" && $0.matches(sample) }),
                    bucket.value == sample.value
                else { throw Failure(description: "+Inf is not the count: \(sample)") }
            }
            last = sample
        }
    }

    /// The value of the one series with exactly these labels.
    func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
        families.flatMap(\.samples).first { $0.name == name && $0.labels == labels }?.value
    }
}

extension PrometheusParser.Sample {
    func matches(_ other: Self) -> Bool {
        labels.filter { $0.key != "le" } == other.labels.filter { $0.key != "le" }
    }
}
