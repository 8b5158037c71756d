internal import ArgumentParser
internal import CPlatform
internal import Admin
internal import Logging
internal import Proxy
internal import ProxyConfig
internal import ProxyCore

/// `drover serve -c FILE`
struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the proxy.",
        discussion: """
            Stays in the foreground and logs one line an event to stderr. SIGTERM and SIGINT drain: no new clients \
            are taken, what is in flight is answered, then it leaves.

            EXAMPLE:
              drover serve -c /etc/drover.yml
            """)

    @OptionGroup var config: ConfigOption
    @OptionGroup var zone: ZoneOption
    @OptionGroup var logs: LogOptions

    func run() throws {
        let loaded = try loadConfig(config.path, zone: zone.zone)
        Terminal.show(loaded.warnings, as: "warning")
        throw serve(settings: loaded.settings, logger: logs.logger()).code
    }
}

/// Runs the proxy until it is told to stop.
/// - Parameter ready: called once it listens.
func serve(settings: Settings, logger: Logger, ready: () -> Void = {}) -> DroverExit {
    let control = Control(settings, logger: logger)
    let admin: AdminServer?
    do {
        admin = try settings.admin.map { endpoint throws(StartError) in
            try AdminServer(control, at: endpoint, version: droverVersion)
        }
        try control.start()
    } catch {
        logger.error("cannot start", metadata: ["reason": "\(error)"])
        return .unavailable
    }
    defer { withExtendedLifetime(admin) {} }
    ready()
    drover_release_startup_pages()
    return control.run() ? .ok : .failure
}
