internal import ProxyCore

/// A node as twemproxy's users write it: `address[:weight][ name]`.
enum NodeText {
    /// Weights that a node may have; twemproxy's own example goes to the upper end.
    static let weights = 1...100_000
    /// Bytes of a node's name.
    static let maxName = 128

    static func parse(_ text: String) throws(Refusal) -> NodeSettings {
        let (place, name) = splitName(text)
        var node: NodeSettings
        if let path = EndpointText.path(place) {
            node = try unixNode(path)
        } else {
            let (host, rest) = try EndpointText.splitHost(place)
            let numbers = rest.dropFirst().split(separator: ":", omittingEmptySubsequences: false)
            guard rest.hasPrefix(":"), let port = numbers.first else {
                throw Refusal(reason: "\"\(place)\" has no port; write \(place):11211")
            }
            guard numbers.count <= 2 else {
                throw Refusal(reason: "\"\(place)\" has too many parts; a node is host:port:weight name")
            }
            node = NodeSettings(address: .tcp(host: host, port: try EndpointText.port(String(port), of: place)))
            if numbers.count == 2 { node.weight = try weight(String(numbers[1])) }
        }
        if let name { node.name = try checkedName(name) }
        return node
    }

    /// An address alone, for nodes that are maps.
    static func address(_ text: String) throws(Refusal) -> Endpoint { try EndpointText.parse(text) }

    private static func unixNode(_ path: String) throws(Refusal) -> NodeSettings {
        guard let colon = path.lastIndex(of: ":") else {
            return NodeSettings(address: .unix(path: try EndpointText.checkedPath(path)))
        }
        let weight = try weight(String(path[path.index(after: colon)...]))
        let checked = try EndpointText.checkedPath(String(path[..<colon]))
        return NodeSettings(address: .unix(path: checked), weight: weight)
    }

    /// The name is what follows the last space, as in twemproxy.
    static func splitName(_ text: String) -> (place: String, name: String?) {
        guard let space = text.lastIndex(of: " ") else { return (text, nil) }
        let place = text[..<space]
        let trimmed = place.prefix(place.count - place.reversed().prefix { $0 == " " }.count)
        return (String(trimmed), String(text[text.index(after: space)...]))
    }

    static func weight(_ text: String) throws(Refusal) -> Int {
        guard !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            throw Refusal(reason: "\"\(text)\" is not a weight; a weight is a whole number from \(weights.lowerBound)")
        }
        guard let weight = Int(text), weights.contains(weight) else {
            throw Refusal(
                reason: "weight \(text) is out of range; weights are \(weights.lowerBound) to \(weights.upperBound)")
        }
        return weight
    }

    /// Names go into rings, metrics and one-line outputs, so they hold no spaces or control characters.
    static func checkedName(_ name: String) throws(Refusal) -> String {
        guard !name.isEmpty else { throw Refusal(reason: "a name is empty") }
        guard name.utf8.count <= maxName else {
            throw Refusal(reason: "a name has \(name.utf8.count) bytes; names have at most \(maxName)")
        }
        guard name.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else {
            throw Refusal(reason: "\"\(name)\" is no name: names have no spaces or control characters")
        }
        return name
    }
}
