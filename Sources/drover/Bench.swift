internal import ArgumentParser
internal import Glibc
internal import Loadgen

/// `drover bench`: a load generator for anything that speaks memcached's text protocol.
struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Load a memcached or a proxy, and tell rates and latencies.",
        discussion: """
            Closed loop by default: every connection keeps --pipeline requests outstanding. With --rate the requests \
            leave on schedule (open loop), and latency counts from when a request was due, so a stall of the target \
            shows in full.

            Every key has one value, told by its number, so any run can --verify what another has set.

            SIGINT (Ctrl-C) ends the counted part, and what it has counted is told.

            Exit codes: 0 all was answered well (a miss is no fault), 1 there were errors or wrong, lost or missing \
            answers, 69 the target cannot be reached, 64 wrong options.

            Examples:
              drover bench 127.0.0.1:11311 --connections 50 --duration 10s --mix 10:1 --size 1k --verify
              drover bench 127.0.0.1:11311 --rate 20000/s --keys 100000 --zipf 0.99
              drover bench /run/drover.sock --multiget 50 --requests 100000 --json
            """)

    @Argument(help: "HOST:PORT with a literal address or localhost, [IPV6]:PORT, or a Unix socket's path.")
    var target: String

    @Option(name: .shortAndLong, help: "Connections over all threads.")
    var connections = 50
    @Option(name: .shortAndLong, help: "Threads.")
    var threads = 1
    @Option(name: .shortAndLong, help: "Requests that a connection keeps outstanding.")
    var pipeline = 1
    @Option(help: "Requests per second over all connections, as 20000 or 20000/s: open loop.")
    var rate: String?
    @Option(help: "Gets to sets, as 10:1; 0:1 sets only.")
    var mix = "1:0"
    @Option(help: "Keys in each get.")
    var multiget = 1
    @Flag(help: "Meta commands: mg and ms.")
    var meta = false
    @Option(help: "Bytes of a value, as 100, 64k or 100-2000.")
    var size = "100"
    @Option(help: "Keys that are used.")
    var keys = 10_000
    @Option(help: "Skew of the choice of keys by Zipf's law; 0 is uniform.")
    var zipf = 0.0
    @Option(help: "What every key starts with.")
    var prefix = "key:"
    @Option(name: [.customShort("n"), .long], help: "Counted requests; --duration still bounds them.")
    var requests: Int?
    @Option(help: "Time of the counted part, as 10s, 500ms or 2m. (default: 10s; with --requests 60s)")
    var duration: String?
    @Option(help: "Before the counted part: a time, or a number of requests; 0 is none.")
    var warmup = "1s"
    @Flag(inversion: .prefixedNo, help: "Set all keys first.")
    var prefill = true
    @Flag(help: "Check that each value is its key's.")
    var verify = false
    @Option(help: "Seed of the choice of keys.")
    var seed: UInt64 = 1
    @Flag(help: "Print the result as JSON.")
    var json = false
    @Flag(help: "No progress line.")
    var quiet = false
    @Flag(help: "Wait for a line on standard input before and after the counted part.")
    var stepwise = false

    func validate() throws {
        if let problem = try plan().problem { throw ValidationError(problem) }
    }

    func run() throws {
        let plan = try plan()
        let display = BenchDisplay(isQuiet: quiet)
        let result = LoadRun.run(plan) { display.show($0) }
        display.clear()
        switch result {
        case .success(let outcome):
            let report = LoadReport(plan: plan, outcome: outcome)
            print(json ? report.json : report.text)
            throw ExitCode(outcome.isClean ? 0 : 1)
        case .failure(.badPlan(let problem)):
            throw ValidationError(problem)
        case .failure(.notConnected(let reason)):
            display.complain("cannot connect to \(target): \(reason)")
            throw DroverExit.unavailable.code
        case .failure(.stuck):
            display.complain("a thread of the generator did not end its work in time")
            throw DroverExit.unavailable.code
        }
    }

    private func plan() throws -> LoadPlan {
        var plan = LoadPlan(target: try BenchText.address(target))
        plan.connections = connections
        plan.threads = threads
        plan.depth = pipeline
        plan.rate = try rate.map { try BenchText.rate($0) }
        (plan.gets, plan.sets) = try BenchText.mix(mix)
        plan.keysPerGet = multiget
        plan.meta = meta
        plan.valueSizes = try BenchText.sizes(size)
        plan.keyCount = keys
        plan.zipf = zipf
        plan.keyPrefix = prefix
        plan.requests = requests
        plan.duration = try BenchText.nanoseconds(duration ?? (requests == nil ? "10s" : "60s"))
        plan.warmup =
            try Int(warmup).map { .requests($0) } ?? .nanoseconds(BenchText.nanoseconds(warmup))
        plan.prefill = prefill
        plan.verify = verify
        plan.stepwise = stepwise
        plan.seed = seed
        return plan
    }
}
