internal import Bytes
internal import MemcacheProtocol
internal import Telemetry

/// Answers whose CAS numbers are made to name the node that gave them.
extension Engine {
    /// Takes one element of a reply as `takeReply` does. Of a value only the header: the rest is like any other.
    func takeTagged(_ bytes: RawSpan, of call: UInt32, link id: UInt32) -> Int {
        let row = calls[call]
        switch ReplyParser.parse(bytes, for: row.verb, rawKeyLength: row.rawKeyLength) {
        case .needMore: return 0
        case .line(let code, let length):
            if tag(bytes.extracting(0..<length), of: row) {
                retagged.withBytes { finish(call, code, $0, of: id) }
            } else {
                finish(call, code, bytes.extracting(0..<length), of: id)
            }
            return length
        case .value(let head):
            if tag(bytes.extracting(0..<Int(head.headerLength)), of: row) {
                return beginTaggedValue(head, bytes, of: call, link: id)
            }
            return beginValue(head, bytes, of: call, link: id)
        case .end(let length):
            finish(call, .end, bytes.extracting(0..<length), of: id)
            return length
        case .stat, .broken:
            fail(link: id, .protocolError)
            return bytes.byteCount
        }
    }

    /// The header, as it is in `retagged`, goes ahead.
    private func beginTaggedValue(_ head: ReplyHead, _ bytes: RawSpan, of call: UInt32, link id: UInt32) -> Int {
        let isMeta = calls[call].verb.isMeta
        let request = calls[call].request
        calls.update(call) {
            $0.flags.formUnion(isMeta ? .started : [.started, .hit])
            $0.values &+= 1
        }
        if !isMeta, requests[request].flags.contains(.pieced), matchPiece(of: call, key: head.key, in: bytes) == none {
            fail(link: id, .protocolError)
            return bytes.byteCount
        }
        if Int(head.dataLength) >= Self.largeValue { setApart(link: id) }
        retagged.withBytes { deliver($0, of: call) }
        links[id].valueLeft = UInt64(head.dataLength) + 2
        return Int(head.headerLength)
    }

    /// Puts the header into `retagged` with its CAS number changed; false where there is none.
    private func tag(_ header: RawSpan, of call: Call) -> Bool {
        var options: RequestOptions = .wantsCAS
        if call.flags.contains(.casBehindKey) { options.insert(.casBehindKey) }
        guard let cas = ReplyParser.casNumber(in: header, to: call.verb, options) else { return false }
        let pool = requests[call.request].pool
        retagged.clear()
        retagged.append(header.extracting(0..<cas.range.start))
        retagged.append(tag(of: call.node, pool: pool).shown(cas.number))
        retagged.append(header.extracting(droppingFirst: cas.range.end))
        return !retagged.hasOverflowed
    }
}

extension RequestHead {
    /// How the call is marked whose answer shows CAS numbers.
    var tagging: Call.Flags {
        guard showsCAS else { return [] }
        return options.contains(.casBehindKey) ? [.tagsCAS, .casBehindKey] : .tagsCAS
    }
}
