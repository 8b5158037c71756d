import DroverTesting

extension StreamGenerator {
    /// The command with its line or its body spoilt; what follows may be read as anything, so the stream ends with it.
    mutating func mutate(_ command: StreamCommand) -> StreamCommand {
        let bytes = command.bytes(cas: [:])
        // Nor a long body: where the line is refused, memcached may read its body as a line.
        guard let newline = bytes.firstIndex(of: 10), bytes.count < 1900 else { return command }
        var line = Array(bytes[..<newline])
        if line.last == 13 { line.removeLast() }
        var body = Array(bytes[(newline + 1)...])
        var ending: [UInt8] = [13, 10]
        switch Int.random(in: 0..<12, using: &random) {
        case 0...6: line = mutatedWords(line)
        case 7: ending = random.pick([[10], [13, 13, 10], [32, 13, 10], [13], [0, 13, 10]])
        case 8: body.append(contentsOf: Array("zz".utf8))
        case 9: body = Array(body.dropLast(random.pick([1, 2, 3])))
        case 10: body = body.dropLast(2) + [120, 120, 13, 10]
        default: line = Array(repeating: 32, count: random.pick([1, 5])) + line
        }
        // A classic read with an overlong key drops the replies that are not yet written, and one without an end of its
        // own may get the key from the next line.
        let reads = line.drop { $0 == 32 }.starts(with: "g".utf8)
        if reads && (ending.last != 10 || line.split(separator: 32).contains(where: { $0.count >= 250 })) {
            return command
        }
        // Over 2048 bytes it would depend on the cuts whether memcached closes.
        guard line.count < 1900 else { return command }
        return StreamCommand(pieces: [.bytes(line + ending + body)])
    }

    private mutating func mutatedWords(_ line: [UInt8]) -> [UInt8] {
        var words = line.split(separator: 32, omittingEmptySubsequences: false).map(Array.init)
        let index = Int.random(in: 0..<words.count, using: &random)
        switch Int.random(in: 0..<6, using: &random) {
        case 0: words.remove(at: index)
        case 1: words.insert(words[index], at: index)
        case 2: words.swapAt(index, Int.random(in: 0..<words.count, using: &random))
        case 3: words.insert(junk(), at: index)
        case 4: words.append(junk())
        default: words[index] = junk()
        }
        // Not a verb that a proxy does not have, and not the start of the binary protocol.
        if words.first.map({ $0.first ?? 0 >= 0x80 }) == true { words[0] = Array("get".utf8) }
        return Array(words.joined(separator: [32]))
    }

    private mutating func junk() -> [UInt8] {
        let long = String(repeating: "j", count: 251)
        return Array(
            random.pick(
                [
                    "", "-1", "abc", "0", "3", "4294967295", "4294967296", "2147483648", "18446744073709551615",
                    "18446744073709551616",
                    "99999999999999999999", "1.5", "0x10", "+1", "noreply", "q", "v", "k", "b", "c", "T", "T-", "F",
                    "C", "CX", "M", "MX", "O",
                    "N", "I", "S", "S5", "!", "\0", "a\0b", "a\rb", "é", "\t", long, String(repeating: "j", count: 250),
                ].map { $0 }
            ).utf8)
    }
}

/// Base64 with padding.
func base64(_ bytes: [UInt8]) -> String {
    let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var text: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: 3) {
        let group = (0..<3).map { start + $0 < bytes.count ? UInt32(bytes[start + $0]) : 0 }
        let bits = group[0] << 16 | group[1] << 8 | group[2]
        for digit in 0..<4 {
            text.append(start + digit <= bytes.count ? digits[Int(bits >> (18 - 6 * UInt32(digit))) & 63] : 61)
        }
    }
    return String(decoding: text, as: UTF8.self)
}
