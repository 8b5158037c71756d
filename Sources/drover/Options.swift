internal import ArgumentParser
internal import Logging
internal import ProxyConfig

/// `-c FILE`, for every command that needs a config.
struct ConfigOption: ParsableArguments {
    @Option(name: [.customShort("c"), .customLong("config")], help: ArgumentHelp("The config.", valueName: "file"))
    var path: String
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
func loadConfig(_ path: String) throws(ExitCode) -> LoadedConfig {
    do {
        return try ConfigFile.load(path)
    } catch {
        throw Terminal.report(error)
    }
}
