internal import ArgumentParser
internal import Distribution
internal import Glibc
internal import ProxyConfig
internal import ProxyCore

/// `drover check FILE` and `drover check --from nutcracker.yml`
struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say whether a config is right and what in it will hurt.",
        discussion: """
            Errors and warnings go to stderr as FILE:LINE:COLUMN: error: …, all of them in one run. A config with \
            warnings only is right: the exit code is 0, and with --strict it is 78.

            With --from, twemproxy's file is converted: the config goes to stdout, and to stderr a note for \
            everything that differs. Names, weights, hash and distribution stay, so no key moves.

            With --against, the file is compared with what a running proxy runs by: what `drover reload` would take \
            over, or why it would not, which share of the keys moves and, where keys have copies, how long copying \
            them takes; the nodes are asked how many items they have.

            EXAMPLES:
              drover check drover.yml
              drover check drover.yml --against 127.0.0.1:9411
              drover check --from /etc/nutcracker.yml > drover.yml
            """)

    @Argument(help: ArgumentHelp("The config to check.", valueName: "file"))
    var file: String?

    @Option(help: ArgumentHelp("twemproxy's file, to convert.", valueName: "nutcracker.yml"))
    var from: String?

    @Option(help: ArgumentHelp("A running proxy's admin address, to compare with.", valueName: "host:port"))
    var against: String?

    @OptionGroup var zone: ZoneOption

    @Flag(help: "Treat warnings as errors.")
    var strict = false

    func validate() throws {
        guard (file == nil) != (from == nil) else {
            throw ValidationError("give one file: drover check FILE, or drover check --from nutcracker.yml")
        }
        guard against == nil || file != nil else { throw ValidationError("--against needs a FILE to compare") }
        if let against { _ = try AdminOption.address(against) }
    }

    func run() throws {
        if let from { return try convert(from) }
        guard let file else { return }
        let loaded = try loadConfig(file, zone: zone.zone)
        Terminal.show(loaded.warnings, as: "warning")
        for pool in loaded.settings.pools { Terminal.out(Self.summary(of: pool)) }
        let count = loaded.warnings.count
        Terminal.out("\(file): ok" + (count == 0 ? "" : ", \(count) warning\(count == 1 ? "" : "s")"))
        if strict && count > 0 { throw DroverExit.config.code }
        if let against { try compare(loaded, with: against) }
    }

    private func compare(_ loaded: LoadedConfig, with address: String) throws {
        let running = try RunningConfig(of: AdminOption.client(at: address), zone: zone.zone)
        for line in running.comparison(with: loaded.settings) { Terminal.out(line) }
        let refusals = SettingsChange(from: running.settings, to: loaded.settings).refusals
        for refusal in refusals { Terminal.note("not reloadable: \(refusal)") }
        if !refusals.isEmpty { throw DroverExit.failure.code }
    }

    private func convert(_ path: String) throws {
        let converted: TwemproxyFile.Converted
        do {
            converted = try TwemproxyFile.convert(path: path)
        } catch {
            throw Terminal.report(error)
        }
        Terminal.show(converted.notes, as: "note")
        Terminal.write(converted.text, to: STDOUT_FILENO)
        if strict && !converted.notes.isEmpty { throw DroverExit.config.code }
    }

    private static func summary(of pool: PoolSettings) -> String {
        let listeners = pool.listen.map(\.description).joined(separator: " ")
        let standby = pool.standby.isEmpty ? "" : " and \(pool.standby.count) standby"
        let nodes = "\(pool.nodes.count) node\(pool.nodes.count == 1 ? "" : "s")\(standby)"
        let line = "pool \(pool.name): \(listeners) -> \(nodes), \(pool.distribution.rawValue), \(pool.hash.rawValue)"
        return pool.hasCopies ? "\(line)\n  \(copies(of: pool))" : line
    }

    /// Where a key's copies are, and what writes and reads ask of them.
    private static func copies(of pool: PoolSettings) -> String {
        let zones = Set(pool.nodes.compactMap(\.zone)).count
        var places = "\(pool.replicas) on the nodes"
        if pool.replicas > 1 && zones > 0 { places += " (\(zones) zone\(zones == 1 ? "" : "s"))" }
        if !pool.standby.isEmpty { places += ", 1 on the standby" }
        let acks =
            switch pool.acks {
            case .all: "every live copy has it"
            case .quorum: "\(pool.copies / 2 + 1) copies have it, or all that live"
            case .one: "one copy has it"
            }
        let least = pool.minLive > 1 ? ", refused with fewer than \(pool.minLive) live" : ""
        let read =
            switch pool.read {
            case .primary: "the first live copy"
            case .spread: "the less busy of two copies"
            case .nearest: "a copy in zone \(pool.ownZone ?? ""), if one lives"
            case .fastest: "the first live copy; a second one too where it is slow, for \(share(pool.hedge)) at most"
            }
        let miss = pool.onMiss == .next ? "; a miss asks the next" : ""
        return
            "\(pool.copies) copies of a key: \(places)\n  a write is answered when \(acks)\(least)\n  a read asks \(read)\(miss)"
    }

    /// Hundredths of a percent as a percentage.
    private static func share(_ value: Int) -> String {
        let rest = value % 100
        return rest == 0 ? "\(value / 100)%" : "\(value / 100).\(rest < 10 ? "0" : "")\(rest)%"
    }
}
