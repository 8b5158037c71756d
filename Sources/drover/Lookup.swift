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

            EXAMPLES:
              drover lookup -c drover.yml main user:42 user:43
              drover lookup -c drover.yml main user:42 --depth 2
            """)

    @OptionGroup var config: ConfigOption

    @Argument(help: ArgumentHelp("The pool's name in the config.", valueName: "pool"))
    var pool: String

    @Argument(help: ArgumentHelp("Keys, as clients send them.", valueName: "key"))
    var keys: [String]

    @Option(help: ArgumentHelp("How many nodes to show for a key.", valueName: "count"))
    var depth = 1

    func validate() throws {
        guard depth > 0 else { throw ValidationError("--depth \(depth): use 1 or more") }
        for key in keys where !(1...250).contains(key.utf8.count) || key.utf8.contains(where: { $0 <= 0x20 }) {
            throw ValidationError("\"\(key)\" is no key: keys have 1 to 250 bytes and no spaces")
        }
    }

    func run() throws {
        let settings = try loadConfig(config.path).settings
        guard let found = settings.pools.first(where: { $0.name == pool }) else {
            let names = settings.pools.map(\.name).joined(separator: ", ")
            Terminal.note("drover: there is no pool \"\(pool)\" in \(config.path); it has \(names)")
            throw DroverExit.usage.code
        }
        if found.distribution == .random {
            Terminal.note("drover: distribution: random gives no key a node of its own; this is one draw")
        }
        let lookup = KeyLookup(found)
        for key in keys {
            let nodes = lookup.order(of: Array(key.utf8), depth: depth).map { found.nodes[$0] }
            Terminal.out(key + nodes.map { "\t\($0.label)\t\($0.address)" }.joined())
        }
    }
}
