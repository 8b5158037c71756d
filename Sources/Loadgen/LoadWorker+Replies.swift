internal import Bytes
internal import Histogram
internal import Reactor
internal import Sockets

extension LoadWorker {
    /// One read, all replies that it completes, and one write of the requests that follow them.
    func receive(_ connection: LoadConnection) {
        switch connection.socket.receive(into: &connection.inbox) {
        case .bytes(let count): tally.bytesReceived += count
        case .wouldBlock: return
        case .closed, .failed: return lose(connection, counted: true)
        }
        while !connection.inbox.isEmpty {
            guard connection.inFlight > 0, let used = take(connection.inbox.unread, on: connection) else {
                tally.malformed += 1
                return lose(connection, counted: false)
            }
            if used == 0 { break }
            connection.inbox.consume(used)
        }
        guard connection.inbox.makeRoom(limit: connection.inbox.capacity) else {
            // A line longer than the whole window.
            tally.malformed += 1
            return lose(connection, counted: false)
        }
        if stage == .sending { fill(connection) }
    }

    /// Takes one line or one piece of a value. Returns the bytes used, 0 when more are needed, nil when they are wrong.
    private func take(_ bytes: RawSpan, on connection: LoadConnection) -> Int? {
        switch connection.expecting {
        case .value(let number, let offset, let left):
            return takeValue(bytes, on: connection, number: number, offset: offset, left: left)
        case .line:
            guard let length = lineLength(bytes) else { return 0 }
            let end = length >= 2 && byte(bytes, length - 2) == UInt8(ascii: "\r") ? length - 2 : -1
            guard end >= 0 else { return nil }
            return takeLine(bytes.extracting(0..<end), on: connection) ? length : nil
        }
    }

    private func takeValue(_ bytes: RawSpan, on connection: LoadConnection, number: Int, offset: Int, left: Int) -> Int?
    {
        let count = min(left, bytes.byteCount)
        let ofValue = min(count, left - 2)
        if plan.verify, ofValue > 0, !keys.isValue(number, from: offset, bytes.extracting(0..<ofValue)) {
            tally.mismatched += 1
        }
        // What is left of the CR LF is as long as what is taken of it, but for a CR whose LF is yet to come.
        if count == left {
            guard byte(bytes, count - 1) == UInt8(ascii: "\n") else { return nil }
            if count >= 2, byte(bytes, count - 2) != UInt8(ascii: "\r") { return nil }
            connection.expecting = .line
            if plan.meta, plan.keysPerGet == 1 { finish(connection) }
        } else {
            connection.expecting = .value(number: number, offset: offset + count, left: left - count)
        }
        return count
    }

    /// False when no memcached would answer this to the oldest request.
    private func takeLine(_ line: RawSpan, on connection: LoadConnection) -> Bool {
        let pending = connection.oldest
        switch classify(line) {
        case .value(let key, let length):
            guard pending.kind == .get, let number = place(line.extracting(key), pending, connection) else {
                return false
            }
            tally.hits += 1
            connection.served += 1
            if plan.verify, length != keys.valueLength(number) { tally.mismatched += 1 }
            connection.expecting = .value(number: number, offset: 0, left: length + 2)
            return true
        case .end:
            guard pending.kind == .get else { return false }
            tally.misses += plan.keysPerGet - connection.served
            finish(connection)
            return true
        case .stored:
            guard pending.kind == .set else { return false }
            finish(connection)
            return true
        case .error:
            tally.countError(unsafe line.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) })
            // Of a pipeline of quiet gets one has failed; the `mn` behind them is still to be answered.
            if plan.meta, pending.kind == .get, plan.keysPerGet > 1 { return true }
            finish(connection)
            return true
        case .malformed:
            return false
        }
    }

    /// Which key of the request the value is of: as a rule the next one, or one after keys that were missed.
    private func place(_ text: RawSpan, _ pending: Pending, _ connection: LoadConnection) -> Int? {
        for position in connection.nextPosition..<plan.keysPerGet {
            let number = keyNumber(of: pending, position)
            guard keys.isKey(number, text) else { continue }
            connection.nextPosition = position + 1
            return number
        }
        guard let number = keys.number(of: text), connection.served < plan.keysPerGet else { return nil }
        let isAsked = (0..<plan.keysPerGet).contains { keyNumber(of: pending, $0) == number }
        guard isAsked else { return nil }
        tally.reordered += 1
        return number
    }

    private func finish(_ connection: LoadConnection) {
        let pending = connection.oldest
        let latency = loop.now > pending.due ? loop.now - pending.due : 0
        if pending.kind == .get {
            tally.gets += 1
            tally.getLatency.record(latency)
        } else {
            tally.sets += 1
            tally.setLatency.record(latency)
        }
        tally.answered += 1
        tally.elapsed = loop.now - startedAt
        connection.pop()
        inFlight -= 1
    }
}
