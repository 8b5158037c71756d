import DroverTesting

/// Compares two sides' replies byte for byte, but for CAS numbers, which are mapped, and seconds, which may have moved on.
///
/// A CAS number of the first side is one version of one item, so it must always meet the same number on the second.
/// The other way round that need not hold: each node counts by itself.
struct ReplyComparison {
    private var mapped: [String: String] = [:]
    /// The second side is a memcached too, which drops replies when the input ends inside a data block.
    let isBetweenMemcacheds: Bool
    /// How many seconds the sides' clocks may be apart: the second was asked later, and a busy server's clock lags.
    let delay: Int

    /// - Parameter seconds: that asking both took.
    init(isBetweenMemcacheds: Bool, seconds: Double) {
        self.isBetweenMemcacheds = isBetweenMemcacheds
        delay = 10 + Int(seconds)
    }

    /// What differs, in words; nil when nothing does.
    mutating func difference(_ first: Transcript, _ second: Transcript, of stream: Stream) -> String? {
        for index in 0..<max(first.replies.count, second.replies.count) {
            guard index < first.replies.count, index < second.replies.count else { break }
            // memcached drops replies that it has not written yet when the input ends inside a data block.
            let mayStopEarly = stream.batches[index].ending == .endOfInput
            if let difference = difference(first.replies[index], second.replies[index], mayStopEarly) {
                return """
                    batch \(index + 1): \(difference)
                    reference: \(quoted(first.replies[index], limit: 3000))
                    tested:    \(quoted(second.replies[index], limit: 3000))
                    """
            }
        }
        if let first = first.failure, let second = second.failure { return "both failed: \(first); \(second)" }
        if first.failure != nil || second.failure != nil {
            return "reference: \(first.failure ?? "went to its end"); tested: \(second.failure ?? "went to its end")"
        }
        return nil
    }

    private mutating func difference(_ first: [UInt8], _ second: [UInt8], _ mayStopEarly: Bool) -> String? {
        if first.isEmpty && mayStopEarly { return nil }
        if mayStopEarly && isBetweenMemcacheds && first.count > second.count {
            return difference(second, first, mayStopEarly)
        }
        let (left, right) = (lines(first), lines(second))
        for (index, (one, other)) in zip(left, right).enumerated() where !matches(one, other) {
            if mayStopEarly && index == left.count - 1 && one.isEmpty { return nil }
            return "\(quoted(one)) against \(quoted(other))"
        }
        return left.count == right.count || (mayStopEarly && left.count < right.count)
            ? nil : "\(left.count) lines against \(right.count)"
    }

    private mutating func matches(_ one: ArraySlice<UInt8>, _ other: ArraySlice<UInt8>) -> Bool {
        guard mayDiffer(one) else { return one.elementsEqual(other) }
        let (left, right) = (words(one), words(other))
        guard left.count == right.count, left[0] == right[0] else { return false }
        if left[0] == "VALUE" {
            return left[..<4] == right[..<4] && (left.count < 5 || casMatches(left[4], right[4]))
        }
        for (a, b) in zip(left.dropFirst(), right.dropFirst()) where !wordMatches(a, b, debug: left[0] == "ME") {
            return false
        }
        return true
    }

    private mutating func wordMatches(_ a: Substring, _ b: Substring, debug: Bool) -> Bool {
        if debug {
            for name in ["exp=", "la=", "cas="] where a.hasPrefix(name) && b.hasPrefix(name) {
                let (x, y) = (a.dropFirst(name.count), b.dropFirst(name.count))
                return name == "cas=" ? casMatches(x, y) : secondsMatch(x, y)
            }
            return a == b
        }
        guard a.first == b.first else { return false }
        switch a.first {
        case "c": return casMatches(a.dropFirst(), b.dropFirst())
        case "t", "l": return secondsMatch(a.dropFirst(), b.dropFirst())
        default: return a == b
        }
    }

    private mutating func casMatches(_ a: Substring, _ b: Substring) -> Bool {
        guard let x = UInt64(a), let y = UInt64(b) else { return a == b }
        // 0 is no number, and one that the client chose (E) is everywhere the same.
        // A number that names its node, as pools with copies show them, stands for any other.
        let namesNode = y >= 1 << 52
        if x == 0 || y == 0 || !namesNode && (x >= firstChosenCAS || y >= firstChosenCAS) { return x == y }
        let known = mapped[String(a)]
        mapped[String(a)] = String(b)
        return known == nil || known! == b
    }

    private func secondsMatch(_ a: Substring, _ b: Substring) -> Bool {
        guard let x = Int(a), let y = Int(b) else { return a == b }
        return x == y || (x != -1 && y != -1 && abs(x - y) <= delay)
    }
}

/// Streams choose their own CAS numbers from here on.
let firstChosenCAS: UInt64 = 1_000_000_000_000

/// Remembers the CAS numbers of the keys that the reply names.
func noteCAS(in reply: [UInt8], _ cas: inout [String: String]) {
    for line in lines(reply) where mayDiffer(line) {
        let words = words(line)
        if words[0] == "VALUE" {
            if words.count == 5 { cas[String(words[1])] = String(words[4]) }
        } else if let key = words.dropFirst().first(where: { $0.first == "k" }),
            let number = words.dropFirst().first(where: { $0.first == "c" })
        {
            cas[String(key.dropFirst())] = String(number.dropFirst())
        }
    }
}

/// A line that holds numbers: a classic value's head, or a meta reply.
private func mayDiffer(_ line: ArraySlice<UInt8>) -> Bool {
    guard line.count > 3, line.count < 2000 else { return false }
    if line.starts(with: "VALUE ".utf8) { return true }
    let start = Array(line.prefix(3))
    return start[2] == 32 && (65...90).contains(start[0]) && (65...90).contains(start[1])
}

private func lines(_ bytes: [UInt8]) -> [ArraySlice<UInt8>] {
    bytes.split(separator: 10, omittingEmptySubsequences: false)
}

private func words(_ line: ArraySlice<UInt8>) -> [Substring] {
    // Keys may hold any bytes: they are taken as Latin-1, one character a byte.
    var text = ""
    for byte in line where byte != 13 { text.unicodeScalars.append(UnicodeScalar(byte)) }
    return Substring(text).split(separator: " ", omittingEmptySubsequences: false)
}
