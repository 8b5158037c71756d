@testable import ProxyCore

/// What an item of a simulated node is called: the keys of clients count from 0, markers have numbers of their own.
typealias ItemName = Int

extension MarkerItem {
    var name: ItemName {
        switch self {
        case .ready: 1000
        case .filling: 1001
        case .lease: 1002
        case .tick: 1003
        case .scrub: 1004
        case .moving: 1005
        case .moved: 1006
        case .objection: 1007
        case .dump: 1008
        case .former: 1009
        case .offer: 1100
        case .missed: 1101
        case .homes: 1102
        case .away(let node): 1030 + node
        case .standing(let node): 1010 + node
        }
    }
}

struct SimulatedItem: Equatable {
    /// Which write made it; nothing for a marker.
    var value = 0
    /// Follow from the value.
    var flags: UInt32 = 0
    /// A marker's.
    var text: [UInt8] = []
    /// Second at which it is gone; nil is never.
    var expiry: Int64?
    var cas: UInt64 = 0
    /// Second of the last access that counted.
    var time: Int64 = 0
}

enum NodeRequest {
    case get(ItemName, bumps: Bool)
    case set(ItemName, SimulatedItem, MarkerCommand.Condition)
    case delete(ItemName, cas: UInt64?)
    /// Where there is something, stores what follows from it and this number: the reply has what was there.
    case modify(ItemName, Int)
    /// Where there is something, stores this value.
    case replace(ItemName, Int)
    case touch(ItemName, expiry: Int64?)
    /// As a filling does it; or as a client.
    case flush, flushAll
    case dump
    /// All markers, and the tick.
    case poll
}

enum NodeReply {
    case item(SimulatedItem)
    case missing
    case done(cas: UInt64, before: Int)
    case refused
    case dump([(name: ItemName, item: SimulatedItem)])
    case reading(MarkerReading)
}

/// What an increment or an append makes of a value: another one, each time that it is applied.
func modified(_ value: Int, by number: Int) -> Int { (value &* 1_000_003 &+ number) & 0xffff_ffff_ffff }

/// A memcached in memory, with what matters of it to a return: CAS numbers that count from 1 after each start, adds and
/// compare-and-set, seconds for a clock, and a flush that what was used in the same second may survive.
struct SimulatedNode {
    let index: Int
    let count: Int
    private(set) var items: [ItemName: SimulatedItem] = [:]
    private var lastCAS: UInt64 = 0
    var isAlive = true
    /// Processes so far.
    private(set) var starts = 1
    var latestCAS: UInt64 { lastCAS }
    /// What a flush of all nodes has taken and nobody has put back, or stored anew.
    private var flushedMarkers: [ItemName: SimulatedItem] = [:]
    private var flushedAt: Int64 = 0

    init(index: Int, count: Int) {
        self.index = index
        self.count = count
    }

    mutating func restart() {
        isAlive = true
        (items, flushedMarkers) = ([:], [:])
        lastCAS = 0
        starts += 1
    }

    mutating func evict(_ name: ItemName) { items[name] = nil }

    /// Past the proxies, this node alone.
    mutating func empty() { (items, flushedMarkers) = ([:], [:]) }

    func item(_ name: ItemName, second: Int64) -> SimulatedItem? {
        guard let item = items[name] else { return nil }
        if let expiry = item.expiry, expiry <= second { return nil }
        return item
    }

    private func text(_ marker: MarkerItem, _ second: Int64) -> [UInt8]? { item(marker.name, second: second)?.text }

    /// - Parameter survives: decides what a flush leaves of this second.
    mutating func run(_ request: NodeRequest, second: Int64, survives: () -> Bool) -> NodeReply {
        switch request {
        case .get(let name, let bumps):
            guard let item = item(name, second: second) else { return .missing }
            if bumps { items[name]?.time = second }
            return .item(item)
        case .set(let name, let item, let condition): return set(name, item, condition, second)
        case .delete(let name, let cas):
            guard let item = item(name, second: second) else { return .missing }
            if let cas, cas != item.cas { return .refused }
            (items[name], flushedMarkers[name]) = (nil, nil)
            return .done(cas: 0, before: item.value)
        case .modify(let name, let number): return change(name, second) { modified($0, by: number) }
        case .replace(let name, let value): return change(name, second) { _ in value }
        case .touch(let name, let expiry):
            guard let old = item(name, second: second) else { return .missing }
            items[name]?.expiry = expiry
            items[name]?.time = second
            return .done(cas: 0, before: old.value)
        case .flush:
            for name in items.keys.sorted() where items[name]!.time < second || !survives() { items[name] = nil }
            return .done(cas: 0, before: 0)
        case .flushAll:
            flushedAt = second
            for name in items.keys.sorted() {
                if name < 1000 {
                    items[name] = nil
                } else if items[name]!.time < second || !survives() {
                    flushedMarkers[name] = item(name, second: second)
                    items[name] = nil
                }
            }
            return .done(cas: 0, before: 0)
        case .dump:
            return .dump(
                items.keys.sorted().compactMap { name in
                    item(name, second: second).flatMap { name < 1000 ? (name, $0) : nil }
                })
        case .poll: return .reading(poll(second))
        }
    }

    private mutating func change(_ name: ItemName, _ second: Int64, _ value: (Int) -> Int) -> NodeReply {
        guard let old = item(name, second: second) else { return .missing }
        let new = value(old.value)
        let item = SimulatedItem(value: new, flags: UInt32(new & 0xffff), expiry: old.expiry)
        _ = set(name, item, .always, second)
        return .done(cas: lastCAS, before: old.value)
    }

    private mutating func set(
        _ name: ItemName, _ new: SimulatedItem, _ condition: MarkerCommand.Condition, _ second: Int64
    ) -> NodeReply {
        let old = item(name, second: second)
        switch condition {
        case .always: break
        case .ifMissing: if old != nil { return .refused }
        case .ifSame(let cas): if old?.cas != cas { return .refused }
        }
        lastCAS += 1
        flushedMarkers[name] = nil
        items[name] = new
        items[name]?.cas = lastCAS
        items[name]?.time = second
        return .done(cas: lastCAS, before: old?.value ?? 0)
    }

    private mutating func poll(_ second: Int64) -> MarkerReading {
        lastCAS += 1
        // As long as memcached waits before it notes another use.
        for marker in [MarkerItem.ready, .filling] where second - (items[marker.name]?.time ?? second) >= 60 {
            items[marker.name]?.time = second
        }
        return MarkerReading(
            ready: ready(second),
            filling: text(.filling, second).flatMap { unsafe Filling(text: $0.span.bytes) },
            standings: (0..<count).map { standing(of: $0, second) }, cas: lastCAS, of: self, second)
    }

    /// Of keys that move.
    fileprivate func place(_ marker: MarkerItem, _ second: Int64) -> Token? {
        text(marker, second).flatMap { unsafe MarkerText.token(in: $0.span.bytes) }
    }

    func former(_ second: Int64) -> [UInt8]? { text(.former, second) }
    fileprivate func hasObjection(_ second: Int64) -> Bool { text(.objection, second) != nil }

    func ready(_ second: Int64) -> Token? {
        text(.ready, second).flatMap { unsafe MarkerText.token(in: $0.span.bytes) }
    }

    func standing(of node: Int, _ second: Int64) -> Standing? {
        text(.standing(of: node), second).flatMap { unsafe Standing(text: $0.span.bytes) }
    }

    /// As if no flush of all nodes had taken its markers, as long as no proxy can have given them up.
    func unflushed(second: Int64) -> SimulatedNode {
        guard second <= flushedAt + Int64(PoolMarkers.lossPatience / 1_000_000_000) else { return self }
        var node = self
        node.items.merge(flushedMarkers) { kept, _ in kept }
        return node
    }
}

extension MarkerReading {
    fileprivate init(
        ready: Token?, filling: Filling?, standings: [Standing?], cas: UInt64, of node: SimulatedNode, _ second: Int64
    ) {
        self.init(ready: ready, filling: filling, standings: standings, cas: cas)
        (moving, moved) = (node.place(.moving, second), node.place(.moved, second))
        (former, hasObjection) = (node.former(second), node.hasObjection(second))
    }
}
