import Admin
import DroverTesting
import Proxy
import Reactor
import Telemetry

/// An admin on a thread of its own, over a proxy that is made up.
final class RunningAdmin: Sendable {
    /// What the proxy shows, and what it was told.
    struct State: Sendable {
        var jobs: [JobView] = []
        var told: [JobCommand] = []
        /// How often somebody has looked.
        var looks = 0
    }

    let state: SharedBox<State>
    let port: UInt16
    private let toAdmin = Mailbox<Bool>()
    private let thread: TestThread<Bool>

    var address: ServerAddress { .tcp(host: "127.0.0.1", port: port) }

    /// - Parameters:
    ///   - obey: what becomes of a command.
    ///   - look: changes the jobs before they are shown, the nth time (from 1).
    init(
        jobs: [JobView] = [], obey: @escaping @Sendable (JobCommand, inout State) -> JobAnswer = { _, _ in .job(1) },
        look: @escaping @Sendable (Int, inout [JobView]) -> Void = { _, _ in }
    ) throws {
        let state = SharedBox(State(jobs: jobs))
        let (toAdmin, ports) = (toAdmin, SharedBox<UInt16?>(nil))
        thread = TestThread {
            let loop = EventLoop()
            let watch = loop.watchReadable(toAdmin.descriptor, token: 1)
            let server = try AdminServer(
                on: loop, host: "127.0.0.1", port: 0,
                view: {
                    state.withValue {
                        $0.looks += 1
                        look($0.looks, &$0.jobs)
                        return Self.view($0.jobs)
                    }
                },
                obey: { command in
                    state.withValue {
                        $0.told.append(command)
                        return obey(command, &$0)
                    }
                })
            ports.withValue { $0 = server.port }
            while toAdmin.takeAll().isEmpty { loop.turn() }
            loop.remove(watch)
            return true
        }
        self.state = state
        guard Deadline(seconds: 20).waits(until: { ports.value != nil }), let port = ports.value else {
            throw TestFailure("the admin did not come up")
        }
        self.port = port
    }

    deinit {
        toAdmin.send(true)
        _ = try? thread.join()
    }

    private static func view(_ jobs: [JobView]) -> AdminView {
        AdminView(
            version: "9.9", startTime: 0, uptime: 1, workers: 1, residentBytes: 5, bufferLimit: 0, verbs: ["get"],
            pools: [PoolView(name: "main", nodes: [NodeView(name: "n", state: .down)])], totals: WorkerSnapshot(),
            jobs: jobs)
    }

    /// The whole answer to a request.
    func exchange(_ method: String, _ target: String, _ headers: [String] = []) throws -> String {
        let client = try RawClient(address)
        let lines = ["\(method) \(target) HTTP/1.1", "Host: x", "Connection: close"] + headers
        try client.send(lines.joined(separator: "\r\n") + "\r\n\r\n")
        return String(decoding: try client.readToEnd(), as: UTF8.self)
    }
}
