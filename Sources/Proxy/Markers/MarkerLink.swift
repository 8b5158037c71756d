internal import Bytes
internal import MemcacheProtocol
internal import ProxyCore
internal import Reactor
internal import Sockets

/// A connection to one node for commands on markers, answered in order; the control thread has one to each. What is
/// asked on it was answered by one process; a lost connection may come back to another.
final class MarkerLink {
    private struct Question {
        let verb: Verb
        let sent: UInt64
        /// Nil: the connection was lost.
        let answered: (Answer?) -> Void
    }

    /// A whole reply: what its first line says, that line, and the value behind it.
    struct Answer {
        let code: ReplyCode
        let line: [UInt8]
        let value: [UInt8]
    }

    enum State { case closed, connecting, open }

    /// Why a connection was given up.
    enum Loss: String {
        case connectFailed = "connect_failed"
        case connectTimeout = "connect_timeout"
        case timeout
        case connectionLost = "connection_lost"
        case badReply = "bad_reply"
        /// Its owner has no more use for it.
        case unwanted

        /// The node's process has ended.
        var isEnd: Bool { self == .connectFailed || self == .connectionLost }

        /// It gave no answer in time.
        var isSilence: Bool { self == .connectFailed || self == .connectTimeout || self == .timeout }
    }

    /// Tokens of most of these have this bit and the node's number.
    static let token: UInt64 = 1 << 41
    /// Bytes of a reply that is waited for: a marker's item and its header are far shorter.
    private static let replyLimit = 64 << 10

    /// Among all nodes.
    let node: Int
    private let loop: EventLoop
    private let timeout: UInt64
    private let connectTimeout: UInt64
    private let token: UInt64
    /// Told after every question has been.
    private let lost: (Loss) -> Void

    private(set) var state = State.closed
    private(set) var version = ServerVersion.unknown
    private var socket = Socket.none
    private var readWatch = Watch.none
    private var writeWatch = Watch.none
    private var began: UInt64 = 0
    private var inbox = ReceiveBuffer(capacity: 4096)
    private var outbox: [UInt8] = []
    private var questions: [Question] = []

    /// - Parameter token: of its watches; nil on the control thread.
    init(
        node: Int, on loop: EventLoop, timeout: UInt64, connectTimeout: UInt64, token: UInt64? = nil,
        lost: @escaping (Loss) -> Void
    ) {
        self.node = node
        self.token = token ?? Self.token | UInt64(node)
        self.loop = loop
        self.timeout = timeout
        self.connectTimeout = connectTimeout
        self.lost = lost
    }

    deinit { forget() }

    // MARK: Connecting

    func connect(to address: SocketAddress?) {
        guard state == .closed else { return }
        (state, began) = (.connecting, loop.now)
        switch address.map({ Socket.connect(to: $0) }) {
        case .connected(let made):
            socket = made
            opened()
        case .underWay(let made):
            socket = made
            writeWatch = loop.watchWritable(made.descriptor, token: token)
        case .failed, nil: fail(.connectFailed)
        }
    }

    private func opened() {
        state = .open
        readWatch = loop.watchReadable(socket.descriptor, token: token)
        ask(Array("version\r\n".utf8), .version) { _ in }
    }

    /// Ends the connection with a reset, so that nothing that was sent can land later.
    func fail(_ loss: Loss = .unwanted) {
        guard state != .closed else { return }
        forget()
        let waiting = questions
        questions = []
        for question in waiting { question.answered(nil) }
        lost(loss)
    }

    private func forget() {
        loop.remove(readWatch)
        loop.remove(writeWatch)
        (readWatch, writeWatch) = (.none, .none)
        socket.reset()
        socket = .none
        state = .closed
        inbox.consume(inbox.count)
        outbox = []
    }

    // MARK: Asking

    /// Sends a command, with its CR LF, before the loop waits again; `flush` sends it now.
    func ask(_ bytes: [UInt8], _ verb: Verb, _ answered: @escaping (Answer?) -> Void) {
        guard state == .open else { return answered(nil) }
        outbox += bytes
        questions.append(Question(verb: verb, sent: loop.now, answered: answered))
    }

    func flush() {
        guard state == .open, !outbox.isEmpty, writeWatch == .none else { return }
        let bytes = outbox
        switch unsafe socket.send(bytes.span.bytes) {
        case .bytes(let count):
            outbox.removeFirst(count)
            if !outbox.isEmpty { awaitWritable() }
        case .wouldBlock: awaitWritable()
        case .closed, .failed: fail(.connectionLost)
        }
    }

    private func awaitWritable() {
        writeWatch = loop.watchWritable(socket.descriptor, token: token)
    }

    /// When `expire` has to be called; `.max` for never.
    var deadline: UInt64 {
        switch state {
        case .closed: .max
        case .connecting: began + connectTimeout
        case .open: questions.first.map { $0.sent + timeout } ?? .max
        }
    }

    func expire(now: UInt64) {
        // The answer may be there, and it is this thread that is late. One may take several reads.
        while now >= deadline, state == .open, read() {}
        if now >= deadline { fail(state == .connecting ? .connectTimeout : .timeout) }
    }

    // MARK: Answers

    func ready(_ what: Readiness) {
        if state == .connecting {
            loop.remove(writeWatch)
            writeWatch = .none
            if socket.takeError() == 0 { opened() } else { fail(.connectFailed) }
            return
        }
        if what.contains(.writable), writeWatch != .none {
            loop.remove(writeWatch)
            writeWatch = .none
            flush()
        }
        if what.contains(.readable) { _ = read() }
    }

    /// False when nothing was there.
    private func read() -> Bool {
        guard state == .open else { return false }
        guard inbox.makeRoom(limit: Self.replyLimit) else {
            fail(.badReply)
            return false
        }
        switch socket.receive(into: &inbox) {
        case .bytes:
            takeAnswers()
            return true
        case .wouldBlock: return false
        case .closed, .failed:
            fail(.connectionLost)
            return false
        }
    }

    private func takeAnswers() {
        while state == .open, !inbox.isEmpty {
            guard let question = questions.first else { return fail(.badReply) }
            guard let (length, answer) = Self.parse(inbox.unread, question.verb) else { return }
            guard let answer else { return fail(.badReply) }
            inbox.consume(length)
            questions.removeFirst()
            if question.verb == .version { version = unsafe ServerVersion(answer.line.span.bytes, from: 8) }
            question.answered(answer)
        }
    }

    /// Nil while the reply is not whole; without an answer when it is none.
    private static func parse(_ bytes: RawSpan, _ verb: Verb) -> (length: Int, answer: Answer?)? {
        switch ReplyParser.parse(bytes, for: verb) {
        case .needMore: return nil
        case .line(let code, let length):
            return (length, Answer(code: code, line: array(bytes.extracting(0..<length)), value: []))
        case .value(let head) where verb == .metaGet:
            guard head.totalLength <= replyLimit / 2 else { return (0, nil) }
            guard bytes.byteCount >= head.totalLength else { return nil }
            let (start, end) = (Int(head.headerLength), head.totalLength - 2)
            return (
                head.totalLength,
                Answer(
                    code: .value, line: array(bytes.extracting(0..<start)), value: array(bytes.extracting(start..<end)))
            )
        case .value, .end, .stat, .broken: return (0, nil)
        }
    }

    private static func array(_ bytes: RawSpan) -> [UInt8] { (0..<bytes.byteCount).map { bytes.byte(at: $0) } }
}

extension MarkerLink {
    /// Sends a command on a marker.
    func send(_ command: MarkerCommand, names: [String], _ answered: @escaping (MarkerReply) -> Void) {
        ask(command.bytes(names: names), command.verb) { answer in
            guard let answer else { return answered(.failed) }
            answered(
                unsafe MarkerReply(answer.code, to: command.action, line: answer.line.span.bytes, value: answer.value))
        }
    }
}

extension MarkerCommand {
    fileprivate var verb: Verb {
        switch action {
        case .read: .metaGet
        case .store: .metaSet
        case .delete, .deleteSame: .metaDelete
        }
    }
}
