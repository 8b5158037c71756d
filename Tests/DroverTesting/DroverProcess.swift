public import Glibc

/// The proxy itself, `drover serve -c FILE`, as a child; it is killed with its owner.
public final class DroverProcess: Sendable {
    /// The addresses that `start` waited for, in the config's order.
    public let addresses: [ServerAddress]
    /// The path of its config.
    public var file: String { directory.file("drover.yml") }
    private let directory: TemporaryDirectory
    private let child: ChildProcess

    /// Returns when each address takes connections.
    /// - Parameters:
    ///   - config: the YAML.
    ///   - addresses: every address that the config listens on, pools and admin.
    ///   - arguments: more options for `serve`.
    ///   - launcher: a command that runs the command behind it in its place.
    public init(
        config: String, addresses: [ServerAddress], arguments: [String] = [], under launcher: [String] = []
    ) throws {
        self.addresses = addresses
        directory = try TemporaryDirectory()
        let file = directory.file("drover.yml")
        try writeFile(file, config)
        let errors = directory.file("stderr")
        child = try ChildProcess(launcher + [Self.binary, "serve", "-c", file] + arguments, errorFile: errors)
        let child = child
        let isReady = Deadline(seconds: 20).waits {
            guard child.isRunning else { return true }
            guard readFile(errors)?.contains("listening") == true else { return false }
            return addresses.allSatisfy { (try? RawClient($0, patience: 2)) != nil }
        }
        guard isReady, child.isRunning else {
            throw TestFailure("drover did not come up: \(readFile(errors) ?? "")\nwith\n\(config)")
        }
    }

    /// The program that was built beside the tests; DROVER_BINARY names another.
    public static var binary: String {
        if let path = environment("DROVER_BINARY") { return path }
        let own = readLink("/proc/self/exe") ?? ""
        return own.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/") + "/drover"
    }

    public var pid: pid_t { child.pid }
    public var isRunning: Bool { child.isRunning }

    /// What it has logged so far.
    public var log: String { readFile(directory.file("stderr")) ?? "" }

    /// Waits until the log contains the text.
    public func logContains(_ text: String, within seconds: Double) -> Bool {
        Deadline(seconds: seconds).waits { log.contains(text) }
    }

    /// Writes another config and sends SIGHUP; returns when the log says what became of it.
    public func reload(_ config: String, within seconds: Double = 20) throws {
        let before = Self.outcomes(log)
        try writeFile(file, config)
        signal(SIGHUP)
        guard Deadline(seconds: seconds).waits(until: { Self.outcomes(log) > before }) else {
            throw TestFailure("nothing came of the reload: \(log)")
        }
    }

    private static func outcomes(_ log: String) -> Int {
        log.split(separator: "\n").count {
            $0.contains("config is taken over") || $0.contains("config not taken over")
                || $0.contains("config is read again")
        }
    }

    public func signal(_ number: Int32) { child.signal(number) }

    /// Its exit code, or minus the signal that ended it; nil when it still runs at the end of that time.
    public func wait(seconds: Double) -> Int32? { child.wait(seconds: seconds) }

    /// SIGTERM, and the exit code; nil when it still runs at the end of that time.
    public func stop(seconds: Double = 15) -> Int32? {
        signal(SIGTERM)
        return wait(seconds: seconds)
    }

    public func kill() {
        signal(SIGKILL)
        _ = wait(seconds: 5)
    }

    /// Resident memory now, in bytes.
    public var residentMemory: Int { processMemory(pid, "VmRSS:") }

    /// The most that it has had since `forgetPeakMemory`, in bytes.
    public var peakMemory: Int { processMemory(pid, "VmHWM:") }

    public func forgetPeakMemory() { try? writeFile("/proc/\(pid)/clear_refs", "5") }
}

/// A line of /proc/PID/status that counts kB, in bytes; 0 when there is none.
private func processMemory(_ pid: pid_t, _ name: String) -> Int {
    for line in (readFile("/proc/\(pid)/status") ?? "").split(separator: "\n") where line.hasPrefix(name) {
        return line.split(whereSeparator: { $0 == " " || $0 == "\t" }).compactMap { Int($0) }.first.map { $0 << 10 }
            ?? 0
    }
    return 0
}
