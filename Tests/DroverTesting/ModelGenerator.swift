/// Draws commands: every verb that writes, and reads of all kinds.
public struct ModelGenerator {
    public var random: SeededGenerator
    /// Stands in every opaque.
    let client: Int
    /// The last numbers seen, by key.
    public var cas: [String: String] = [:]
    /// Values of 260 KB and more too.
    public var hasLarge = true
    /// Behind what may be silent stands an `mn`: where errors are answered too, it tells whose they are.
    public var marksSilence = false
    private var sequence = 0

    public init(random: SeededGenerator, client: Int) {
        self.random = random
        self.client = client
    }

    public mutating func command() -> ModelCommand {
        var made = draw()
        switch made.reply {
        case .none, .quiet:
            made.isMarked = marksSilence
            if marksSilence { made.text += "mn\r\n" }
        default: break
        }
        return made
    }

    private mutating func draw() -> ModelCommand {
        let key = random.pick(ModelKey.all)
        switch random.pick(0..<20) {
        case 0...1: return read(from: key)
        case 2...6: return store(key)
        case 7: return compareAndStore(key)
        case 8: return delete(key)
        case 9...10: return arithmetic()
        case 11: return touch(key)
        case 12...13: return metaGet(key)
        case 14...16: return metaSet(key)
        case 17: return metaDelete(key)
        default: return metaArithmetic()
        }
    }

    // MARK: Classic commands

    private mutating func read(from key: ModelKey) -> ModelCommand {
        let keys =
            [key.name] + (0..<random.pick([0, 0, 1, 5])).map { _ in random.pick(ModelKey.all).name }
        let verb = random.pick(["get", "gets", "gets", "gat \(time())", "gats \(time())"])
        return ModelCommand(
            text: "\(verb) \(keys.joined(separator: " "))\r\n", key: key.name, reply: .values(keys))
    }

    private mutating func store(_ key: ModelKey) -> ModelCommand {
        let verb = random.pick(
            key.kind == .large ? ["set", "add", "replace"] : ["set", "set", "add", "replace", "append", "prepend"])
        let isAppended = verb.hasSuffix("pend")
        let body = value(of: key, appended: isAppended)
        let noreply = noreply()
        return ModelCommand(
            text: "\(verb) \(key.name) \(flags()) \(time()) \(body.utf8.count)\(noreply)\r\n\(body)\r\n", key: key.name,
            reply: noreply.isEmpty ? .line(["STORED", "NOT_STORED"]) : .none)
    }

    private mutating func compareAndStore(_ key: ModelKey) -> ModelCommand {
        let body = value(of: key, appended: false)
        let noreply = noreply()
        let number = cas[key.name] ?? unknownCAS
        return ModelCommand(
            text: "cas \(key.name) \(flags()) \(time()) \(body.utf8.count) \(number)\(noreply)\r\n\(body)\r\n",
            key: key.name, reply: noreply.isEmpty ? .line(["STORED", "EXISTS", "NOT_FOUND"]) : .none)
    }

    private mutating func delete(_ key: ModelKey) -> ModelCommand {
        let noreply = noreply()
        return ModelCommand(
            text: "delete \(key.name)\(noreply)\r\n", key: key.name,
            reply: noreply.isEmpty ? .line(["DELETED", "NOT_FOUND"]) : .none)
    }

    private mutating func touch(_ key: ModelKey) -> ModelCommand {
        let noreply = noreply()
        return ModelCommand(
            text: "touch \(key.name) \(time())\(noreply)\r\n", key: key.name,
            reply: noreply.isEmpty ? .line(["TOUCHED", "NOT_FOUND"]) : .none)
    }

    private mutating func arithmetic() -> ModelCommand {
        let key = number()
        let noreply = noreply()
        return ModelCommand(
            text: "\(random.pick(["incr", "decr"])) \(key.name) \(random.pick(0..<1000))\(noreply)\r\n", key: key.name,
            reply: noreply.isEmpty ? .number(["NOT_FOUND", Self.notANumber]) : .none)
    }

    // MARK: Meta commands

    private mutating func metaGet(_ key: ModelKey) -> ModelCommand {
        var flags = some(of: ["v", "f", "t", "s", "k", "c", "c", "u"])
        if random.once(in: 4) { flags.append("T\(time())") }
        // Whatever increments the empty value of a stub reads behind it.
        if key.kind != .number && random.once(in: 4) { flags.append("N\(random.pick(["0", "100", "3600"]))") }
        return meta("mg", key, flags, codes: ["HD", "VA", "EN"])
    }

    private mutating func metaSet(_ key: ModelKey) -> ModelCommand {
        let mode = random.pick(
            key.kind == .large ? ["", "MS", "ME", "MR"] : ["", "MS", "ME", "MA", "MP", "MR"])
        let isAppended = mode == "MA" || mode == "MP"
        let body = value(of: key, appended: isAppended)
        var flags = some(of: ["c", "k"]) + (mode.isEmpty ? [] : [mode])
        if random.once(in: 2) { flags.append("F\(self.flags())") }
        if random.once(in: 2) { flags.append("T\(time())") }
        if isAppended && random.once(in: 2) { flags.append("N\(random.pick(["0", "100"]))") }
        if random.once(in: 4) { flags.append("C\(cas[key.name] ?? unknownCAS)") }
        return meta("ms", key, flags, body: body, codes: ["HD", "NS", "EX", "NF"])
    }

    private mutating func metaDelete(_ key: ModelKey) -> ModelCommand {
        let flags = some(of: ["k"]) + (random.once(in: 3) ? ["C\(cas[key.name] ?? unknownCAS)"] : [])
        return meta("md", key, flags, codes: ["HD", "NF", "EX"])
    }

    private mutating func metaArithmetic() -> ModelCommand {
        let key = number()
        var flags = some(of: ["v", "t", "c", "k"])
        if random.once(in: 2) { flags.append("D\(random.pick(0..<1000))") }
        if random.once(in: 2) { flags.append(random.pick(["MI", "MD", "M+", "M-"])) }
        if random.once(in: 3) { flags += ["N\(random.pick(["0", "100"]))", "J5000000000"] }
        if random.once(in: 5) { flags.append("C\(cas[key.name] ?? unknownCAS)") }
        return meta("ma", key, flags, codes: ["HD", "VA", "NF", "NS", "EX", Self.notANumber], mayBeQuiet: false)
    }

    private mutating func meta(
        _ verb: String, _ key: ModelKey, _ flags: [String], body: String? = nil, codes: [String],
        mayBeQuiet: Bool = true
    ) -> ModelCommand {
        sequence += 1
        let opaque = "\(client).\(sequence)"
        let isQuiet = mayBeQuiet && random.once(in: 6)
        let all = (flags + ["O\(opaque)"] + (isQuiet ? ["q"] : [])).shuffled(using: &random)
        let start = "\(verb) \(key.name)" + (body.map { " \($0.utf8.count)" } ?? "")
        return ModelCommand(
            text: "\(start) \(all.joined(separator: " "))\r\n" + (body.map { "\($0)\r\n" } ?? ""), key: key.name,
            reply: isQuiet ? .quiet(codes, opaque: opaque) : .meta(codes, opaque: opaque))
    }

    // MARK: Parts

    private static let notANumber = "CLIENT_ERROR"

    private mutating func number() -> ModelKey { random.pick(ModelKey.all.filter { $0.kind == .number }) }

    private mutating func some(of choices: [String]) -> [String] {
        var chosen: [String] = []
        for choice in choices where random.once(in: 2) && !chosen.contains(choice) { chosen.append(choice) }
        return chosen
    }

    private mutating func noreply() -> String { random.once(in: 6) ? " noreply" : "" }

    private mutating func flags() -> String { random.pick(["0", "1", "65535", "4294967295"]) }

    /// None that ends before the copies were compared, but for what ends at once; one over 30 days is a date.
    private mutating func time() -> String {
        random.pick(["0", "0", "1000", "3600", "2592000", "2000000000", "-1"])
    }

    private mutating func value(of key: ModelKey, appended: Bool) -> String {
        switch key.kind {
        // Ten digits, and they stay that many: whether a shorter number is padded depends on who holds the item.
        case .number: return appended ? "x" : String(Int.random(in: 4_000_000_000...6_000_000_000, using: &random))
        case .large where hasLarge && random.once(in: 6):
            return String(repeating: key.letter, count: random.pick(260_000..<400_000))
        default:
            let fill = String(repeating: key.letter, count: random.pick([1, 3, 30, appended ? 30 : 2000]))
            return "\(fill)\(random.pick(0..<1_000_000))"
        }
    }
}

/// A number that no server has given out. With `I` a lower one than the item's is good enough: this is above all, and
/// above those that name their node, which compare with nothing else.
public let unknownCAS = "18000000000000000000"
