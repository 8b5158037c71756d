internal import Bytes
internal import Telemetry

/// When buffers run short: those who hold the most of them are closed, so that the others can go on.
///
/// Back-pressure bounds what one client can hold, not what many can. Without this, clients that ask and never read
/// would keep the memory for ever, and whoever came next would be refused.
extension Engine {
    /// Whether the turn may end: nothing is left to do, and buffers do not run short.
    /// - Parameter received: bytes of buffer that the shell holds.
    public func isDone(besides received: Int) -> Bool { work.isEmpty && !isShort(besides: received) }

    @inline(__always)
    private func isShort(besides received: Int) -> Bool {
        queues.memoryInUse &+ received > highMark || received > receivedHighMark
    }

    /// Closes the clients that hold the most, if more of the memory is in use than `highMark`, until an eighth less is.
    /// To be called when sockets have taken what they would: what is left then is left unread.
    /// - Parameters:
    ///   - received: bytes of buffer that the shell holds.
    ///   - count: clients' numbers are below it.
    ///   - held: what the shell holds of that for a client; nil where the number is not in use.
    /// - Returns: whether there are clients to close.
    public func relieve(besides received: Int, among count: Int, held: (UInt32) -> Int?) -> Bool {
        isShort(besides: received) && closeHeaviest(received, among: count, held: held)
    }

    @inline(never)
    private func closeHeaviest(_ received: Int, among count: Int, held: (UInt32) -> Int?) -> Bool {
        let isReceived = received > receivedHighMark
        var excess =
            isReceived
            ? received - receivedHighMark / 8 * 7 : queues.memoryInUse + received - highMark / 8 * 7
        var holders: [(client: UInt32, bytes: Int)] = []
        for id in 0..<UInt32(count) {
            guard let received = held(id) else { continue }
            let bytes = received + (isReceived ? 0 : bytesHeld(by: id))
            if bytes >= ByteQueues.chunkSize { holders.append((id, bytes)) }
        }
        holders.sort { $0.bytes > $1.bytes }
        for holder in holders where excess > 0 {
            poolStats[Int(clients[holder.client].pool)].errors.count(.slowClient)
            queues.clear(&clients[holder.client].output)
            abandonRequests(of: holder.client)
            excess -= holder.bytes
        }
        return !holders.isEmpty
    }

    /// Replies that wait for the client or for each other, and the data block that is coming.
    private func bytesHeld(by id: UInt32) -> Int {
        let client = clients[id]
        var bytes = client.output.count
        if client.collecting != none { bytes += calls[client.collecting].staged.count }
        var slot = client.first == none ? client.abandoned : client.first
        while slot != none {
            let request = requests[slot]
            bytes += request.reply.count
            var piece = request.firstPiece
            while piece != none {
                bytes += pieces[piece].reply.count + Int(pieces[piece].length)
                piece = pieces[piece].next
            }
            slot = request.next
        }
        return bytes
    }

    /// Nothing more may follow what the client has been sent: it is closed once that has left, and what it still waits
    /// for is thrown away.
    func abandonRequests(of id: UInt32) {
        markDirty(client: id)
        guard !clients[id].flags.contains(.broken) else { return }
        clients.update(id) {
            $0.flags.insert(.broken)
            // Out of line: no reply of theirs can be the next to go out.
            $0.abandoned = $0.first
            $0.first = none
        }
    }

    /// The shell finds no room for what the client sends, and closes it.
    public func ranOut(client id: UInt32) { poolStats[Int(clients[id].pool)].errors.count(.memoryLimit) }
}
