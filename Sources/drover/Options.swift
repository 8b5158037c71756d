internal import ArgumentParser
internal import Logging
internal import ProxyConfig

/// `-c FILE`, for every command that needs a config.
struct ConfigOption: ParsableArguments {
    @Option(name: [.customShort("c"), .customLong("config")], help: ArgumentHelp("The config.", valueName: "file"))
    var path: String
}

/// `--zone`, for commands to which it matters.
struct ZoneOption: ParsableArguments {
    @Option(help: ArgumentHelp("The zone this proxy is in, whatever the config says.", valueName: "zone"))
    var zone: String?

    func validate() throws {
        guard let zone else { return }
        guard (1...128).contains(zone.utf8.count), zone.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else {
            throw ValidationError("--zone \"\(zone)\": zones have 1 to 128 bytes and no spaces")
        }
    }
}

/// How much `serve` and `dev` say on stderr.
struct LogOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Least level to log: debug, info, notice, warning or error.", valueName: "level"))
    var logLevel = "info"

    func validate() throws {
        guard Logger.Level(rawValue: logLevel) != nil else {
            throw ValidationError("there is no log level \"\(logLevel)\"; use debug, info, notice, warning or error")
        }
    }

    /// A logger that writes one line an event to stderr.
    func logger() -> Logger {
        var logger = Logger(label: "drover") { _ in LineLog() }
        logger.logLevel = Logger.Level(rawValue: logLevel) ?? .info
        return logger
    }
}

/// A file's config, or its mistakes on stderr and the exit code that fits.
func loadConfig(_ path: String, zone: String? = nil) throws(ExitCode) -> LoadedConfig {
    do {
        return try ConfigFile.load(path, zone: zone)
    } catch {
        throw Terminal.report(error)
    }
}
