/// A command of the model tests, and what may answer it.
public struct ModelCommand {
    public enum Reply: Sendable {
        /// None: `noreply`.
        case none
        /// One line that begins with one of these words.
        case line([String])
        /// A number, or one of these lines.
        case number([String])
        /// Values of some of these keys, in their order.
        case values([String])
        /// A meta reply with one of these codes, and with the opaque.
        case meta([String], opaque: String)
        /// The same, or nothing.
        case quiet([String], opaque: String)
    }

    public var text: String
    /// The one whose CAS number a meta reply tells.
    public var key: String
    public var reply: Reply
    /// An `mn` stands behind it, as it may be silent.
    public var isMarked = false

    public init(text: String, key: String, reply: Reply) {
        (self.text, self.key, self.reply) = (text, key, reply)
    }
}

/// Keys of the model tests: what is written under each can be told from the others', and stays within what two
/// memcacheds answer alike.
public struct ModelKey: Sendable {
    public enum Kind: Sendable { case word, number, large }
    public let name: String
    public let kind: Kind
    /// Every byte of its values is this or a digit.
    let letter: Character

    public static let all: [ModelKey] =
        (0..<12).map { ModelKey(name: "word\($0)", kind: .word, letter: letters[$0]) }
        + (0..<6).map { ModelKey(name: "number\($0)", kind: .number, letter: "x") }
        + (0..<2).map { ModelKey(name: "large\($0)", kind: .large, letter: letters[12 + $0]) }

    static let named = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

    /// Whether the bytes may be this key's, by their two ends.
    func owns(_ value: ArraySlice<UInt8>) -> Bool {
        (value.prefix(500) + value.suffix(500)).allSatisfy { (48...57).contains($0) || $0 == letter.asciiValue }
    }
}

private let letters = Array("abcdefghijklmnop")
