internal import Bytes
internal import MemcacheProtocol
internal import ProxyCore
internal import Reactor

/// What the node answers.
extension ItemLink {
    /// Reads what the node has sent.
    ///
    /// - Parameters:
    ///   - kind: of the command that the item awaits an answer to.
    ///   - begins: told how many bytes the value has that follows.
    ///   - value: gets the bytes of a value as they come, with the CR LF behind them.
    ///   - reply: gets the answer when it is whole, the value's last byte included.
    func readReplies(
        on loop: EventLoop, kind: (UInt32) -> ItemCommand.Kind, begins: (UInt32, Int) -> Void = { _, _ in },
        value: (UInt32, RawSpan) -> Void, reply: (UInt32, ItemReply) -> Void
    ) {
        guard problem == nil, receive(on: loop) else { return }
        received.offer { bytes in
            var start = 0
            while start < bytes.byteCount, problem == nil {
                let rest = bytes.extracting(start..<bytes.byteCount)
                let length = valueLeft > 0 ? readValue(rest, value, reply) : readReply(rest, kind, begins, reply)
                if length == 0 { break }
                start += length
            }
            return start
        }
        heard(now: loop.now)
    }

    /// The length of the reply, or of the header of one with a value; 0 if there is nothing whole.
    private func readReply(
        _ bytes: RawSpan, _ kind: (UInt32) -> ItemCommand.Kind, _ begins: (UInt32, Int) -> Void,
        _ reply: (UInt32, ItemReply) -> Void
    ) -> Int {
        guard awaitedCount > 0 else { return refuse() }
        let index = nextItem
        let verb: Verb =
            switch kind(index) {
            case .look, .fetch: .metaGet
            case .add, .put: .metaSet
            case .takeBack, .giveBack: .metaDelete
            }
        switch ReplyParser.parse(bytes, for: verb) {
        case .needMore: return 0
        case .line(let code, let length):
            answered()
            reply(index, ItemReply(code, line: bytes.extracting(0..<length)))
            return length
        case .value(let head):
            let length = Int(head.headerLength)
            // The item's step is told when the value is there.
            guard kind(index) == .fetch, case .item(let item) = ItemReply(.value, line: bytes.extracting(0..<length))
            else { return refuse() }
            found = item
            valueLeft = Int(head.dataLength) + 2
            begins(index, Int(head.dataLength))
            return length
        case .end, .stat, .broken: return refuse()
        }
    }

    /// As much of the value as is here.
    private func readValue(
        _ bytes: RawSpan, _ value: (UInt32, RawSpan) -> Void, _ reply: (UInt32, ItemReply) -> Void
    ) -> Int {
        let index = nextItem
        let count = min(valueLeft, bytes.byteCount)
        let part = bytes.extracting(0..<count)
        value(index, part)
        valueLeft -= count
        // The last two bytes have to be CR LF.
        let wasCR = count >= 2 ? part.byte(at: count - 2) == ASCII.carriageReturn : hasCR
        if valueLeft == 1 { hasCR = part.byte(at: count - 1) == ASCII.carriageReturn }
        guard valueLeft == 0 else { return count }
        guard wasCR, part.byte(at: count - 1) == ASCII.newline else { return refuse() }
        answered()
        reply(index, .item(found))
        return count
    }

    private func refuse() -> Int {
        fail(.refused(node))
        return 0
    }
}
