internal import Bytes
internal import MemcacheProtocol
internal import ProxyCore
internal import Reactor

/// What the nodes answer.
extension PassLane {
    func ready(_ link: ItemLink, _ what: Readiness, on loop: EventLoop) {
        if what.contains(.writable) { link.becomeWritable(on: loop) }
        guard what.contains(.readable), link.problem == nil, link.receive(on: loop) else { return }
        let now = loop.now
        link.received.offer { bytes in
            var start = 0
            while start < bytes.byteCount, problem == nil {
                let rest = bytes.extracting(start..<bytes.byteCount)
                let length = link.valueLeft > 0 ? readValue(rest, link, now: now) : readReply(rest, link, now: now)
                if length == 0 { break }
                start += length
            }
            return start
        }
        link.heard(now: now)
    }

    /// The length of the reply, or of the header of one with a value; 0 if there is nothing whole.
    private func readReply(_ bytes: RawSpan, _ link: ItemLink, now: UInt64) -> Int {
        guard link.awaitedCount > 0 else {
            link.fail(.refused(link.node))
            return 0
        }
        let index = link.nextItem
        let verb: Verb =
            switch rows[Int(index)].command {
            case .look, .fetch: .metaGet
            case .add, .put: .metaSet
            case .takeBack, .giveBack: .metaDelete
            }
        switch ReplyParser.parse(bytes, for: verb) {
        case .needMore: return 0
        case .line(let code, let length):
            link.answered()
            received(ItemReply(code, line: bytes.extracting(0..<length)), index, link, now: now)
            return length
        case .value(let head):
            let length = Int(head.headerLength)
            let reply = ItemReply(.value, line: bytes.extracting(0..<length))
            // The step is told when the value is there.
            guard case .item(let item) = reply, rows[Int(index)].command == .fetch else {
                link.fail(.refused(link.node))
                return 0
            }
            link.found = item
            link.valueLeft = Int(head.dataLength) + 2
            link.keepsValue = Int(head.dataLength) <= itemSizeMax
            if link === source {
                rows[Int(index)].size = Int(head.dataLength)
                rate.takeBytes(Int(head.dataLength), now: now)
            }
            return length
        case .end, .stat, .broken:
            link.fail(.refused(link.node))
            return 0
        }
    }

    /// As much of the value as is here.
    private func readValue(_ bytes: RawSpan, _ link: ItemLink, now: UInt64) -> Int {
        let index = link.nextItem
        let count = min(link.valueLeft, bytes.byteCount)
        let part = bytes.extracting(0..<count)
        if link.keepsValue, !keep(part, index, link) { fail(.memory) }
        link.valueLeft -= count
        // The last two bytes have to be CR LF.
        let isEnd = link.valueLeft == 0 && part.byte(at: count - 1) == ASCII.newline
        let wasCR =
            count >= 2 ? part.byte(at: count - 2) == ASCII.carriageReturn : link.hasCR
        if link.valueLeft == 1 { link.hasCR = part.byte(at: count - 1) == ASCII.carriageReturn }
        guard link.valueLeft == 0 else { return count }
        guard isEnd, wasCR else {
            link.fail(.refused(link.node))
            return 0
        }
        link.answered()
        received(.item(link.found), index, link, now: now)
        return count
    }

    private func keep(_ part: RawSpan, _ index: UInt32, _ link: ItemLink) -> Bool {
        rows.update(Int(index)) { row in
            link === source
                ? queues.append(part, to: &row.source, through: &values)
                : queues.append(part, to: &row.target, through: &values)
        }
    }

    private func received(_ reply: ItemReply, _ index: UInt32, _ link: ItemLink, now: UInt64) {
        let compares = rows.update(Int(index)) { $0.step.received(reply) }
        if compares {
            let row = rows[Int(index)]
            let isEqual = queues.isEqual(row.source, dropping: 0, to: row.target)
            rows.update(Int(index)) { $0.step.compared(isEqual: isEqual) }
        }
        if reply == .failed || rows[Int(index)].step.hasFailed { fail(.refused(link.node)) }
        advance(index, now: now)
    }
}
