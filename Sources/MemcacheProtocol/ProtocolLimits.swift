/// The bounds on what a client may send; the defaults are memcached's own.
public struct ProtocolLimits: Sendable, Equatable {
    /// Bytes of a key; memcached allows 250.
    public var key = 250
    /// Bytes of a value; a longer one is refused before any node sees it.
    public var value = 1 << 20
    /// Bytes of a command line other than a multi-key get.
    public var line = 2048
    /// Bytes of a multi-key get's line.
    public var multigetLine = 1 << 20

    public init() {}
}
