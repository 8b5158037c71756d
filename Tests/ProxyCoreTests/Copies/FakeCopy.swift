import MemcacheProtocol

@testable import ProxyCore

/// A memcached in memory, as far as repairs and the writes around them need one: mg, ms, md with their flags.
struct FakeCopy {
    struct Item: Equatable {
        var value: [UInt8]
        var flags: UInt32 = 0
        /// Unix time at which it is gone; nil is never.
        var expiry: Int64?
        var cas: UInt64 = 0
        var isStale = false
        var hasToken = false
    }

    struct Reply: Equatable {
        var code: ReplyCode
        var line: String
        var value: [UInt8] = []
    }

    var items: [String: Item] = [:]
    private var lastCAS: UInt64 = 100
    /// Commands that named `u` or did not look change no order of use; this counts the others.
    var bumps = 0
    /// `-C`: no CAS numbers.
    var keepsCAS = true

    init() {}

    mutating func put(_ key: String, _ item: Item?) {
        lastCAS += 1
        items[key] = item
        if keepsCAS { items[key]?.cas = lastCAS }
    }

    /// Runs a command line (without its CR LF) at a time.
    mutating func run(_ line: String, body: [UInt8] = [], now: Int64) -> Reply {
        var words = line.split(separator: " ").map(String.init)
        let verb = words.removeFirst()
        let key = words.removeFirst()
        if let expiry = items[key]?.expiry, expiry <= now { items[key] = nil }
        if verb == "ms" {
            guard let size = Int(words.removeFirst()), size == body.count else { return reply(.clientError) }
        }
        var flags: [Character: String] = [:]
        for word in words { flags[word.first!] = String(word.dropFirst()) }
        switch verb {
        case "mg": return get(key, flags, now)
        case "ms": return set(key, flags, body, now)
        case "md": return delete(key, flags)
        default: return reply(.error)
        }
    }

    private func reply(_ code: ReplyCode, _ flags: String = "") -> Reply {
        let name: String =
            switch code {
            case .hd: "HD"
            case .en: "EN"
            case .nf: "NF"
            case .ns: "NS"
            case .ex: "EX"
            case .value: "VA"
            default: "CLIENT_ERROR bad"
            }
        return Reply(code: code, line: flags.isEmpty ? name + "\r\n" : name + " " + flags + "\r\n")
    }

    private func expiry(_ text: String, _ now: Int64) -> Int64? {
        let number = Int64(text) ?? 0
        if number == 0 { return nil }
        return number > 2_592_000 ? number : now + number
    }

    private mutating func get(_ key: String, _ flags: [Character: String], _ now: Int64) -> Reply {
        if flags["u"] == nil { bumps += 1 }
        var told: [String] = []
        if items[key] == nil {
            guard let life = flags["N"] else { return reply(.en) }
            put(key, Item(value: [], expiry: expiry(life, now), hasToken: true))
            return reply(.hd, "W")
        }
        guard var item = items[key] else { return reply(.en) }
        if let life = flags["T"] { item.expiry = expiry(life, now) }
        for letter in "ftsc" where flags[letter] != nil {
            switch letter {
            case "f": told.append("f\(item.flags)")
            case "t": told.append("t\(item.expiry.map { max($0 - now, 0) } ?? -1)")
            case "s": told.append("s\(item.value.count)")
            default: told.append("c\(item.cas)")
            }
        }
        if item.isStale { told.append("X") }
        if item.hasToken { told.append("Z") }
        if item.isStale, !item.hasToken {
            told.append("W")
            item.hasToken = true
        }
        items[key] = item
        let words = told.joined(separator: " ")
        guard flags["v"] != nil else { return reply(.hd, words) }
        var answer = reply(.value, "\(item.value.count) \(words)")
        answer.value = item.value
        return answer
    }

    private mutating func set(_ key: String, _ flags: [Character: String], _ body: [UInt8], _ now: Int64) -> Reply {
        if flags["M"] == "E", items[key] != nil { return reply(.ns) }
        if let wanted = flags["C"] {
            guard let item = items[key] else { return reply(.nf) }
            if UInt64(wanted) != item.cas { return reply(.ex) }
        }
        put(
            key,
            Item(value: body, flags: flags["F"].flatMap { UInt32($0) } ?? 0, expiry: expiry(flags["T"] ?? "0", now)))
        return reply(.hd, flags["c"].map { _ in "c\(items[key]!.cas)" } ?? "")
    }

    private mutating func delete(_ key: String, _ flags: [Character: String]) -> Reply {
        guard var item = items[key] else { return reply(.nf) }
        if let wanted = flags["C"], UInt64(wanted) != item.cas { return reply(.ex) }
        if flags["I"] != nil {
            item.isStale = true
            item.hasToken = false
            put(key, item)
        } else {
            items[key] = nil
        }
        return reply(.hd)
    }
}

/// A repair of one key on fake copies, with its value where the engine would keep it.
struct FakeRepair {
    var plan: RepairPlan
    let key: String
    let isBase64: Bool
    private(set) var value: [UInt8] = []

    init(key: String, isBase64: Bool = false, copies: Int, compareLimit: UInt32 = 64, isCheck: Bool = false) {
        plan = RepairPlan(copies: copies, compareLimit: compareLimit, isCheck: isCheck)
        self.key = key
        self.isBase64 = isBase64
    }

    /// The command line without CR LF.
    func text(_ command: RepairCommand, now: Int64, keepsCAS: Bool = false) -> String {
        let bytes = [UInt8](key.utf8)
        let line = unsafe command.line(
            key: bytes.span.bytes, isBase64: isBase64, unixTime: now, keepsCAS: keepsCAS)
        return line.withBytes { line in
            String(
                decoding: (0..<line.byteCount - 2).map { unsafe line.unsafeLoad(fromByteOffset: $0, as: UInt8.self) },
                as: UTF8.self)
        }
    }

    func body(_ command: RepairCommand) -> [UInt8] { command.carriesValue ? value : [] }

    mutating func take(_ reply: FakeCopy.Reply, from copy: Int) {
        let line = [UInt8](reply.line.utf8)
        switch unsafe plan.received(reply.code, line: line.span.bytes, from: copy) {
        case .discard: break
        case .keep: value = reply.value
        case .compare: plan.compared(copy, isEqual: value == reply.value)
        }
    }
}
