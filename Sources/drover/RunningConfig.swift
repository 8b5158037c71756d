internal import ArgumentParser
internal import ProxyConfig
internal import ProxyCore
internal import Sockets

/// The config that a running proxy runs by.
struct RunningConfig {
    /// For one node's `stats`.
    private static let patience = 2000

    let settings: Settings

    init(of client: AdminClient, zone: String?) throws {
        let text: String
        do throws(AdminFailure) {
            text = try client.config()
        } catch {
            throw error.code
        }
        do throws(ConfigErrors) {
            settings = try ConfigFile.parse(text: text, file: "\(client.name)/api/config", zone: zone).settings
        } catch {
            throw Terminal.report(error)
        }
    }

    /// What of the file differs, and which keys move for it; a line each.
    func comparison(with wanted: Settings) -> [String] {
        var lines: [String] = []
        for pool in settings.pools {
            guard let next = wanted.pools.first(where: { $0.name == pool.name }) else { continue }
            let differences = next.differences(from: pool)
            guard !differences.isEmpty else {
                lines.append("pool \(pool.name): as it runs")
                continue
            }
            lines.append("pool \(pool.name): other \(differences.joined(separator: ", "))")
            guard !pool.places(as: next) || pool.nodes.map(\.address) != next.nodes.map(\.address) else { continue }
            lines += MovementText.lines(from: pool, to: next, keys: Self.keys(of: pool))
        }
        return lines
    }

    /// That the pool's nodes have, as they say themselves; nil where one of them does not.
    private static func keys(of pool: PoolSettings) -> Double? {
        var items = 0
        for node in pool.nodes + pool.standby {
            guard let address = SocketAddress(node.address),
                let answer = try? HTTPCall.converse(address, Array("stats\r\nquit\r\n".utf8), within: patience)
            else { return nil }
            let lines = String(decoding: answer, as: UTF8.self).split(whereSeparator: \.isNewline)
            guard let line = lines.first(where: { $0.hasPrefix("STAT curr_items ") }),
                let count = Int(line.dropFirst(16))
            else { return nil }
            items += count
        }
        return Double(items) / Double(pool.copies)
    }
}

extension SocketAddress {
    /// Nil for a name: it would have to be resolved first.
    fileprivate init?(_ endpoint: Endpoint) {
        switch endpoint {
        case .tcp(let host, let port): self.init(literal: host == "localhost" ? "127.0.0.1" : host, port: port)
        case .unix(let path): self.init(path: path)
        }
    }
}
