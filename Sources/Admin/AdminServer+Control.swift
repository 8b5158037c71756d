public import Proxy
public import ProxyCore

extension AdminServer {
    /// Serves a running proxy's figures on the loop of its control thread.
    /// - Parameter endpoint: TCP, with an IPv4 or IPv6 literal or `localhost`.
    public convenience init(_ control: Control, at endpoint: Endpoint, version: String) throws(StartError) {
        guard case .tcp(let host, let port) = endpoint else {
            throw StartError(description: "admin: cannot listen on \(endpoint): it speaks HTTP over TCP only")
        }
        do {
            try self.init(
                on: control.loop, host: host == "localhost" ? "127.0.0.1" : host, port: port,
                view: { [unowned control] in control.view(version: version) },
                obey: { [unowned control] in control.obey($0) },
                config: { [unowned control] in control.configText })
        } catch {
            throw StartError(description: "admin: cannot listen on \(endpoint): \(error)")
        }
    }
}
