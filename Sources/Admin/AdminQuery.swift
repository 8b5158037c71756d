internal import Proxy
internal import Telemetry

/// What stands behind a path's question mark: `name=value`, parted by `&`.
struct AdminQuery {
    /// Why a query is wrong.
    struct Refusal: Error, Equatable {
        var reason: String
    }

    /// One key in so many, at most.
    static let maxSample = 1_000_000

    private var values: [String: String] = [:]

    /// - Parameter known: all that may be said.
    init(_ text: String, known: [String]) throws(Refusal) {
        for part in text.split(separator: "&") {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = PercentCoding.decode(pair[0]),
                let value = PercentCoding.decode(pair.dropFirst().first ?? "")
            else { throw Refusal(reason: "the query is not percent-encoded UTF-8") }
            guard known.contains(name) else {
                let all = known.isEmpty ? "nothing is" : "\(known.joined(separator: " and ")) are"
                throw Refusal(reason: "there is no parameter \"\(name)\"; \(all) known here")
            }
            guard values.updateValue(value, forKey: name) == nil else {
                throw Refusal(reason: "\(name) is given twice")
            }
        }
    }

    /// `format=text`, or JSON.
    func isText() throws(Refusal) -> Bool {
        switch values["format"] {
        case nil, "json"?: false
        case "text"?: true
        case let other?: throw Refusal(reason: "format=\(other): use json or text")
        }
    }

    func flag(_ name: String) throws(Refusal) -> Bool {
        switch values[name] {
        case nil, "0"?: false
        case "1"?: true
        case let other?: throw Refusal(reason: "\(name)=\(other): use 0 or 1")
        }
    }

    func path() throws(Refusal) -> String {
        guard let path = values["path"], path.utf8.first == 0x2f else {
            throw Refusal(reason: "path=\(values["path"] ?? ""): say the folder, from / on")
        }
        return path
    }

    func sample() throws(Refusal) -> Int {
        guard let text = values["sample"] else { return 1 }
        guard let sample = Int(text), (1...Self.maxSample).contains(sample) else {
            throw Refusal(reason: "sample=\(text): use 1 (every key) to \(Self.maxSample) (one key in so many)")
        }
        return sample
    }
}
