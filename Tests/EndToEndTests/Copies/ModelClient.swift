import DroverTesting

/// Plays commands on one connection and holds each reply to what its command may be answered with: one reply a command,
/// in order, with the values of its own keys.
final class ModelClient {
    private let client: RawClient
    private var generator: ModelGenerator
    /// A line that was read and belongs to a command still to come.
    private var pending: String?

    init(_ client: RawClient, _ generator: ModelGenerator) {
        self.client = client
        self.generator = generator
    }

    /// Sends that many commands, some at once, some each after the reply to the one before.
    func play(commands: Int) throws {
        var left = commands
        while left > 0 {
            let batch = (0..<min(left, generator.random.pick([1, 1, 1, 4, 16, 40]))).map { _ in generator.command() }
            left -= batch.count
            try client.send(batch.map(\.text).joined() + "mn\r\n")
            for command in batch {
                do { try check(command) } catch { throw TestFailure("\(error)\nfor \(quoted(command.text.utf8))") }
            }
            let end = try line()
            guard end == "MN" else { throw TestFailure("\(quoted(end.utf8)) where MN was due") }
        }
    }

    private func check(_ command: ModelCommand) throws {
        switch command.reply {
        case .none: return
        case .line(let words):
            let line = try line()
            guard words.contains(line) else { throw TestFailure("got \(quoted(line.utf8))") }
        case .number(let starts):
            let line = try line()
            guard UInt64(line.filter { $0 != " " }) != nil || starts.contains(where: line.hasPrefix) else {
                throw TestFailure("got \(quoted(line.utf8))")
            }
        case .values(let keys): try checkValues(keys)
        case .meta(let codes, let opaque): try checkMeta(try line(), command.key, codes, opaque)
        case .quiet(let codes, let opaque):
            let line = try line()
            if line.split(separator: " ").contains(Substring("O" + opaque)) {
                try checkMeta(line, command.key, codes, opaque)
            } else {
                pending = line
            }
        }
    }

    private func checkValues(_ keys: [String]) throws {
        var left = keys[...]
        while true {
            let line = try line()
            if line == "END" { return }
            let words = line.split(separator: " ")
            guard words.count >= 4, words[0] == "VALUE", let count = Int(words[3]) else {
                throw TestFailure("got \(quoted(line.utf8))")
            }
            let key = String(words[1])
            guard let place = left.firstIndex(of: key) else { throw TestFailure("\(key) is not due here") }
            left = left[(place + 1)...]
            if words.count > 4 { generator.cas[key] = String(words[4]) }
            try checkBody(key, count)
        }
    }

    private func checkMeta(_ line: String, _ key: String, _ codes: [String], _ opaque: String) throws {
        let words = line.split(separator: " ")
        guard let code = words.first, codes.contains(String(code)) else {
            throw TestFailure("got \(quoted(line.utf8))")
        }
        if code == "CLIENT_ERROR" { return }
        guard words.contains(Substring("O" + opaque)) else { throw TestFailure("another's reply: \(line)") }
        for word in words.dropFirst(code == "VA" ? 2 : 1) {
            if word.first == "c" { generator.cas[key] = String(word.dropFirst()) }
            if word.first == "k", word.dropFirst() != key { throw TestFailure("another key's reply: \(line)") }
        }
        if code == "VA" {
            guard let count = Int(words[1]) else { throw TestFailure("got \(quoted(line.utf8))") }
            try checkBody(key, count)
        }
    }

    private func checkBody(_ key: String, _ count: Int) throws {
        let body = try client.read(exactly: count + 2)
        guard body.suffix(2) == [13, 10], ModelKey.named[key]!.owns(body.dropLast(2)) else {
            throw TestFailure("\(key) has \(quoted(body))")
        }
    }

    /// Without its end.
    private func line() throws -> String {
        if let pending {
            self.pending = nil
            return pending
        }
        let line = try client.readLine()
        // CR LF is one character.
        guard line.hasSuffix("\r\n") else { throw TestFailure("no CR LF: \(quoted(line.utf8))") }
        return String(line.dropLast())
    }
}
