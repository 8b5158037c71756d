public import Proxy
public import Reactor
public import Telemetry

/// The HTTP side of a running proxy, for operators and their tools. It reads one `AdminView` a request, and hands on
/// what is to be done, in a turn of the loop it is on.
public final class AdminServer {
    private let server: HTTPServer

    /// The port that it listens on: the system's choice if 0 was asked for.
    public var port: UInt16 { server.port }

    /// - Parameter host: an IPv4 or IPv6 literal.
    public init(
        on loop: EventLoop, host: String, port: UInt16, view: @escaping () -> AdminView,
        obey: @escaping (JobCommand) -> JobAnswer, config: @escaping () -> [UInt8]? = { nil }
    ) throws(HTTPServerError) {
        let pages = AdminPages(view: view, obey: obey, config: config)
        server = try HTTPServer(on: loop, host: host, port: port) { pages.answer($0) }
    }
}
