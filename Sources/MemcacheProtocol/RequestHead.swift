public import Bytes

/// One command line, understood and found valid. Ranges count from the first byte of the line.
public struct RequestHead: BitwiseCopyable, Sendable {
    public var verb: Verb
    public var options: RequestOptions
    /// The bytes of the line with its newline.
    public var lineLength: UInt32
    /// The (first) key as it is spelled in the line; with `.base64Key` that is the encoded text.
    public var key: ByteRange
    /// Keys in the line; more than one only for get, gets, gat, gats. Their ranges are in `RequestParser.keys`.
    public var keyCount: UInt32
    /// The length of the data block without its CR LF, for the verbs that carry one.
    public var bodyLength: UInt32
    /// The bytes to leave out when the line is passed on: ` noreply`, or a meta command's ` q`; empty when loud.
    public var quiet: ByteRange
    /// gat, gats: the time argument as spelled. flush_all: the delay, empty when none. stats: the argument, empty when
    /// none. With `.comparesCAS`: the CAS number as spelled, without meta's `C`.
    public var argument: ByteRange
    /// Not 0 only where a node may echo a base64 key decoded, and the decoded key (of so many bytes) holds a newline:
    /// the reply parser has to be told, or it would take that newline for the end of the reply.
    public var rawKeyLength: UInt8

    @inlinable
    public init(verb: Verb, lineLength: UInt32) {
        self.verb = verb
        self.options = []
        self.lineLength = lineLength
        self.key = .empty
        self.keyCount = 0
        self.bodyLength = 0
        self.quiet = .empty
        self.argument = .empty
        self.rawKeyLength = 0
    }
}

/// What a command line says beside its verb, key and length.
public struct RequestOptions: OptionSet, BitwiseCopyable, Sendable {
    public let rawValue: UInt16
    @inlinable public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// `noreply`, or meta `q`: some or all replies are kept from the client.
    @inlinable public static var quiet: RequestOptions { RequestOptions(rawValue: 1 << 0) }
    /// Meta `b`: the key is base64; the ring hashes the decoded bytes.
    @inlinable public static var base64Key: RequestOptions { RequestOptions(rawValue: 1 << 1) }
    /// A mg that only looks: none of its flags changes the item (no T, N, R, E), so it may be retried.
    @inlinable public static var pureRead: RequestOptions { RequestOptions(rawValue: 1 << 2) }
    /// A mg that asks for the value (`v`).
    @inlinable public static var wantsValue: RequestOptions { RequestOptions(rawValue: 1 << 3) }
    /// A ms whose result depends on what is stored (a mode other than set, or C).
    @inlinable public static var readModifyWrite: RequestOptions { RequestOptions(rawValue: 1 << 4) }
    /// Classic `cas`, or meta `C`: the head's `argument` is a CAS number to compare.
    @inlinable public static var comparesCAS: RequestOptions { RequestOptions(rawValue: 1 << 5) }
    /// Meta `E`: the client chooses the CAS number of what it writes.
    @inlinable public static var choosesCAS: RequestOptions { RequestOptions(rawValue: 1 << 6) }
    /// Meta `c`: the reply shows a CAS number.
    @inlinable public static var wantsCAS: RequestOptions { RequestOptions(rawValue: 1 << 7) }
    /// Meta `c` stands behind meta `k`, so it does in the reply; a key that is echoed there may hold spaces.
    @inlinable public static var casBehindKey: RequestOptions { RequestOptions(rawValue: 1 << 8) }
    /// Meta `N`: what is missing is created.
    @inlinable public static var vivifies: RequestOptions { RequestOptions(rawValue: 1 << 9) }
    /// Meta `T`: a time to live is given.
    @inlinable public static var touches: RequestOptions { RequestOptions(rawValue: 1 << 10) }
    /// Meta `R`: who finds less time to live than that may win the right to recache.
    @inlinable public static var recaches: RequestOptions { RequestOptions(rawValue: 1 << 14) }
    /// Meta `I`: md marks the item stale; ms takes a lower CAS number than the item's and marks it stale.
    @inlinable public static var invalidates: RequestOptions { RequestOptions(rawValue: 1 << 11) }
    /// Meta `x`: md leaves an empty item.
    @inlinable public static var leavesItem: RequestOptions { RequestOptions(rawValue: 1 << 12) }
    /// A ms in mode append or prepend.
    @inlinable public static var extends: RequestOptions { RequestOptions(rawValue: 1 << 13) }
}
