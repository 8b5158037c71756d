/// A memcached with the commands that the engine's tests send, as bytes in and bytes out. Its clock stands: what is
/// given a time keeps it.
struct FakeNode {
    struct Item {
        var flags: String
        var data: [UInt8]
        var cas: UInt64 = 0
        /// Seconds; 0 is for ever.
        var time = 0
        /// Made by `mg N` or won by nobody yet: the first to ask gets it.
        var isStub = false
        /// By `md I`; and who asked first has been told to replace it.
        var isStale = false
        var isWon = false
    }

    /// What a store came to.
    enum Stored { case stored, notStored, exists, notFound }

    var items: [String: Item] = [:]
    /// Command lines as they came, connection after connection mixed.
    private(set) var seen: [String] = []
    /// Takes bytes and answers nothing.
    var isFrozen = false
    /// Knows `me`.
    var knowsDebug = false
    /// The last that was given out. Nodes that begin apart give out numbers of their own.
    var cas: UInt64 = 6

    mutating func forget() { seen = [] }

    /// Works off the whole commands at the start of `input` and returns the replies.
    /// - Parameter most: commands at once.
    mutating func answer(_ input: inout [UInt8], most: Int = .max) -> [UInt8] {
        var reply: [UInt8] = []
        var used = 0
        var count = 0
        while !isFrozen, count < most, let newline = input[used...].firstIndex(of: 0x0a) {
            let line = String(decoding: input[used..<(newline - 1)], as: UTF8.self)
            let words = line.split(separator: " ").map(String.init)
            var end = newline + 1
            if Self.stores.contains(words[0]), let length = Int(words[words[0] == "ms" ? 2 : 4]) {
                guard input.count >= end + length + 2 else { break }
                reply += store(words, Array(input[end..<(end + length)]))
                end += length + 2
            } else {
                reply += answer(words)
            }
            seen.append(line)
            used = end
            count += 1
        }
        input.removeFirst(used)
        return reply
    }

    private static let stores: Set = ["set", "add", "replace", "append", "prepend", "cas", "ms"]

    private mutating func store(_ words: [String], _ data: [UInt8]) -> [UInt8] {
        if words[0] == "ms" { return metaSet(words, data) }
        let new = Item(flags: words[2], data: data, time: Int(words[3])!)
        let expected = words[0] == "cas" ? UInt64(words[5]) : nil
        switch store(words[0] == "cas" ? "set" : words[0], words[1], new, expected: expected) {
        case .stored: return Array("STORED\r\n".utf8)
        case .notStored: return Array("NOT_STORED\r\n".utf8)
        case .exists: return Array("EXISTS\r\n".utf8)
        case .notFound: return Array("NOT_FOUND\r\n".utf8)
        }
    }

    /// - Parameter expected: the number that the item must have.
    mutating func store(_ verb: String, _ key: String, _ item: Item, expected: UInt64?) -> Stored {
        var item = item
        if let expected {
            guard let old = items[key] else { return .notFound }
            guard old.cas == expected else { return .exists }
        }
        switch verb {
        case "add": if items[key] != nil { return .notStored }
        case "replace": if items[key] == nil { return .notStored }
        case "append", "prepend":
            guard let old = items[key] else { return .notStored }
            item.data = verb == "append" ? old.data + item.data : item.data + old.data
            (item.flags, item.time) = (old.flags, old.time)
        default: break
        }
        // One that is over as it comes.
        items[key] = item.time < 0 ? nil : item
        touchNumber(of: key)
        return .stored
    }

    /// Gives the item the next number.
    mutating func touchNumber(of key: String) {
        cas += 1
        items[key]?.cas = cas
    }

    private mutating func answer(_ words: [String]) -> [UInt8] {
        switch words[0] {
        case "version": return Array("VERSION 1.6.38\r\n".utf8)
        case "get", "gets": return values(words.dropFirst(), withNumbers: words[0] == "gets")
        case "gat", "gats":
            var reply: [UInt8] = []
            for key in words.dropFirst(2) {
                reply += values([key], withNumbers: words[0] == "gats").dropLast(5)
                touch(key, Int(words[1])!)
            }
            return reply + line("END")
        case "delete": return line(items.removeValue(forKey: words[1]) == nil ? "NOT_FOUND" : "DELETED")
        case "touch":
            guard items[words[1]] != nil else { return line("NOT_FOUND") }
            touch(words[1], Int(words[2])!)
            return line("TOUCHED")
        case "incr", "decr":
            guard items[words[1]] != nil else { return line("NOT_FOUND") }
            guard let number = count(words[1], by: UInt64(words[2])!, up: words[0] == "incr") else {
                return line(Self.notANumber)
            }
            return line("\(number)")
        case "mg": return metaGet(words)
        case "md": return metaDelete(words)
        case "ma": return metaArithmetic(words)
        case "mn": return line("MN")
        case "me" where knowsDebug:
            guard let item = items[words[1]] else { return line("EN") }
            return line("ME \(words[1]) exp=\(item.time) la=0 cas=\(item.cas) fetch=no cls=1 size=64")
        case "flush_all":
            items = [:]
            return line("OK")
        default: return line("ERROR")
        }
    }

    private func values(_ keys: ArraySlice<String>, withNumbers: Bool) -> [UInt8] {
        var reply: [UInt8] = []
        for key in keys {
            guard let item = items[key] else { continue }
            let number = withNumbers ? " \(item.cas)" : ""
            reply += line("VALUE \(key) \(item.flags) \(item.data.count)\(number)") + item.data + [0x0d, 0x0a]
        }
        return reply + line("END")
    }

    mutating func touch(_ key: String, _ time: Int) {
        items[key]?.time = time
        if time < 0 { items[key] = nil }
    }

    /// The new number; nil where there is none.
    mutating func count(_ key: String, by delta: UInt64, up: Bool) -> UInt64? {
        guard let item = items[key], let old = UInt64(String(decoding: item.data, as: UTF8.self)) else { return nil }
        let new = up ? old &+ delta : old - min(old, delta)
        items[key]?.data = Array("\(new)".utf8)
        touchNumber(of: key)
        return new
    }

    func line(_ text: String) -> [UInt8] { Array("\(text)\r\n".utf8) }

    static let notANumber = "CLIENT_ERROR cannot increment or decrement non-numeric value"
}
