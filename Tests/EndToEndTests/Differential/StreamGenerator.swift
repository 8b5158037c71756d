import DroverTesting

/// Makes streams that one memcached answers alike each time: see the notes at each exclusion.
struct StreamGenerator {
    /// Malformed commands too.
    var malformed = true
    /// What only the newer memcached knows.
    var newer = true
    /// flush_all, which touches other streams' keys.
    var flushes = true
    /// Commands whose answer does not tell what they did. Copies are compared behind each, and on nodes before 1.6.27 a
    /// stale item that is compared gets another CAS number. CAS numbers need not be the same (P9), but a later cas tells.
    var ambiguous = true
    /// Items are made stale.
    var invalidates = true

    var random: SeededGenerator
    /// Values are not numbers, and not empty: incr of an empty value reads behind it.
    private var words: [String] = []
    /// Values are ten digits and keep that length: whether a shorter number is padded depends on who holds the item.
    private var numbers: [String] = []
    /// Binary keys, in base64.
    private var encoded: [String] = []
    private var chosenCAS = firstChosenCAS
    /// A delayed flush takes an immediate one back for those items that memcached has not reclaimed yet, so that a
    /// stream has one kind or the other.
    private var flushesLater = false

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
    }

    mutating func stream() -> Stream {
        let prefix = "d" + String(random.seed, radix: 36)
        words = ["\(prefix)a", "\(prefix)b", "\(prefix)c", "{\(prefix)}:d"]
        if random.once(in: 4) { words.append(prefix + String(repeating: "x", count: 250 - prefix.utf8.count)) }
        numbers = ["\(prefix)n", "\(prefix)m"]
        encoded = ["A\0\(prefix)", "\u{1}\u{2}\(prefix)"].map { base64(Array($0.utf8)) }
        flushesLater = random.once(in: 2)
        var batches: [StreamBatch] = []
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let count = random.pick([1, 3, 8, 16, 30])
            let commands = (0..<count).flatMap { _ in command() }
            // What is written while all nodes are flushed is compared, too.
            let flushes = ambiguous ? [] : commands.filter(\.isFlush)
            batches.append(batch(flushes.isEmpty ? commands : commands.filter { !$0.isFlush }, .noop))
            if !flushes.isEmpty { batches.append(batch(flushes, .noop)) }
        }
        if random.once(in: 6) { batches[0].commands.insert(overlongKeyRead(), at: 0) }
        appendEnd(&batches)
        return Stream(seed: random.seed, batches: batches)
    }

    private mutating func appendEnd(_ batches: inout [StreamBatch]) {
        switch Int.random(in: 0..<10, using: &random) {
        case 0:
            // Nothing may stand behind quit: unread bytes make the kernel reset the connection.
            batches.append(
                batch(
                    (0..<3).flatMap { _ in command() }.filter { ambiguous || !$0.isFlush } + [
                        StreamCommand("quit\r\n")
                    ],
                    .closes))
        case 1 where malformed:
            // Alone and in one piece: memcached closes only if the newline is not in the same read.
            batches.append(
                batch([StreamCommand(String(repeating: random.pick(["x", "set k "]), count: 3000))], .closes))
        case 2...6 where malformed:
            let count = random.pick([1, 2, 6])
            let commands = (0..<count).flatMap { _ in
                let made = command()
                return random.once(in: 3) ? made : made.map { mutate($0) }
            }
            // Behind a spoilt command a long body may be read as a line: then it depends on the cuts who closes.
            batches.append(batch(commands.filter { !choosesCAS($0) && $0.bytes(cas: [:]).count < 1900 }, .endOfInput))
        default:
            batches.append(
                batch(command().filter { !choosesCAS($0) && (ambiguous || !$0.isFlush) }, .endOfInput))
        }
    }

    /// memcached keeps the number of a `ms … E` whose body never came, and gives it to a later client's set.
    private func choosesCAS(_ command: StreamCommand) -> Bool {
        countOccurrences(of: " E1", in: command.bytes(cas: [:])) > 0
    }

    private mutating func batch(_ commands: [StreamCommand], _ ending: StreamBatch.Ending) -> StreamBatch {
        StreamBatch(commands: commands, ending: ending, cutSeed: random.next())
    }

    // MARK: Commands

    /// Mostly one command.
    private mutating func command() -> [StreamCommand] {
        switch Int.random(in: 0..<30, using: &random) {
        case 0...3: return [read()]
        case 4...8: return [store()]
        case 9: return [StreamCommand("delete \(key())\(random.once(in: 8) ? " 0" : "")\(noreply())\r\n")]
        case 10: return [arithmetic()]
        case 11: return [StreamCommand("touch \(key()) \(time())\(noreply())\r\n")]
        case 12: return [compareAndStore()]
        case 13...17: return [metaGet()]
        case 18...21: return [metaSet()]
        case 22...23: return [metaDelete()]
        case 24...25: return [metaArithmetic()]
        case 26: return [StreamCommand("mn\r\n")]
        case 27: return [debug()]
        case 28: return [rare()]
        default: return malformed ? [badLine()] : [read()]
        }
    }

    private mutating func read() -> StreamCommand {
        let kind = random.pick([0, 0, 1, 1, 2, 3])
        // Only get and gets may have lines over 2048 bytes.
        let counts = kind < 2 ? [1, 1, 1, 2, 3, 5, 24, 60] : [1, 1, 2, 5]
        let keys = (0..<random.pick(counts)).map { _ in key() }.joined(separator: " ")
        switch kind {
        case 0: return StreamCommand("get \(keys)\r\n")
        case 1: return StreamCommand("gets \(keys)\r\n")
        case 2: return StreamCommand("gat \(time()) \(keys)\r\n")
        default: return StreamCommand("gats \(time()) \(keys)\r\n")
        }
    }

    /// Only at the start of a batch: it drops the replies that memcached has not yet written.
    private mutating func overlongKeyRead() -> StreamCommand {
        let long = String(repeating: "y", count: 251)
        guard malformed else { return StreamCommand("mn\r\n") }
        return StreamCommand(random.pick(["get \(long)\r\n", "gets \(long)\r\n", "gat 0 \(long)\r\n"]))
    }

    private mutating func store() -> StreamCommand {
        let verb = random.pick(["set", "set", "set", "add", "replace", "append", "prepend"])
        let key = key()
        let body = value(for: key, appended: verb.hasSuffix("pend"))
        return StreamCommand("\(verb) \(key) \(flags()) \(time()) \(body.utf8.count)\(noreply())\r\n\(body)\r\n")
    }

    private mutating func compareAndStore() -> StreamCommand {
        let key = key()
        let body = value(for: key, appended: false)
        let start = "cas \(key) \(flags()) \(time()) \(body.utf8.count) "
        let end = "\(noreply())\r\n\(body)\r\n"
        return StreamCommand(pieces: [.bytes(Array(start.utf8)), .cas(key: key), .bytes(Array(end.utf8))])
    }

    private mutating func arithmetic() -> StreamCommand {
        let key = random.once(in: 5) ? random.pick(words) : random.pick(numbers)
        return StreamCommand("\(random.pick(["incr", "decr"])) \(key) \(delta())\(noreply())\r\n")
    }

    private mutating func rare() -> StreamCommand {
        switch Int.random(in: 0..<8, using: &random) {
        // A short delay would strike in the middle of the stream, at one second or the next.
        // Not -1: what it drops depends on where in a second it comes.
        case 0...1 where flushes:
            StreamCommand("flush_all\(flushesLater ? " 5000" : random.pick(["", " 0"]))\(noreply())\r\n")
        case 2: StreamCommand("verbosity \(random.pick(["0", "1"]))\(noreply())\r\n")
        // What waits behind a large value may be overtaken, and is compared then.
        case 3 where ambiguous: largeStore()
        default: read()
        }
    }

    private mutating func largeStore() -> StreamCommand {
        // Between the two the limit depends on the length of the key: any node decides that by itself.
        let count = random.pick([5000, 20_000, 150_000, 1_000_000, 1_048_577, 2_000_000])
        let body = String(repeating: random.pick(["x", "yz"]), count: count)
        let key = random.pick(words)
        return random.once(in: 2)
            ? StreamCommand(
                "\(random.pick(["set", "add", "append"])) \(key) 0 0 \(body.utf8.count)\(noreply())\r\n\(body)\r\n")
            : StreamCommand("ms \(key) \(body.utf8.count) \(random.pick(["", "ME ", "q "]))\r\n\(body)\r\n")
    }

    // MARK: Meta commands

    private mutating func metaGet() -> StreamCommand {
        let (key, isEncoded) = metaKey()
        var flags = some(of: ["v", "v", "f", "t", "s", "k", "c", "u", "q"])
        // An item that arithmetic has replaced may have lost its marks: of having been read, of who renews it. Whether
        // it is replaced depends on who holds it.
        let keepsMarks = !numbers.contains(key)
        if keepsMarks { flags += some(of: ["h", "l"]) }
        if random.once(in: 8) { flags.append("T\(time())") }
        let recaches = keepsMarks && random.once(in: 8)
        if recaches { flags.append("R\(random.pick(["50", "500"]))") }
        // With a binary key a miss would answer the raw key.
        if !isEncoded && (ambiguous || !recaches) && random.once(in: 8) {
            flags.append("N\(random.pick(["0", "100", "3600"]))")
        }
        return meta("mg \(key)", flags + opaque() + (isEncoded ? ["b"] : []))
    }

    private mutating func metaSet() -> StreamCommand {
        let (key, isEncoded) = metaKey()
        let mode = random.pick(["", "", "", "MS", "ME", "MA", "MP", "MR", "Mset", "Me", "ma"])
        let appended = mode.lowercased() == "ma" || mode == "MP"
        let body = value(for: key, appended: appended)
        var flags = some(of: ["c", "k", "q"]) + (mode.isEmpty || mode == "ma" ? [] : [mode])
        if random.once(in: 3) { flags.append("F\(self.flags())") }
        if random.once(in: 3) { flags.append("T\(time())") }
        if appended && ambiguous && random.once(in: 2) { flags.append("N\(random.pick(["0", "100"]))") }
        let invalidates = random.once(in: 8) && !numbers.contains(key) && self.invalidates
        if invalidates { flags.append("I") }
        // After an error memcached keeps the number for the connection's next set.
        if newer && mode != "Me" && random.once(in: 8) { flags.append("E\(nextChosenCAS())") }
        if newer && random.once(in: 8) { flags.append("s") }
        flags += opaque() + (isEncoded ? ["b"] : [])
        let compares = (ambiguous || !invalidates) && random.once(in: 5)
        return meta("ms \(key) \(body.utf8.count)", flags, casOf: compares ? key : nil, body: body)
    }

    private mutating func metaDelete() -> StreamCommand {
        let (key, isEncoded) = metaKey()
        var flags = some(of: ["q", "k"])
        // Whether incr of a stale counter leaves it stale depends on who holds the item.
        if random.once(in: 3), !numbers.contains(key), invalidates { flags.append("I") }
        if random.once(in: 4) { flags.append("T\(time())") }
        if newer && random.once(in: 6) { flags.append("x") }
        if newer && random.once(in: 8) { flags.append("E\(nextChosenCAS())") }
        flags += opaque() + (isEncoded ? ["b"] : [])
        return meta("md \(key)", flags, casOf: random.once(in: 4) ? key : nil)
    }

    private mutating func metaArithmetic() -> StreamCommand {
        let key = random.once(in: 5) ? random.pick(words) : random.pick(numbers)
        var flags = some(of: ["v", "t", "c", "k", "q"])
        if random.once(in: 2) { flags.append("D\(delta())") }
        if random.once(in: 2) { flags.append(random.pick(["MI", "MD", "M+", "M-", "Mi", "Mdecr"])) }
        // The counter starts with ten digits.
        let creates = random.once(in: 3) && numbers.contains(key) && (ambiguous || flags.contains("v"))
        if creates { flags += ["N\(random.pick(["0", "100"]))", "J5000000000"] }
        // No T: memcached loses it when a reply that is not yet written holds the item.
        return meta("ma \(key)", flags + opaque(), casOf: random.once(in: 5) ? key : nil)
    }

    private mutating func debug() -> StreamCommand {
        StreamCommand("me \(random.pick(words))\r\n")
    }

    private mutating func meta(
        _ start: String, _ flags: [String], casOf key: String? = nil, body: String? = nil
    ) -> StreamCommand {
        let text = ([start] + flags.shuffled(using: &random)).joined(separator: " ")
        let end = "\r\n" + (body.map { "\($0)\r\n" } ?? "")
        guard let key else { return StreamCommand(text + end) }
        return StreamCommand(pieces: [.bytes(Array("\(text) C".utf8)), .cas(key: key), .bytes(Array(end.utf8))])
    }

    private mutating func metaKey() -> (String, isEncoded: Bool) {
        random.once(in: 6) ? (random.pick(encoded), true) : (key(), false)
    }

    private mutating func opaque() -> [String] {
        random.once(in: 4) ? ["O\(random.pick(["1", "abc", "0123456789"]))"] : []
    }

    private mutating func nextChosenCAS() -> UInt64 {
        chosenCAS += 1
        return chosenCAS
    }

    // MARK: Parts

    private mutating func some(of choices: [String]) -> [String] {
        var chosen: [String] = []
        for choice in choices where random.once(in: 3) && !chosen.contains(choice) { chosen.append(choice) }
        return chosen
    }

    private mutating func key() -> String {
        random.once(in: 4) ? random.pick(numbers) : random.pick(words)
    }

    private mutating func noreply() -> String {
        random.once(in: 5) ? " noreply" : ""
    }

    private mutating func flags() -> String {
        random.pick(["0", "0", "1", "65535", "4294967295"])
    }

    /// Far from each other and from anything that a stream lives to see.
    private mutating func time() -> String {
        random.pick(["0", "0", "0", "100", "3600", "2592000", "2592001", "2000000000", "-1", "-100"])
    }

    private mutating func delta() -> String {
        random.pick(["0", "1", "7", "123456"])
    }

    private mutating func value(for key: String, appended: Bool) -> String {
        if numbers.contains(key) {
            return appended ? "x" : String(Int.random(in: 4_000_000_000...6_000_000_000, using: &random))
        }
        let length = random.pick([0, 1, 5, 20, 100, 100, 400, 3000])
        var text = "w"
        for _ in 0..<length { text.append(random.pick(letters)) }
        return random.once(in: 8) ? text + "\r\nend" : text
    }

    /// A line that is answered with an error and leaves the reader at the next line. Some ask for an absent key, because
    /// memcached marks the item as read before it finds the mistake, and no node sees the mistake.
    private mutating func badLine() -> StreamCommand {
        let key = key()
        let long = String(repeating: "k", count: 251)
        return StreamCommand(
            random.pick([
                "\r\n", "bogus\r\n", "GET \(key)\r\n", "get\r\n", "gets \r\n", "gat 0\r\n", "gat abc \(key)\r\n",
                "delete\r\n", "delete \(key) 10\r\n", "delete \(key) 0 noreply\r\n", "delete \(key) a b c\r\n",
                "delete \(long)\r\n", "incr \(key)\r\n", "incr \(key) abc\r\n", "incr \(key) -1\r\n",
                "decr \(key) 1 2 3\r\n",
                "incr \(long) 1\r\n", "touch \(key)\r\n", "touch \(key) abc\r\n", "touch \(long) 0\r\n", "mg\r\n",
                "mg \(long) v\r\n",
                "mg absent v v\r\n", "mg absent !\r\n", "mg absent O\(String(repeating: "o", count: 40))\r\n",
                "mg absent Tabc\r\n",
                "md\r\n", "md \(long)\r\n", "md \(key) q q\r\n", "md \(key) Cabc\r\n", "ma\r\n", "ma \(key) Dabc\r\n",
                "ma \(key) MX\r\n",
                "ma \(key) N\r\n", "ma \(long)\r\n", "ms\r\n", "ms \(key)\r\n", "ms \(key) abc\r\n", "ms \(key) -1\r\n",
                "me\r\n", "me \(long)\r\n", "mg not*base64 b v\r\n", "md a b\r\n", "mnx\r\n", "set\r\n",
                "set \(key)\r\n",
                "set \(key) 0 0\r\n", "cas \(key) 0 0 1\r\n", "verbosity\r\n", "verbosity abc\r\n", "flush_all abc\r\n",
                "  get \(key)\r\n", "get  \(key)\r\n", "get \(key) \r\n", "get \(key)\n", "mg \(key) v\n",
                "mg  \(key)  v \r\n",
                "set \(key) 0 0 -1\r\n", "touch \(key) 0 0 0\r\n",
            ]))
    }
}

private let letters = Array("abcdefghijklmnopqrstuvwxyz0123456789")
