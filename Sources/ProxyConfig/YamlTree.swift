/// Builds one document's tree from its events, within bounds that no sane config meets.
struct YamlTree {
    /// Levels of nesting.
    static let maxDepth = 16
    /// Values in all, each use of an alias counted as if it were written out.
    static let maxSize = 200_000

    private let events: YamlEvents
    /// Finished anchored values, and nil for one that is still being read.
    private var anchors: [String: YamlNode?] = [:]
    private var size = 0

    private init(_ text: [UInt8]) {
        events = YamlEvents(text)
    }

    /// The only document of a UTF-8 text; an empty text is a null scalar.
    static func parse(_ text: [UInt8]) throws(YamlProblem) -> YamlNode {
        if let zero = text.firstIndex(of: 0) {
            let position = YamlEvents.position(ofByte: zero, in: text)
            throw YamlProblem(message: "a zero byte: this is not a text file", position: position)
        }
        var tree = YamlTree(text)
        return try tree.document()
    }

    private mutating func document() throws(YamlProblem) -> YamlNode {
        var root: YamlNode?
        while true {
            let event = try events.next()
            switch event.kind {
            case .streamStart, .documentEnd: continue
            case .streamEnd:
                let nothing = YamlNode(content: .scalar("", plain: true), position: event.position, size: 1)
                return root ?? nothing
            case .documentStart:
                guard root == nil else {
                    throw YamlProblem(
                        message: "a second document starts here; a config is one document", position: event.position)
                }
                root = try node(try events.next(), depth: 0)
            default:
                throw YamlProblem(message: "this is not a YAML document", position: event.position)
            }
        }
    }

    private mutating func node(_ event: YamlEvent, depth: Int) throws(YamlProblem) -> YamlNode {
        guard depth < Self.maxDepth else {
            throw YamlProblem(message: "nested deeper than \(Self.maxDepth) levels", position: event.position)
        }
        if let tag = event.tag, !tag.hasPrefix("tag:yaml.org,2002:"), tag != "!" {
            throw YamlProblem(message: "the tag \(tag) means nothing here; remove it", position: event.position)
        }
        if let anchor = event.anchor { anchors.updateValue(nil, forKey: anchor) }
        var node: YamlNode
        switch event.kind {
        case .scalar(let text, let plain):
            node = YamlNode(content: .scalar(text, plain: plain), position: event.position, size: 1)
            try count(1, at: event.position)
        case .sequenceStart: node = try sequence(event.position, depth: depth)
        case .mappingStart: node = try mapping(event.position, depth: depth)
        case .alias(let name): node = try aliased(name, at: event.position)
        default: throw YamlProblem(message: "a value is missing here", position: event.position)
        }
        if let anchor = event.anchor { anchors.updateValue(node, forKey: anchor) }
        return node
    }

    private mutating func aliased(_ name: String, at position: TextPosition) throws(YamlProblem) -> YamlNode {
        guard let known = anchors[name] else {
            throw YamlProblem(message: "*\(name) has no &\(name) before it", position: position)
        }
        guard let node = known else {
            throw YamlProblem(message: "*\(name) is inside &\(name) itself", position: position)
        }
        try count(node.size, at: position)
        return node
    }

    private mutating func count(_ more: Int, at position: TextPosition) throws(YamlProblem) {
        size += more
        guard size <= Self.maxSize else {
            throw YamlProblem(
                message: "more than \(Self.maxSize) values once aliases are written out", position: position)
        }
    }

    private mutating func sequence(_ start: TextPosition, depth: Int) throws(YamlProblem) -> YamlNode {
        try count(1, at: start)
        var items: [YamlNode] = []
        var total = 1
        while true {
            let event = try events.next()
            if case .sequenceEnd = event.kind { break }
            let item = try node(event, depth: depth + 1)
            total += item.size
            items.append(item)
        }
        return YamlNode(content: .sequence(items), position: start, size: total)
    }

    private mutating func mapping(_ start: TextPosition, depth: Int) throws(YamlProblem) -> YamlNode {
        try count(1, at: start)
        var entries: [YamlEntry] = []
        var inherited: [YamlEntry] = []
        var seen: [String: TextPosition] = [:]
        var total = 1
        while true {
            let event = try events.next()
            if case .mappingEnd = event.kind { break }
            guard case .scalar(let key, let plain) = event.kind else {
                throw YamlProblem(message: "a key must be a single word", position: event.position)
            }
            if let first = seen.updateValue(event.position, forKey: key) {
                throw YamlProblem(
                    message: "\"\(key)\" is here twice; the first is on line \(first.line). Keep one",
                    position: event.position)
            }
            var value = try node(try events.next(), depth: depth + 1)
            // Where nothing is written, the key is the place to show.
            if value.isNull { value.position = event.position }
            total += value.size
            if plain && key == "<<" {
                inherited += try Self.merged(value)
            } else {
                entries.append(YamlEntry(key: key, position: event.position, value: value))
            }
        }
        // YAML's merge key: what is written here wins, then the first of those merged.
        for entry in inherited where seen.updateValue(entry.position, forKey: entry.key) == nil {
            entries.append(entry)
        }
        return YamlNode(content: .mapping(entries), position: start, size: total)
    }

    private static func merged(_ node: YamlNode) throws(YamlProblem) -> [YamlEntry] {
        switch node.content {
        case .mapping(let entries): return entries
        case .sequence(let items):
            var all: [YamlEntry] = []
            for item in items {
                guard case .mapping(let entries) = item.content else { continue }
                all += entries
            }
            return all
        case .scalar:
            throw YamlProblem(message: "<< takes a map, such as *name of an anchored one", position: node.position)
        }
    }
}
