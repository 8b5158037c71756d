public import Glibc

/// A real memcached on loopback or a Unix socket; it ends with its owner.
public final class MemcachedServer: Sendable {
    public enum Version: Sendable {
        /// Debian 12's, in /usr/bin.
        case debian
        /// 1.6.38, which Drover follows where versions differ; `make deps` builds it.
        case newer
    }

    public enum Listen: Sendable {
        case ipv4, ipv6, unix
    }

    public struct Options: Sendable {
        public var listen = Listen.ipv4
        /// `-I`: the biggest item, as memcached spells it ("128m").
        public var itemLimit: String?
        /// `-m`, in MiB.
        public var memory = 256
        public var threads = 2
        /// `-c`.
        public var connections = 1024
        public var more: [String] = []
        /// `-e`: its items are in a file, and stay when `stopWarm` stops it.
        public var keepsItems = false
        /// Where it runs, if not here; its address is the one on the last path there.
        public var network: NodeNetwork?

        public init() {}
    }

    public let address: ServerAddress
    public let version: Version
    public let options: Options
    private let directory: TemporaryDirectory
    private let child: SharedBox<ChildProcess>

    public init(_ version: Version = .newer, options: Options = Options()) throws {
        self.version = version
        self.options = options
        directory = try TemporaryDirectory()
        for attempt in 1... {
            do {
                let address = try Self.address(options, directory)
                child = SharedBox(try Self.start(version, options, address, directory))
                self.address = address
                return
            } catch {
                // Somebody else may have taken the port in between.
                if attempt == 5 { throw error }
            }
        }
        fatalError("the loop returns or throws")
    }

    public var pid: pid_t { child.value.pid }
    public var isRunning: Bool { child.value.isRunning }

    /// Ends it at once, as a crash would; the port stays its own for `restart`.
    public func kill() {
        thaw()
        child.value.signal(SIGKILL)
        _ = child.value.wait(seconds: 10)
    }

    /// It answers nothing until it is thawed, while its connections stay up.
    public func freeze() {
        let pid = child.value.pid
        child.value.signal(SIGSTOP)
        // Each thread stops when it next leaves the kernel, on a busy machine a good while later.
        _ = Deadline(seconds: 5).waits {
            ProcessThreads.states(of: pid).allSatisfy { $0 == "T" || $0 == "Z" }
        }
    }

    public func thaw() { child.value.signal(SIGCONT) }

    /// Starts it anew, empty, on the same address; kills it before, if it runs.
    public func restart() throws {
        kill()
        let new = try Self.start(version, options, address, directory)
        child.withValue { $0 = new }
    }

    /// Ends it so that `restart` finds all that it held: its markers too, and its CAS numbers.
    public func stopWarm() {
        child.value.signal(SIGUSR1)
        _ = child.value.wait(seconds: 10)
        // It takes its items for damaged when it seems to have been stopped after it was started.
        _ = Deadline(seconds: 3.2).waits { false }
    }

    public func client(patience: Double = 10) throws -> RawClient {
        let client = try RawClient(address, patience: patience)
        client.server = self
        return client
    }

    // MARK: Starting

    private static func address(_ options: Options, _ directory: TemporaryDirectory) throws -> ServerAddress {
        if let network = options.network { return .tcp(host: network.lastHost, port: 11211) }
        return switch options.listen {
        case .ipv4: .tcp(host: "127.0.0.1", port: try ServerAddress.freePort())
        case .ipv6: .tcp(host: "::1", port: try ServerAddress.freePort(host: "::1"))
        case .unix: .unix(path: directory.file("memcached.sock"))
        }
    }

    private static func start(
        _ version: Version, _ options: Options, _ address: ServerAddress, _ directory: TemporaryDirectory
    ) throws -> ChildProcess {
        var line = [
            try binary(version), "-U", "0", "-m", "\(options.memory)", "-t", "\(options.threads)", "-c",
            "\(options.connections)",
        ]
        if getuid() == 0 { line += ["-u", "root"] }
        if let network = options.network { line = network.prefix + line }
        switch address {
        case .tcp(_, let port) where options.network != nil: line += ["-l", "0.0.0.0", "-p", "\(port)"]
        case .tcp(let host, let port): line += ["-l", host, "-p", "\(port)"]
        case .unix(let path): line += ["-s", path]
        }
        if options.keepsItems { line += ["-e", directory.file("items")] }
        if let limit = options.itemLimit { line += ["-I", limit] }
        let errors = directory.file("stderr")
        let child = try ChildProcess(line + options.more, errorFile: errors)
        let answers = Deadline(seconds: 20).waits { answersAsItself(child, address) || !child.isRunning }
        guard answers, child.isRunning else { throw TestFailure("\(line): \(readFile(errors) ?? "") no answer") }
        return child
    }

    /// It is our own child that answers, and not another's server on the same port.
    private static func answersAsItself(_ child: ChildProcess, _ address: ServerAddress) -> Bool {
        guard let client = try? RawClient(address, patience: 2) else { return false }
        let stats = try? client.roundTrip("stats\r\n", through: "END\r\n")
        return stats?.contains("STAT pid \(child.pid)\r\n") == true
    }

    /// The path of that version's program.
    public static func binary(_ version: Version) throws -> String {
        switch version {
        case .debian:
            return "/usr/bin/memcached"
        case .newer:
            if let path = environment("DROVER_MEMCACHED_NEW") { return path }
            let path = packageRoot + "/.peers/memcached-1.6.38/memcached"
            guard unsafe access(path, X_OK) == 0 else {
                throw TestFailure("\(path) is missing: run `make deps`, or set DROVER_MEMCACHED_NEW")
            }
            return path
        }
    }
}

/// The folder of Package.swift.
public let packageRoot: String = {
    let parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
    return parts.dropLast(3).joined(separator: "/")
}()
