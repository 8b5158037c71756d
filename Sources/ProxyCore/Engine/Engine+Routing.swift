internal import Bytes
internal import Distribution
internal import MemcacheProtocol
internal import Telemetry

/// From a key to its node.
extension Engine {
    /// The node that the pool's ring gives the command's key; a base64 key counts as its decoded bytes.
    @inline(__always)
    func node(for head: RequestHead, in bytes: RawSpan, pool: UInt16) -> UInt32 {
        guard head.options.contains(.base64Key) else { return node(for: head.key, in: bytes, pool: pool) }
        return nodeOfDecodedKey(pool: pool)
    }

    /// The node of the key that the parser decoded last.
    func nodeOfDecodedKey(pool: UInt16) -> UInt32 {
        let key = parser.decodedKey
        return unsafe node(for: ByteRange(offset: 0, length: parser.decodedLength), in: key.span.bytes, pool: pool)
    }

    @inline(__always)
    func node(for key: ByteRange, in bytes: RawSpan, pool: UInt16) -> UInt32 {
        unsafe pools[Int(pool)]._withUnsafeGuaranteedRef {
            $0.needsKeyOnly
                ? $0.node(for: key, in: bytes, random: 0) : changingNode(of: $0, for: key, in: bytes)
        }
    }

    /// Where loads or chance decide too, or some nodes' keys are on others.
    @inline(never)
    private func changingNode(of pool: Pool, for key: ByteRange, in bytes: RawSpan) -> UInt32 {
        if pool.isRehashing { return pool.copies(of: pool.hashed(key, in: bytes)).primary }
        return pool.isLeastLoaded
            ? leastLoadedNode(of: pool, for: key, in: bytes) : pool.node(for: key, in: bytes, random: nextRandom())
    }

    /// Bounded-load ketama: the load is what this worker has in flight.
    private func leastLoadedNode(of pool: Pool, for key: ByteRange, in bytes: RawSpan) -> UInt32 {
        loads.removeAll()
        for index in 0..<pool.members.count {
            loads.push(Int32(clamping: nodeStats[Int(pool.members[index])].inFlight))
        }
        let hash = pool.hashed(key, in: bytes)
        return pool.members[loads.withSpan { pool.distributor.pick(hash, loads: $0) }]
    }

    /// xorshift64: for choices where any spread will do.
    @inline(__always)
    func nextRandom() -> UInt64 {
        random ^= random << 13
        random ^= random >> 7
        random ^= random << 17
        return random
    }
}
