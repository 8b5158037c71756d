internal import ArgumentParser
internal import Distribution
internal import ProxyConfig
internal import ProxyCore

/// `drover lookup -c FILE POOL KEY…`
struct Lookup: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say which node has a key, without a server running.",
        discussion: """
            A line for each key, parted by tabs: the key, then for each node its name and its address. The first \
            node has the key; with --depth, those follow that would stand in for it, in order.

            Where a key has copies, there are four columns a copy: the node's name, its address, its zone or -, and \
            its farm, nodes or standby. The first is the primary; --depth shows fewer.

            With --moved, two configs are compared: which share of each pool's keys moves from one to the other, and \
            from which node to which.

            EXAMPLES:
              drover lookup -c drover.yml main user:42 user:43
              drover lookup -c drover.yml main user:42 --depth 2
              drover lookup --moved drover.yml drover-new.yml
            """)

    @Option(name: [.customShort("c"), .customLong("config")], help: ArgumentHelp("The config.", valueName: "file"))
    var path: String?

    @Flag(help: "Compare two configs, given in place of POOL and KEY: the one before and the one after.")
    var moved = false

    @Argument(help: ArgumentHelp("The pool's name in the config.", valueName: "pool"))
    var pool: String

    @Argument(help: ArgumentHelp("Keys, as clients send them.", valueName: "key"))
    var keys: [String]

    @Option(
        help: ArgumentHelp("How many nodes to show for a key; by default those that hold it.", valueName: "count"))
    var depth: Int?

    @OptionGroup var zone: ZoneOption

    func validate() throws {
        guard (path == nil) == moved else {
            throw ValidationError(moved ? "--moved takes two configs, and no -c" : "give the config with -c FILE")
        }
        if moved {
            guard keys.count == 1, depth == nil else { throw ValidationError("give two configs: --moved OLD NEW") }
            return
        }
        if let depth, depth < 1 { throw ValidationError("--depth \(depth): use 1 or more") }
        for key in keys where !(1...250).contains(key.utf8.count) || key.utf8.contains(where: { $0 <= 0x20 }) {
            throw ValidationError("\"\(key)\" is no key: keys have 1 to 250 bytes and no spaces")
        }
    }

    func run() throws {
        guard let path else { return try compare(pool, keys[0]) }
        let settings = try loadConfig(path, zone: zone.zone).settings
        guard let found = settings.pools.first(where: { $0.name == pool }) else {
            let names = settings.pools.map(\.name).joined(separator: ", ")
            Terminal.note("drover: there is no pool \"\(pool)\" in \(path); it has \(names)")
            throw DroverExit.usage.code
        }
        if found.distribution == .random {
            Terminal.note("drover: distribution: random gives no key a node of its own; this is one draw")
        }
        let lookup = KeyLookup(found)
        for key in keys {
            let bytes = Array(key.utf8)
            let columns =
                found.hasCopies
                ? lookup.copies(of: bytes).prefix(depth ?? found.copies).map { Self.copy(on: $0, of: found) }
                : lookup.order(of: bytes, depth: depth ?? 1).map { Self.node(found.nodes[$0]) }
            Terminal.out(key + columns.joined())
        }
    }

    private func compare(_ old: String, _ new: String) throws {
        let (before, after) = (try loadConfig(old).settings, try loadConfig(new).settings)
        for pool in before.pools {
            guard let next = after.pools.first(where: { $0.name == pool.name }) else {
                Terminal.out("pool \(pool.name): only in \(old)")
                continue
            }
            for line in MovementText.lines(from: pool, to: next) { Terminal.out(line) }
        }
        for pool in after.pools where !before.pools.contains(where: { $0.name == pool.name }) {
            Terminal.out("pool \(pool.name): only in \(new)")
        }
    }

    private static func node(_ node: NodeSettings) -> String { "\t\(node.label)\t\(node.address)" }

    private static func copy(on index: Int, of pool: PoolSettings) -> String {
        let node = pool.allNodes[index]
        let farm = index < pool.nodes.count ? Farm.nodes : .standby
        return "\(Self.node(node))\t\(node.zone ?? "-")\t\(farm.rawValue)"
    }
}
