import DroverTesting
import Glibc
import ProxyCore
import Reactor
import Sockets

@testable import Proxy

/// Some memcacheds that hold two copies of each key, and a transfer thread that fills one of them.
final class TransferFarm {
    let servers: [MemcachedServer]
    let clients: [RawClient]
    let settings: PoolSettings
    let pool: Pool
    let lookup: KeyLookup
    let told = Ear()
    let thread: TransferThread
    private var lastID: UInt64 = 0

    /// - Parameter options: by place; the last one for all others.
    init(
        _ version: MemcachedServer.Version, count: Int = 3, options: [MemcachedServer.Options] = [],
        change: (inout PoolSettings) -> Void = { _ in }
    ) throws {
        servers = try (0..<count).map { place in
            var option = options.isEmpty ? MemcachedServer.Options() : options[min(place, options.count - 1)]
            option.listen = .unix
            // `metadump all`, which is how older ones are listed, lacks what the maintainer moves meanwhile: now and then
            // an item or two of some thousands that were just stored.
            if version == .debian { option.more += ["-o", "no_lru_maintainer"] }
            return try MemcachedServer(version, options: option)
        }
        clients = try servers.map { try $0.client() }
        let nodes = servers.enumerated().map { place, server in
            guard case .unix(let path) = server.address else { fatalError("on a socket file") }
            return NodeSettings(address: .unix(path: path), name: "node\(place)")
        }
        var settings = PoolSettings(name: "main", listen: [], nodes: nodes)
        settings.replicas = 2
        // Other tests run beside this one.
        settings.timeout = 5_000_000_000
        settings.connectTimeout = 5_000_000_000
        settings.sync.rate = 1_000_000
        settings.sync.bandwidth = 1 << 30
        change(&settings)
        self.settings = settings
        pool = Topology([settings]).pools[0]
        lookup = KeyLookup(settings)
        let mailbox = told.mailbox
        thread = TransferThread { mailbox.send($0) }
    }

    /// The thread has been stopped.
    var isStopped = false

    deinit { if !isStopped { thread.stop() } }

    /// By place.
    func copies(of key: [UInt8]) -> [Int] { lookup.copies(of: key) }

    func order(_ pass: FillingPlan.Pass, target: Int = 0, full: [Int]? = nil) -> PassOrder {
        lastID += 1
        let full = full ?? servers.indices.filter { $0 != target }
        let nodes = servers.enumerated().map { place, server in
            guard case .unix(let path) = server.address else { fatalError("on a socket file") }
            return PassOrder.Node(address: SocketAddress(path: path), isFull: full.contains(place))
        }
        return PassOrder(id: lastID, pass: pass, pool: pool, target: target, nodes: nodes)
    }

    /// Runs a pass to its end.
    func run(_ order: PassOrder, seconds: Double = 60) throws -> PassEnd {
        thread.start(order)
        return try end(of: order, seconds: seconds)
    }

    func run(_ pass: FillingPlan.Pass, seconds: Double = 60) throws -> PassEnd {
        try run(order(pass), seconds: seconds)
    }

    func end(of order: PassOrder, seconds: Double = 60) throws -> PassEnd {
        try Self.end(of: order.id, told, seconds: seconds)
    }

    /// Of any pass.
    func nextEnd(seconds: Double = 60) throws -> PassEnd {
        let end = told.wait(seconds: seconds) { if case .ended(let end) = $0 { end } else { nil } }
        guard let end else { throw TestFailure("no pass has ended after \(seconds) s") }
        return end
    }

    static func end(of id: UInt64, _ told: Ear, seconds: Double) throws -> PassEnd {
        let end = told.wait(seconds: seconds) {
            if case .ended(let end) = $0, end.id == id { end } else { nil }
        }
        guard let end else { throw TestFailure("pass \(id) has not ended after \(seconds) s") }
        return end
    }

    /// The next word about the pass's progress for which `isEnough` holds.
    func progress(seconds: Double = 60, until isEnough: (PassProgress) -> Bool) throws -> PassProgress {
        var last: PassProgress?
        let progress = told.wait(seconds: seconds) {
            guard case .progress(let step) = $0 else { return nil as PassProgress? }
            last = step
            return isEnough(step) ? step : nil
        }
        guard let progress else {
            throw TestFailure("not so far after \(seconds) s: \(last.map(String.init(describing:)) ?? "no word")")
        }
        return progress
    }

    // MARK: Items

    /// Stores the items on all of their copies but those on `except`.
    func store(_ items: [TestItem], except: Set<Int> = []) throws {
        for place in servers.indices where !except.contains(place) {
            let own = items.filter { copies(of: $0.key).contains(place) }
            try clients[place].store(own)
        }
    }

    /// The items that ought to be on a node.
    func items(_ items: [TestItem], of place: Int) -> [TestItem] { items.filter { copies(of: $0.key).contains(place) } }
}

/// Hears what a transfer thread tells, one word at a time.
final class Ear {
    let mailbox = Mailbox<FromTransfer>()
    private var unheard: ArraySlice<FromTransfer> = []

    /// The first word that `body` makes something of; those before it are forgotten.
    func wait<Value>(seconds: Double, _ body: (FromTransfer) -> Value?) -> Value? {
        let deadline = Deadline(seconds: seconds)
        while true {
            while let word = unheard.popFirst() { if let value = body(word) { return value } }
            if deadline.hasPassed { return nil }
            if mailbox.wait(milliseconds: 100) { unheard = mailbox.takeAll()[...] }
        }
    }
}

/// An item as a client stores it.
struct TestItem {
    var key: [UInt8]
    var value: [UInt8]
    var flags: UInt32 = 0
    /// As the protocol takes it.
    var life = 0

    init(_ key: String, _ value: String, flags: UInt32 = 0, life: Int = 0) {
        self.init(Array(key.utf8), Array(value.utf8), flags: flags, life: life)
    }

    init(_ key: [UInt8], _ value: [UInt8], flags: UInt32 = 0, life: Int = 0) {
        (self.key, self.value, self.flags, self.life) = (key, value, flags, life)
    }

    /// The key as a command of the meta protocol names it, and the flag b where it needs one.
    var name: (text: String, flag: String) {
        if key.allSatisfy({ $0 > 32 && $0 < 127 }) { return (String(decoding: key, as: UTF8.self), "") }
        return (base64(key), " b")
    }
}

/// What a node has for a key.
struct FoundItem: Equatable {
    var value: [UInt8]
    var flags: UInt32
    var ttl: Int
    /// The date, by our clock, at which that ends; -1 is never.
    var expiry: Int
    var cas: UInt64
}

extension RawClient {
    func store(_ items: [TestItem]) throws {
        var bytes: [UInt8] = []
        for item in items {
            let name = item.name
            bytes += Array("ms \(name.text) \(item.value.count)\(name.flag) F\(item.flags) T\(item.life) q\r\n".utf8)
            bytes += item.value + [13, 10]
            if bytes.count > 1 << 20 {
                try flush(bytes)
                bytes = []
            }
        }
        try flush(bytes)
    }

    private func flush(_ bytes: [UInt8]) throws {
        try send(bytes + Array("mn\r\n".utf8))
        let answer = try read(through: "MN\r\n")
        guard answer == Array("MN\r\n".utf8) else { throw TestFailure("not stored: \(quoted(answer))") }
    }

    /// Items by their place in `keys`; nil where there is none.
    func find(_ items: [TestItem]) throws -> [FoundItem?] {
        var found: [FoundItem?] = []
        for start in stride(from: 0, to: items.count, by: 200) {
            let some = items[start..<min(items.count, start + 200)]
            try send(some.map { "mg \($0.name.text)\($0.name.flag) v f t c u\r\n" }.joined())
            for _ in some { found.append(try readFound()) }
        }
        return found
    }

    private func readFound() throws -> FoundItem? {
        let words = try readLine().split { $0 == " " || $0 == "\r\n" }
        guard words.first == "VA", let size = Int(words[1]) else { return nil }
        var item = FoundItem(value: try read(exactly: size + 2).dropLast(2), flags: 0, ttl: 0, expiry: 0, cas: 0)
        for word in words.dropFirst(2) {
            switch word.first {
            case "f": item.flags = UInt32(word.dropFirst()) ?? 0
            case "t": item.ttl = Int(word.dropFirst()) ?? 0
            case "c": item.cas = UInt64(word.dropFirst()) ?? 0
            default: break
            }
        }
        item.expiry = item.ttl < 0 ? -1 : item.ttl + time(nil)
        return item
    }

    func ask(_ text: String) throws -> String { String(try roundTrip(text + "\r\n").dropLast()) }
}

func base64(_ bytes: [UInt8]) -> String {
    let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    var text = ""
    for start in stride(from: 0, to: bytes.count, by: 3) {
        let group = (0..<3).map { start + $0 < bytes.count ? Int(bytes[start + $0]) : 0 }
        let bits = group[0] << 16 | group[1] << 8 | group[2]
        for place in 0..<4 {
            text.append(start + place <= bytes.count ? letters[bits >> (18 - 6 * place) & 63] : "=")
        }
    }
    return text
}
