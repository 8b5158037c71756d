internal import Reactor
internal import Sockets

/// What a watch reports: which row, and which use of it, so that an event for a connection that is gone is known.
struct WatchToken {
    enum Kind: UInt8 { case none, mailbox, listener, client, link }

    let bits: UInt64

    init(bits: UInt64) { self.bits = bits }

    init(_ kind: Kind, _ index: UInt32, _ generation: UInt16) {
        bits = UInt64(kind.rawValue) << 48 | UInt64(generation) << 32 | UInt64(index)
    }

    var kind: Kind { Kind(rawValue: UInt8(truncatingIfNeeded: bits >> 48)) ?? .none }
    var generation: UInt16 { UInt16(truncatingIfNeeded: bits >> 32) }
    var index: UInt32 { UInt32(truncatingIfNeeded: bits) }
}

/// A client's socket; its number is the engine's.
struct ClientRow: BitwiseCopyable {
    var socket = Socket.none
    var readWatch = Watch.none
    /// There only after a short write.
    var writeWatch = Watch.none
    var generation: UInt16 = 0
    var isPaused = false
    var hasEnded = false
    /// The buffer with bytes that could not be used yet, or none.
    var leftover = UInt32.max
}

/// A link's socket; its number is the engine's.
struct LinkRow: BitwiseCopyable {
    var socket = Socket.none
    var readWatch = Watch.none
    var writeWatch = Watch.none
    var generation: UInt16 = 0
    var isConnecting = false
    var leftover = UInt32.max
}
