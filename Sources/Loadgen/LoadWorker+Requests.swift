internal import Bytes
internal import Reactor
internal import Sockets

extension LoadWorker {
    /// Requests of this phase are left to send. In open loop a request counts by when it is due, so what a slow target
    /// held up is still sent after the end.
    var maySend: Bool {
        guard sent < phase.requests else { return false }
        return phase.rate > 0 ? nextDue < endsAt : loop.now < endsAt
    }

    /// Open loop: when the next request should leave.
    var nextDue: UInt64 { startedAt &+ UInt64(Double(sent) * 1e9 / phase.rate) }

    /// Open loop: requests that should have left by now, or by the end, and did not.
    var overdue: Int {
        let until = Double(min(loop.now, endsAt) &- startedAt)
        return max(0, min(Int(until * phase.rate / 1e9), phase.requests) - sent)
    }

    /// Closed loop: as many new requests as the connection has room for, in one write. Open loop: lets it be chosen.
    func fill(_ connection: LoadConnection) {
        guard phase.rate == 0 else { return list(connection) }
        while connection.inFlight < depth, maySend {
            guard queueRequest(on: connection, due: loop.now) else { return lose(connection, counted: true) }
        }
        flush(connection)
    }

    /// Puts the connection behind all others that have room.
    private func list(_ connection: LoadConnection) {
        guard !connection.isListed, connection.inFlight < depth else { return }
        connection.isListed = true
        if listedHead == listed.count {
            listed.removeAll(keepingCapacity: true)
            listedHead = 0
        } else if listedHead > connections.count {
            listed.removeFirst(listedHead)
            listedHead = 0
        }
        listed.append(connection.index)
    }

    /// Open loop: sends what is due, each on the next connection that has room. What finds none keeps its due time, so
    /// that its wait is part of its latency.
    func sendDue() {
        while listedHead < listed.count, maySend {
            let due = nextDue
            guard due <= loop.now else { return }
            let connection = connections[listed[listedHead]]
            listedHead += 1
            connection.isListed = false
            guard connection.state == .open else { continue }
            guard queueRequest(on: connection, due: due) else {
                lose(connection, counted: true)
                continue
            }
            flush(connection)
            if connection.state == .open { list(connection) }
        }
    }

    /// False when there is no memory for it.
    private func queueRequest(on connection: LoadConnection, due: UInt64) -> Bool {
        draws &+= 0x9e37_79b9_7f4a_7c15
        let isSet = phase.kind == .prefill || sent % (plan.gets + plan.sets) >= plan.gets
        // In the prefill the workers take the keys in turn.
        let seed = phase.kind == .prefill ? UInt64(sent * plan.threads + number) : mixed(draws)
        sent += 1
        inFlight += 1
        let pending = Pending(kind: isSet ? .set : .get, seed: seed, due: due)
        connection.push(pending)
        if isSet { return queueSet(keyNumber(of: pending, 0), on: connection) }
        if plan.keysPerGet > 1 { return queueMultiGet(seed: seed, on: connection) }
        let key = choice.number(seed: seed, position: 0)
        if plan.meta {
            return keys.append(keys.verbAndKey, of: key, to: &connection.outbox, of: queues, through: &open)
                && queues.append(" k v\r\n", to: &connection.outbox, through: &open)
        }
        return keys.append(keys.line, of: key, to: &connection.outbox, of: queues, through: &open)
    }

    /// The key at `position` of a request.
    func keyNumber(of pending: Pending, _ position: Int) -> Int {
        phase.kind == .prefill ? Int(pending.seed) : choice.number(seed: pending.seed, position: position)
    }

    private func queueSet(_ key: Int, on connection: LoadConnection) -> Bool {
        let length = keys.valueLength(key)
        guard
            queues.append(plan.meta ? "ms" : "set", to: &connection.outbox, through: &open),
            keys.append(keys.spaceAndKey, of: key, to: &connection.outbox, of: queues, through: &open),
            queues.append(plan.meta ? " " : " 0 0 ", to: &connection.outbox, through: &open)
        else { return false }
        var digits = InlineArray<20, UInt8>(repeating: 0)
        var first = 20
        var rest = length
        repeat {
            first -= 1
            digits[first] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
        } while rest > 0
        return unsafe queues.append(digits.span.bytes.extracting(first..<20), to: &connection.outbox, through: &open)
            && queues.append("\r\n", to: &connection.outbox, through: &open)
            && keys.appendValue(key, to: &connection.outbox, of: queues, through: &open)
            && queues.append("\r\n", to: &connection.outbox, through: &open)
    }

    /// Classic: one line. Meta: a quiet get for each key, and `mn`, whose answer ends the request.
    private func queueMultiGet(seed: UInt64, on connection: LoadConnection) -> Bool {
        if !plan.meta, !queues.append("get", to: &connection.outbox, through: &open) { return false }
        let part = plan.meta ? keys.verbAndKey : keys.spaceAndKey
        for position in 0..<plan.keysPerGet {
            let key = choice.number(seed: seed, position: position)
            guard keys.append(part, of: key, to: &connection.outbox, of: queues, through: &open) else { return false }
            if plan.meta, !queues.append(" k v q\r\n", to: &connection.outbox, through: &open) { return false }
        }
        return queues.append(plan.meta ? "mn\r\n" : "\r\n", to: &connection.outbox, through: &open)
    }
}
