internal import ArgumentParser
internal import ProxyConfig
internal import ProxyCore
internal import Sockets
internal import Telemetry

/// `--admin` or `-c`: where a running proxy is asked.
struct AdminOption: ParsableArguments {
    static let standard = "127.0.0.1:9411"

    @Option(help: ArgumentHelp("The running proxy's admin address. (default: \(standard))", valueName: "host:port"))
    var admin: String?

    @Option(
        name: [.customShort("c"), .customLong("config")],
        help: ArgumentHelp("The proxy's config, to read the admin address from.", valueName: "file"))
    var path: String?

    func validate() throws {
        guard admin == nil || path == nil else { throw ValidationError("give --admin or -c, not both") }
        if let admin { _ = try Self.address(admin) }
    }

    func client() throws -> AdminClient {
        guard let path else { return try Self.client(at: admin ?? Self.standard) }
        guard case .tcp(let host, let port)? = try loadConfig(path).settings.admin else {
            Terminal.note("drover: \(path) says `admin: off`, so the proxy cannot be asked anything")
            throw DroverExit.unavailable.code
        }
        let name = "\(Endpoint.tcp(host: host, port: port))"
        return AdminClient(address: try Self.address(name), name: name)
    }

    /// - Parameter name: HOST:PORT.
    static func client(at name: String) throws -> AdminClient {
        AdminClient(address: try address(name), name: name)
    }

    static func address(_ text: String) throws -> SocketAddress {
        let address = try BenchText.address(text)
        guard address.kind != .unix else { throw ValidationError("'\(text)' is no HOST:PORT") }
        return address
    }
}

/// Why the proxy did not do or tell what it was asked.
struct AdminFailure: Error {
    var exit: DroverExit
    var message: String
    /// It may be there again in a moment.
    var isPassing = false

    /// Says so, and ends the command.
    var code: ExitCode {
        Terminal.note("drover: \(message)")
        return exit.code
    }
}

/// Asks a running proxy's admin.
struct AdminClient {
    private static let patience = 10_000
    /// Bytes of an answer: enough for the status of the largest config.
    private static let limit = 128 << 20

    let address: SocketAddress
    /// The address as the user wrote it.
    let name: String

    /// What further commands need to reach the same proxy.
    var option: String { name == AdminOption.standard ? "" : " --admin \(name)" }

    /// What the proxy shows of itself, with a newline at its end.
    func status(json: Bool) throws(AdminFailure) -> String {
        let page = try ask("GET", "/api/status" + (json ? "" : "?format=text"))
        let text = String(decoding: page, as: UTF8.self)
        guard json ? JSONValue(reading: page)?["pools"] != nil : text.hasPrefix("drover ") else { throw stranger }
        return text
    }

    /// The YAML that the proxy runs by.
    func config() throws(AdminFailure) -> String { String(decoding: try ask("GET", "/api/config"), as: UTF8.self) }

    func job(_ id: Int) throws(AdminFailure) -> JobView {
        guard let json = JSONValue(reading: try ask("GET", "/api/jobs/\(id)")), let job = JobView(json) else {
            throw stranger
        }
        return job
    }

    /// The number of the job that was begun, or that obeys.
    func command(_ target: String) throws(AdminFailure) -> Int {
        guard let id = JSONValue(reading: try ask("POST", target))?["job"]?.asInteger else { throw stranger }
        return id
    }

    /// What was done.
    func order(_ target: String) throws(AdminFailure) -> String {
        guard let text = JSONValue(reading: try ask("POST", target))?["result"]?.asString else { throw stranger }
        return text.visible
    }

    private func ask(_ method: String, _ target: String) throws(AdminFailure) -> [UInt8] {
        let reply: HTTPReply
        do {
            reply = try HTTPCall.exchange(
                address, method: method, target: target, headers: ["X-Drover: 1"], limit: Self.limit,
                within: Self.patience)
        } catch {
            throw failure(error)
        }
        if (200...299).contains(reply.status) { return reply.body }
        guard let reason = JSONValue(reading: reply.body)?["error"]?.asString else { throw stranger }
        let isUsage = reply.status == 404 || reply.status == 400
        throw AdminFailure(exit: isUsage ? .usage : .failure, message: reason.visible)
    }

    private func failure(_ failure: HTTPCall.Failure) -> AdminFailure {
        switch failure {
        case .unreachable(let code):
            AdminFailure(
                exit: .unavailable, message: "no proxy at \(name): \(errorText(code)); is its `admin:` that address?",
                isPassing: true)
        case .timeout:
            AdminFailure(
                exit: .unavailable, message: "the proxy at \(name) did not answer in \(Self.patience / 1000) s",
                isPassing: true)
        case .malformed, .tooLarge: stranger
        }
    }

    private var stranger: AdminFailure {
        AdminFailure(exit: .unavailable, message: "what answers at \(name) is no drover, or one of another version")
    }
}
