internal import Bytes
internal import Reactor
internal import Sockets

/// What the run tells a worker.
enum Order: Sendable {
    case begin(Phase)
    /// The phase ends as if its time were over.
    case end
    case leave
}

/// What a worker tells the run.
enum News: Sendable {
    case connected
    /// Could not connect: an errno.
    case failed(Int32)
    /// Requests answered in this phase so far, and how many of them with an error.
    case progress(worker: Int, answered: Int, errors: Int)
    case ended(LoadTally)
}

/// One thread of the generator: its own loop, its own connections, its own counts.
///
/// It must be far cheaper than what it measures: a turn reads each ready connection once, answers and new requests are
/// a few copies each, and each connection is written to once.
final class LoadWorker {
    enum Stage: Equatable {
        case idle
        /// Requests are being sent, or are still due.
        case sending
        /// All are sent; the last answers are on their way.
        case settling
    }

    static let mailToken = UInt64(UInt32.max)
    static let progressInterval: UInt64 = 1_000_000_000
    static let retryInterval: UInt64 = 100_000_000

    let number: Int
    let plan: LoadPlan
    let keys: KeySpace
    let choice: KeyChoice
    let news: Mailbox<News>
    private let orders: Mailbox<Order>

    let loop: EventLoop
    let queues = ByteQueues(limit: 4 << 30)
    let vector = SendVector()
    var open = OpenChunk()
    var connections: [LoadConnection] = []
    /// Not closed, not connecting.
    var openConnections = 0
    var everConnected = false

    var tally = LoadTally()
    var phase = Phase(kind: .warmup, requests: 0, duration: 0)
    var stage = Stage.idle
    var sent = 0
    var inFlight = 0
    /// Counts draws over the whole run, so that no two phases send the same keys in the same order.
    var draws: UInt64
    var startedAt: UInt64 = 0
    var endsAt: UInt64 = 0
    private var reportAt: UInt64 = 0
    /// Open loop: connections that have room, in the order in which they got it.
    var listed: [Int] = []
    var listedHead = 0

    init(
        number: Int, plan: LoadPlan, keys: KeySpace, choice: KeyChoice, orders: Mailbox<Order>, news: Mailbox<News>
    ) {
        self.number = number
        self.plan = plan
        self.keys = keys
        self.choice = choice
        self.orders = orders
        self.news = news
        loop = EventLoop()
        draws = mixed(plan.seed &+ UInt64(number))
        // The window holds the replies of a full pipeline, so that one read takes them, within reason.
        let reply = (plan.valueSizes.upperBound + keys.keyLength + 64) * plan.keysPerGet * plan.depth
        let inboxSize = min(max(reply, 4096), 262_144)
        let depth = max(plan.depth, prefillDepth)
        connections = (0..<plan.share(plan.connections, number)).map {
            LoadConnection(index: $0, depth: depth, inboxSize: inboxSize)
        }
    }

    /// Small values are set many at a time; large ones would only pile up.
    var prefillDepth: Int { plan.valueSizes.upperBound <= 4096 ? 16 : 1 }

    var depth: Int { phase.kind == .prefill ? prefillDepth : plan.depth }

    /// The thread's whole life.
    func run() {
        _ = loop.watchReadable(orders.descriptor, token: Self.mailToken)
        for connection in connections { connect(connection) }
        while true {
            loop.turn(until: deadline)
            var mail = false
            for index in 0..<loop.readyCount {
                let (token, what) = loop.ready(at: index)
                if token == Self.mailToken { mail = true }
                guard token < UInt64(connections.count) else { continue }
                serve(connections[Int(token)], what)
            }
            if mail {
                for order in orders.takeAll() {
                    switch order {
                    case .begin(let phase): begin(phase)
                    case .end: endsAt = min(endsAt, loop.now)
                    case .leave: return closeAll()
                    }
                }
            }
            retryLost()
            advance()
            queues.rewind(&open)
        }
    }

    private func begin(_ phase: Phase) {
        self.phase = phase
        stage = .sending
        tally = LoadTally()
        sent = 0
        startedAt = loop.now
        endsAt = startedAt + phase.duration
        reportAt = startedAt + Self.progressInterval
        for connection in connections where connection.state == .open { fill(connection) }
    }

    /// Moves the phase on: sends what is due, sees its end, reports.
    private func advance() {
        guard stage != .idle else { return }
        if stage == .sending {
            if phase.rate > 0 { sendDue() }
            if !maySend { stage = .settling }
        }
        let outOfTime = loop.now >= endsAt &+ plan.grace
        if outOfTime || (stage == .settling && inFlight == 0) { end() }
        if stage != .idle, loop.now >= reportAt {
            reportAt = loop.now + Self.progressInterval
            news.send(.progress(worker: number, answered: tally.answered, errors: tally.errorCount))
        }
    }

    private func end() {
        // What was due and never found room went without an answer too.
        if phase.rate > 0, maySend { tally.unanswered += overdue }
        for connection in connections where connection.inFlight > 0 { lose(connection, counted: false) }
        stage = .idle
        news.send(.ended(tally))
    }

    /// When the next turn must happen at the latest.
    private var deadline: UInt64? {
        var earliest = UInt64.max
        if stage != .idle {
            earliest = min(reportAt, loop.now < endsAt ? endsAt : endsAt &+ plan.grace)
            // A due request without a connection to take it waits for an answer, not for the clock.
            if stage == .sending, phase.rate > 0, listedHead < listed.count { earliest = min(earliest, nextDue) }
        }
        if openConnections < connections.count {
            for connection in connections where connection.state == .closed {
                earliest = min(earliest, connection.retryAt)
            }
        }
        return earliest == .max ? nil : earliest
    }
}
