/// Where replies come from.
public protocol ReplySource {
    /// One line with its newline.
    mutating func readLine() throws -> String
    mutating func read(exactly count: Int) throws -> [UInt8]
}

extension RawClient: ReplySource {}

/// Replies that are all there.
public struct ReceivedBytes: ReplySource {
    public private(set) var left: ArraySlice<UInt8>

    public init(_ bytes: [UInt8]) { left = bytes[...] }

    public mutating func readLine() throws -> String {
        guard let end = left.firstIndex(of: 10) else { throw TestFailure("no line in \(quoted(left))") }
        defer { left = left[(end + 1)...] }
        return String(decoding: left[...end], as: UTF8.self)
    }

    public mutating func read(exactly count: Int) throws -> [UInt8] {
        guard left.count >= count else { throw TestFailure("\(left.count) of \(count) bytes") }
        defer { left = left.dropFirst(count) }
        return Array(left.prefix(count))
    }
}

/// Holds each reply to what its command may be answered with: one reply a command, in order, with the values of its
/// own keys.
public struct ModelReplies<Source: ReplySource> {
    public var source: Source
    /// Lines that are as good as any reply: what a failed node leaves its clients with.
    public var errors: [String] = []
    /// The numbers that were told, by key.
    public private(set) var cas: [String: String] = [:]
    /// How many replies were errors.
    public private(set) var failures = 0
    /// A line that was read and belongs to a command still to come.
    private var pending: String?

    public init(_ source: Source) { self.source = source }

    public mutating func check(_ command: ModelCommand) throws {
        do {
            try checkReply(command)
            if command.isMarked { try checkMark() }
        } catch {
            throw TestFailure("\(error)\nfor \(quoted(command.text.utf8))")
        }
    }

    /// The reply to an `mn`.
    public mutating func checkMark() throws {
        let end = try line()
        guard end == "MN" else { throw TestFailure("\(quoted(end.utf8)) where MN was due") }
    }

    private mutating func checkReply(_ command: ModelCommand) throws {
        if case .none = command.reply { return }
        let line = try line()
        if errors.contains(line) {
            failures += 1
            return
        }
        switch command.reply {
        case .none: return
        case .line(let words):
            guard words.contains(line) else { throw TestFailure("got \(quoted(line.utf8))") }
        case .number(let starts):
            guard UInt64(line.filter { $0 != " " }) != nil || starts.contains(where: line.hasPrefix) else {
                throw TestFailure("got \(quoted(line.utf8))")
            }
        case .values(let keys): try checkValues(keys, from: line)
        case .meta(let codes, let opaque): try checkMeta(line, command.key, codes, opaque)
        case .quiet(let codes, let opaque):
            if line.split(separator: " ").contains(Substring("O" + opaque)) {
                try checkMeta(line, command.key, codes, opaque)
            } else {
                pending = line
            }
        }
    }

    private mutating func checkValues(_ keys: [String], from first: String) throws {
        var left = keys[...]
        var line = first
        while line != "END" {
            let words = line.split(separator: " ")
            guard words.count >= 4, words[0] == "VALUE", let count = Int(words[3]) else {
                throw TestFailure("got \(quoted(line.utf8))")
            }
            let key = String(words[1])
            guard let place = left.firstIndex(of: key) else { throw TestFailure("\(key) is not due here") }
            left = left[(place + 1)...]
            if words.count > 4 { cas[key] = String(words[4]) }
            try checkBody(key, count)
            line = try self.line()
        }
    }

    private mutating func checkMeta(_ line: String, _ key: String, _ codes: [String], _ opaque: String) throws {
        let words = line.split(separator: " ")
        guard let code = words.first, codes.contains(String(code)) else {
            throw TestFailure("got \(quoted(line.utf8))")
        }
        if code == "CLIENT_ERROR" { return }
        guard words.contains(Substring("O" + opaque)) else { throw TestFailure("another's reply: \(line)") }
        for word in words.dropFirst(code == "VA" ? 2 : 1) {
            if word.first == "c" { cas[key] = String(word.dropFirst()) }
            if word.first == "k", word.dropFirst() != key { throw TestFailure("another key's reply: \(line)") }
        }
        if code == "VA" {
            guard let count = Int(words[1]) else { throw TestFailure("got \(quoted(line.utf8))") }
            try checkBody(key, count)
        }
    }

    private mutating func checkBody(_ key: String, _ count: Int) throws {
        let body = try source.read(exactly: count + 2)
        guard body.suffix(2) == [13, 10], ModelKey.named[key]!.owns(body.dropLast(2)) else {
            throw TestFailure("\(key) has \(quoted(body))")
        }
    }

    /// Without its end.
    private mutating func line() throws -> String {
        if let pending {
            self.pending = nil
            return pending
        }
        let line = try source.readLine()
        // CR LF is one character.
        guard line.hasSuffix("\r\n") else { throw TestFailure("no CR LF: \(quoted(line.utf8))") }
        return String(line.dropLast())
    }
}
