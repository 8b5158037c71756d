internal import Glibc
internal import Reactor
internal import Sockets

/// A whole run: starts the workers, takes them from phase to phase together, and gathers what they counted.
public struct LoadRun {
    /// What the caller may show while the run goes on.
    public enum Event: Sendable {
        case began(String)
        /// Answered so far in this phase, errors among them, and nanoseconds since it began.
        case progress(phase: String, answered: Int, errors: Int, elapsed: UInt64)
        /// With `stepwise`: nothing is in flight, and the run goes on with the next line on standard input.
        case waiting(String)
    }

    public enum Failure: Error, Sendable, Equatable {
        case badPlan(String)
        case notConnected(String)
        /// A worker did not end its phase in time; a bug.
        case stuck
    }

    public struct Outcome: Sendable {
        public var prefill: LoadTally?
        public var counted: LoadTally
        /// Nothing went wrong in the counted part nor in the prefill.
        public var isClean: Bool { counted.isClean && prefill?.isClean ?? true }
    }

    private static let mailToken: UInt64 = 1
    private static let stopToken: UInt64 = 2

    private let plan: LoadPlan
    private let observe: (Event) -> Void
    private let news = Mailbox<News>()
    private let loop = EventLoop()

    /// Runs `plan` on threads of its own; returns when all is answered or out of time, or SIGINT has cut the counted part
    /// short.
    public static func run(_ plan: LoadPlan, observe: @escaping (Event) -> Void) -> Result<Outcome, Failure> {
        if let problem = plan.problem { return .failure(.badPlan(problem)) }
        return LoadRun(plan: plan, observe: observe).run()
    }

    private init(plan: LoadPlan, observe: @escaping (Event) -> Void) {
        self.plan = plan
        self.observe = observe
    }

    private func run() -> Result<Outcome, Failure> {
        _ = loop.watchReadable(news.descriptor, token: Self.mailToken)
        let keys = KeySpace(plan: plan)
        let choice = KeyChoice(count: plan.keyCount, skew: plan.zipf)
        let mailboxes = (0..<plan.threads).map { _ in Mailbox<Order>() }
        let threads = mailboxes.enumerated().map { number, orders in
            LoadThread.start(number: number, plan: plan, keys: keys, choice: choice, orders: orders, news: news)
        }
        defer {
            for mailbox in mailboxes { mailbox.send(.leave) }
            for thread in threads { thread.join() }
        }
        if let failure = awaitConnections() { return .failure(failure) }
        var prefill: LoadTally?
        let phases = (0..<plan.threads).map { plan.phases(worker: $0) }
        for step in phases[0].indices {
            let kind = phases[0][step].kind
            if kind == .counted { pause("before") }
            let watch = kind == .counted ? loop.watchSignal(SIGINT, token: Self.stopToken) : .none
            defer { loop.remove(watch) }
            observe(.began(kind.name))
            for (worker, mailbox) in mailboxes.enumerated() { mailbox.send(.begin(phases[worker][step])) }
            let ended = awaitEnd(of: phases[0][step]) { for mailbox in mailboxes { mailbox.send(.end) } }
            guard let tally = ended else { return .failure(.stuck) }
            if kind == .prefill { prefill = tally }
            if kind == .counted {
                pause("after")
                return .success(Outcome(prefill: prefill, counted: tally))
            }
        }
        return .failure(.stuck)
    }

    private func pause(_ name: String) {
        guard plan.stepwise else { return }
        observe(.waiting(name))
        _ = readLine()
    }

    private func awaitConnections() -> Failure? {
        var connected = 0
        let until = EventLoop.monotonicNow() + 5_000_000_000
        while connected < plan.threads {
            loop.turn(until: until)
            for message in news.takeAll() {
                if case .connected = message { connected += 1 }
                if case .failed(let code) = message { return .notConnected(errorText(code)) }
            }
            if loop.now >= until, connected < plan.threads { return .notConnected("no connection within 5 s") }
        }
        return nil
    }

    /// The sum of the workers' counts; nil when one of them does not answer.
    private func awaitEnd(of phase: Phase, stop: () -> Void) -> LoadTally? {
        var total = LoadTally()
        var ended = 0
        var answered = Array(repeating: 0, count: plan.threads)
        var errors = answered
        let start = EventLoop.monotonicNow()
        let until = start + phase.duration + plan.grace + 10_000_000_000
        while ended < plan.threads {
            loop.turn(until: until)
            if (0..<loop.readyCount).contains(where: { loop.ready(at: $0).token == Self.stopToken }) { stop() }
            for message in news.takeAll() {
                switch message {
                case .progress(let worker, let count, let failed):
                    answered[worker] = count
                    errors[worker] = failed
                    observe(
                        .progress(
                            phase: phase.kind.name, answered: answered.reduce(0, +), errors: errors.reduce(0, +),
                            elapsed: loop.now - start))
                case .ended(let tally):
                    total.add(tally)
                    ended += 1
                case .connected, .failed: break
                }
            }
            if loop.now >= until { return nil }
        }
        return total
    }
}

extension Phase.Kind {
    var name: String {
        switch self {
        case .prefill: "prefill"
        case .warmup: "warm-up"
        case .counted: "counted"
        }
    }
}

/// A worker is made on its own thread, so that nothing of it ever crosses.
private enum LoadThread {
    static func start(
        number: Int, plan: LoadPlan, keys: KeySpace, choice: KeyChoice, orders: Mailbox<Order>, news: Mailbox<News>
    ) -> LoopThread {
        LoopThread(name: "load-\(number)") {
            LoadWorker(number: number, plan: plan, keys: keys, choice: choice, orders: orders, news: news).run()
        }
    }
}
