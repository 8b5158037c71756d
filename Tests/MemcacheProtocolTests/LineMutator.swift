import DroverTesting

/// Makes lines that are almost like those of the tables.
enum LineMutator {
    private static let pieces = [
        "noreply", "0", "1", "-1", "+1", "\t1", "1\t", "007", "2147483647", "2147483648", "4294967295", "4294967296",
        "9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616",
        "-9223372036854775808", "-18446744073709551615", "b", "v", "q", "k", "T0", "T-1", "N30", "E5", "C1", "I", "x",
        "ME", "MA", "MX", "M", "D5", "J7", "F1", "Ooo", "S5", "s", "t", "c", "f", "h", "l", "u", "P", "L", "R9", "YWJj",
        "YQ==", "YWIKY2Q=", "get", "mg", "ms", "HTTP/1.1", "\0", "\r", "é", "a", "k",
    ]

    static func mutate(_ line: String, _ generator: inout SeededGenerator) -> [UInt8] {
        var tokens = line.utf8.split(whereSeparator: { $0 == 0x20 || $0 == 0x0a || $0 == 0x0d }).map { Array($0) }
        for _ in 0...Int.random(in: 0...3, using: &generator) {
            let at = Int.random(in: 0...tokens.count, using: &generator)
            switch Int.random(in: 0..<8, using: &generator) {
            case 0...2: tokens.insert(Array(generator.pick(pieces).utf8), at: at)
            case 3, 4: if at < tokens.count { tokens[at] = Array(generator.pick(pieces).utf8) }
            case 5: if at < tokens.count { tokens.remove(at: at) }
            case 6: if at < tokens.count { tokens.swapAt(at, Int.random(in: 0..<tokens.count, using: &generator)) }
            default: if at < tokens.count { tokens[at] = spoil(tokens[at], &generator) }
            }
        }
        var bytes: [UInt8] = []
        for (index, token) in tokens.enumerated() {
            if index > 0 || generator.once(in: 20) { bytes.append(0x20) }
            if generator.once(in: 30) { bytes.append(0x20) }
            bytes += token
        }
        bytes.removeAll { $0 == 0x0a }
        if !generator.once(in: 6) { bytes.append(0x0d) }
        bytes.append(0x0a)
        return isHarmful(bytes) || bytes[0] == 0x80 ? Array("mn\r\n".utf8) : bytes
    }

    private static func spoil(_ token: [UInt8], _ generator: inout SeededGenerator) -> [UInt8] {
        var token = token
        let at = Int.random(in: 0..<max(1, token.count), using: &generator)
        if generator.once(in: 2) {
            token.insert(UInt8.random(in: 0...255, using: &generator), at: min(at, token.count))
        } else if !token.isEmpty {
            token[at] = UInt8.random(in: 0...255, using: &generator)
        }
        return token
    }

    /// Commands that Drover answers otherwise than memcached does on purpose, or that would change the server under
    /// the test: their names never come from the tables, so only an accident could make them.
    private static func isHarmful(_ line: [UInt8]) -> Bool {
        let text = String(decoding: line, as: UTF8.self)
        return ["lru", "slabs", "watch", "shutdown", "cache_", "extstore", "refresh_", "__drover"]
            .contains { text.contains($0) }
    }
}
