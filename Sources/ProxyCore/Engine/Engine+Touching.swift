internal import Bytes
internal import MemcacheProtocol
internal import Telemetry

/// A gat of several keys, where keys have copies: each key is a gat of its own, whose answer is a piece of the whole.
extension Engine {
    /// Returns how many bytes it used.
    func beginTouching(_ head: RequestHead, _ bytes: RawSpan, from id: UInt32) -> Int {
        let pool = clients[id].pool
        let request = newRequest(head, from: id)
        guard hasRoom(for: Int(head.keyCount)), requests.count + Int(head.keyCount) <= limits.rows else {
            poolStats[Int(pool)].errors.count(.memoryLimit)
            answer(request, .outOfMemory)
            return Int(head.lineLength)
        }
        requests.update(request) {
            $0.flags.insert(.pieced)
            $0.pending = 1  // this function, so that the request does not end between two keys
        }
        let time = bytes.extracting(head.argument.start..<head.argument.end)
        for index in 0..<Int(head.keyCount) {
            let key = parser.key(at: index)
            touch(bytes.extracting(key.start..<key.end), time, head.verb, for: request)
        }
        settleOne(request)
        return Int(head.lineLength)
    }

    private func touch(_ key: RawSpan, _ time: RawSpan, _ verb: Verb, for request: UInt32) {
        let piece = newPiece(of: request)
        made.clear()
        made.append(verb == .gat ? "gat " : "gats ")
        let timeStart = made.count
        made.append(time)
        made.append(" ")
        let keyStart = made.count
        made.append(key)
        made.append("\r\n")
        var head = RequestHead(verb: verb, lineLength: UInt32(made.count))
        head.keyCount = 1
        head.key = ByteRange(offset: keyStart, length: key.byteCount)
        head.argument = ByteRange(offset: timeStart, length: time.byteCount)
        var started = none
        made.withBytes { line in
            let hash = hash(of: head.key, in: line, pool: requests[request].pool)
            guard let fan = newFan(for: request, head, hash, piece: piece) else { return }
            if keep(line, line: line.byteCount, of: fan) {
                started = fan
            } else {
                abandon(fan, answering: .outOfMemory)
            }
        }
        guard started != none else { return }
        begin(started)
        send(started)
    }
}
