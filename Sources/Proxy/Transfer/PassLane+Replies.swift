internal import Bytes
internal import ProxyCore
internal import Reactor

/// What the nodes answer.
extension PassLane {
    func ready(_ link: ItemLink, _ what: Readiness, on loop: EventLoop) {
        if what.contains(.writable) { link.becomeWritable(on: loop) }
        guard what.contains(.readable), problem == nil else { return }
        let now = loop.now
        link.readReplies(
            on: loop, kind: { rows[Int($0)].command },
            begins: { index, length in
                link.keepsValue = length <= itemSizeMax
                guard link === source else { return }
                rows[Int(index)].size = length
                rate.takeBytes(length, now: now)
            },
            value: { index, part in if link.keepsValue, !keep(part, index, link) { link.fail(.memory) } },
            reply: { index, reply in received(reply, index, link, now: now) })
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
        if reply == .failed || rows[Int(index)].step.hasFailed { link.fail(.refused(link.node)) }
        advance(index, now: now)
    }
}
