internal import ArgumentParser
internal import Glibc
internal import Telemetry

/// `--json` and `--no-wait`, for commands that begin or change a job.
struct JobOptions: ParsableArguments {
    @Flag(help: "Print the result as JSON.")
    var json = false

    @Flag(help: "Leave at once; the job goes on by itself.")
    var noWait = false

    /// Asks the proxy for what begins or changes a job, and follows that.
    ///
    /// - Parameter path: of the request, percent-encoded.
    func follow(_ path: String, of admin: AdminOption) throws -> ExitCode {
        let client = try admin.client()
        do throws(AdminFailure) {
            return try follow(client.command(path), client)
        } catch {
            throw error.code
        }
    }

    /// Sees a job that was just begun to its end, and shows how it ended.
    private func follow(_ id: Int, _ client: AdminClient) throws(AdminFailure) -> ExitCode {
        if noWait {
            Terminal.out(json ? JSONValue.object([.init("job", .integer(id))]).text : begun(id, client))
            return DroverExit.ok.code
        }
        guard let job = try JobFollower(client: client, id: id).lastView() else {
            Terminal.note("job \(id) goes on; `drover cancel \(id)\(client.option)` ends it")
            return ExitCode(128 + SIGINT)
        }
        Terminal.write(json ? job.json.text + "\n" : job.text, to: STDOUT_FILENO)
        return (job.state == .done ? DroverExit.ok : .failure).code
    }

    private func begun(_ id: Int, _ client: AdminClient) -> String {
        "job \(id) has begun; `drover status\(client.option)` shows it, `drover cancel \(id)\(client.option)` ends it"
    }
}

/// Shows on standard error how a job gets on: one line that changes in a terminal, a line now and then elsewhere.
struct JobFollower {
    /// How often in a row the proxy may be out of reach.
    private static let patience = 5

    let client: AdminClient
    let id: Int
    private let isTerminal = isatty(STDERR_FILENO) == 1

    init(client: AdminClient, id: Int) {
        self.client = client
        self.id = id
    }

    /// The job as it ended; nil when Ctrl-C came before.
    func lastView() throws(AdminFailure) -> JobView? {
        let interrupt = Interrupt()
        var log = JobLog()
        var misses = 0
        var time = 0.0
        defer { if isTerminal { Terminal.write("\r\u{1b}[K", to: STDERR_FILENO) } }
        while true {
            do throws(AdminFailure) {
                let job = try client.job(id)
                misses = 0
                if job.isOver { return job }
                show(job, &log, at: time)
            } catch {
                misses += 1
                guard error.isPassing, misses < Self.patience else { throw error }
            }
            let pause = isTerminal ? 0.25 : 1
            if interrupt.comes(within: pause) { return nil }
            time += pause
        }
    }

    private func show(_ job: JobView, _ log: inout JobLog, at time: Double) {
        if isTerminal {
            Terminal.write("\r\u{1b}[K\(job.progressLine(width: Self.width))", to: STDERR_FILENO)
        } else if let line = log.line(for: job, at: time) {
            Terminal.note(line)
        }
    }

    /// Columns of the terminal.
    private static var width: Int {
        var size = winsize()
        guard unsafe ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }
}

/// From its making on Ctrl-C no longer ends the process: it is waited for.
private struct Interrupt {
    private var set = sigset_t()

    init() {
        unsafe sigemptyset(&set)
        unsafe sigaddset(&set, SIGINT)
        unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Whether it comes before so many seconds are over.
    func comes(within seconds: Double) -> Bool {
        var set = set
        var time = timespec(tv_sec: Int(seconds), tv_nsec: Int((seconds - seconds.rounded(.down)) * 1e9))
        return unsafe sigtimedwait(&set, nil, &time) == SIGINT
    }
}
