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
            are taken, what is in flight is answered, then it leaves. SIGHUP reads the config again; one that is wrong, \
            or asks for what cannot change while it runs, is refused in the log and nothing changes.

            EXAMPLE:
              drover serve -c /etc/drover.yml
            """)

    @OptionGroup var config: ConfigOption
    @OptionGroup var zone: ZoneOption
    @OptionGroup var logs: LogOptions

    func run() throws {
        let loaded = try loadConfig(config.path, zone: zone.zone)
        Terminal.show(loaded.warnings, as: "warning")
        let (path, zone) = (config.path, zone.zone)
        let config = ServedConfig(text: loaded.text) { Self.read(path, zone) }
        throw serve(settings: loaded.settings, logger: logs.logger(), config: config).code
    }

    /// Once more, while it runs.
    private static func read(_ path: String, _ zone: String?) -> ConfigReading {
        do {
            let loaded = try ConfigFile.load(path, zone: zone)
            return .settings(
                ConfigSource(loaded.settings, file: path, text: loaded.text),
                warnings: loaded.warnings.map(\.description))
        } catch {
            return .refused(error.errors.map(\.description))
        }
    }
}

/// What the proxy's config is read from.
struct ServedConfig {
    var text: [UInt8]
    /// Once more.
    var read: () -> ConfigReading
}

/// Runs the proxy until it is told to stop.
/// - Parameters:
///   - config: the file that the settings are from, if they are from one.
///   - ready: called once it listens.
func serve(
    settings: Settings, logger: Logger, config: ServedConfig? = nil, ready: () -> Void = {}
) -> DroverExit {
    let control = Control(settings, logger: logger)
    let admin: AdminServer?
    do {
        admin = try settings.admin.map { endpoint throws(StartError) in
            try AdminServer(control, at: endpoint, version: droverVersion)
        }
        // Before anybody can know that it runs.
        if let config { control.reloads(config.text, config.read) }
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
