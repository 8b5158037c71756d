/// The meta commands, with the flags that are needed for copies.
extension FakeNode {
    /// A meta command's flags, by letter.
    private struct Flags {
        /// As they came, with their arguments.
        let words: ArraySlice<String>

        func has(_ letter: Character) -> Bool { words.contains { $0.first == letter } }
        subscript(_ letter: Character) -> String? { words.first { $0.first == letter }.map { String($0.dropFirst()) } }
        func number(_ letter: Character) -> UInt64? { self[letter].flatMap { UInt64($0) } }
        func time(_ letter: Character) -> Int? { self[letter].flatMap { Int($0) } }
    }

    /// A reply's line: what each flag asks for, in the order of the flags.
    private func reply(_ code: String, _ key: String, _ flags: Flags, _ more: String = "") -> [UInt8] {
        let item = items[key]
        var words = [code]
        for word in flags.words {
            switch word.first {
            case "O": words.append(word)
            case "k": words.append("k\(key)")
            case "c": words.append("c\(item?.cas ?? 0)")
            case "f": words.append("f\(item?.flags ?? "0")")
            case "s": words.append("s\(item?.data.count ?? 0)")
            case "t": words.append("t\(item.map { $0.time == 0 ? -1 : $0.time } ?? 0)")
            default: break
            }
        }
        return line(words.joined(separator: " ") + more)
    }

    /// A reply that tells nothing of an item.
    private func plain(_ code: String, _ key: String, _ flags: Flags) -> [UInt8] {
        reply(code, key, Flags(words: flags.words.filter { $0.first == "O" || $0.first == "k" }[...]))
    }

    private func isQuiet(_ flags: Flags, _ code: String) -> Bool { flags.has("q") && code == "HD" }

    mutating func metaGet(_ words: [String]) -> [UInt8] {
        let (key, flags) = (words[1], Flags(words: words.dropFirst(2)))
        var won = ""
        if items[key] == nil {
            guard let time = flags.time("N") else { return flags.has("q") ? [] : plain("EN", key, flags) }
            items[key] = Item(flags: "0", data: [], time: max(time, 0))
            touchNumber(of: key)
            items[key]?.isStub = true
            won = " W"
        } else if items[key]!.isStub {
            won = " Z"
        } else if items[key]!.isStale {
            won = items[key]!.isWon ? " Z X" : " X W"
            items[key]?.isWon = true
        }
        if let time = flags.time("T") { items[key]?.time = time }
        defer { if let time = flags.time("T") { touch(key, time) } }
        guard flags.has("v") else { return reply("HD", key, flags, won) }
        let data = items[key]!.data
        return reply("VA \(data.count)", key, flags, won) + data + [0x0d, 0x0a]
    }

    mutating func metaSet(_ words: [String], _ data: [UInt8]) -> [UInt8] {
        let (key, flags) = (words[1], Flags(words: words.dropFirst(3)))
        let verbs = ["E": "add", "R": "replace", "A": "append", "P": "prepend"]
        var verb = flags["M"].flatMap { verbs[$0] } ?? "set"
        if verb.hasSuffix("pend"), items[key] == nil, flags.has("N") { verb = "set" }
        let new = Item(flags: flags["F"] ?? "0", data: data, time: flags.time("T") ?? flags.time("N") ?? 0)
        let code =
            switch store(verb, key, new, expected: flags.number("C")) {
            case .stored: "HD"
            case .notStored: "NS"
            case .exists: "EX"
            case .notFound: "NF"
            }
        if code == "HD", let chosen = flags.number("E") { items[key]?.cas = chosen }
        return isQuiet(flags, code) ? [] : code == "HD" ? reply(code, key, flags) : plain(code, key, flags)
    }

    mutating func metaDelete(_ words: [String]) -> [UInt8] {
        let (key, flags) = (words[1], Flags(words: words.dropFirst(2)))
        guard let item = items[key] else { return plain("NF", key, flags) }
        if let expected = flags.number("C"), item.cas != expected { return plain("EX", key, flags) }
        if flags.has("I") {
            (items[key]!.isStale, items[key]!.isWon) = (true, false)
            touchNumber(of: key)
            if let chosen = flags.number("E") { items[key]?.cas = chosen }
        } else {
            items[key] = nil
        }
        return isQuiet(flags, "HD") ? [] : plain("HD", key, flags)
    }

    mutating func metaArithmetic(_ words: [String]) -> [UInt8] {
        let (key, flags) = (words[1], Flags(words: words.dropFirst(2)))
        if let item = items[key] {
            if let expected = flags.number("C"), item.cas != expected { return plain("EX", key, flags) }
            let isUp = flags["M"].map { $0 != "D" && $0 != "-" } ?? true
            guard count(key, by: flags.number("D") ?? 1, up: isUp) != nil else { return line(Self.notANumber) }
            if let time = flags.time("T") { touch(key, time) }
            if flags.has("q") { return [] }
        } else {
            guard let time = flags.time("N") else { return plain("NF", key, flags) }
            items[key] = Item(flags: "0", data: Array((flags["J"] ?? "0").utf8), time: max(time, 0))
            touchNumber(of: key)
        }
        // That it was made is told however quietly it was asked.
        guard flags.has("v") else { return reply("HD", key, flags) }
        let data = items[key]?.data ?? []
        return reply("VA \(data.count)", key, flags) + data + [0x0d, 0x0a]
    }
}
