internal import Bytes

/// How a node stands with one of the others, which keeps this about it: which of its tokens counts, whether that was
/// revoked, and what the node may have missed.
///
/// It is changed only by compare-and-set, and only so:
///
///     announced: a filling begins    a new token, that counts; what was missed stays
///     revoked: it missed a write     the same token, that no longer counts; the smaller watermark
///     completed: it may be read      the same token, as long as it counts; nothing is missed
///
/// So a revocation that comes while a node is filled hits the token of that filling, whoever publishes it and however
/// little he knows: a proxy that cannot reach the node reads its token here.
public struct Standing: Equatable, Sendable {
    /// Nil: whichever the node has. (The node that keeps this had nothing about it when it was revoked.)
    public var token: Token?
    public var isRevoked: Bool
    public var missed: Missed

    public init(token: Token?, isRevoked: Bool, missed: Missed) {
        self.token = token
        self.isRevoked = isRevoked
        self.missed = missed
    }

    /// This token counts.
    public func confirms(_ token: Token) -> Bool { !isRevoked && self.token == token }

    /// A write that this node took may be missing on the other.
    public static func revoked(_ existing: Standing?, known token: Token?, missed: Missed) -> Standing {
        guard let existing else { return Standing(token: token, isRevoked: true, missed: missed) }
        return Standing(token: existing.token, isRevoked: true, missed: existing.missed.joined(missed))
    }

    /// A filling begins. What was missed before is still to be made good; without a record it is anyone's guess.
    ///
    /// - Parameter missed: a point before the filling. If it is cut short, copies that it did not get to check stay on
    ///   the node: the next one has to distrust what the keeper stored later.
    public static func announced(_ existing: Standing?, _ token: Token, missed: Missed) -> Standing {
        Standing(token: token, isRevoked: false, missed: existing?.missed.joined(missed) ?? .unknown)
    }
}

/// Of what the keeper of a standing took, what the other node may have missed.
public enum Missed: Equatable, Sendable {
    case nothing
    /// Only what was written with a higher CAS number than this, by the keeper's count.
    case since(Watermark)
    /// Anything.
    case unknown

    /// What both say together.
    public func joined(_ other: Missed) -> Missed {
        switch (self, other) {
        case (.nothing, let missed), (let missed, .nothing): missed
        case (.since(let mine), .since(let theirs)) where mine.token == theirs.token:
            .since(Watermark(cas: min(mine.cas, theirs.cas), token: mine.token))
        default: .unknown
        }
    }

    /// The highest CAS number of an item that the other node has for certain as it is; 0 is none.
    ///
    /// - Parameter token: the keeper's, now. Under another its count may have begun anew.
    public func watermark(token: Token) -> UInt64 {
        switch self {
        case .nothing: .max
        case .since(let mark): mark.token == token ? mark.cas : 0
        case .unknown: 0
        }
    }
}

extension Standing {
    public init?(text: RawSpan) {
        guard text.byteCount == 56, text.isEqual(to: "1 ", at: 0), text.byte(at: 18) == ASCII.space,
            text.byte(at: 20) == ASCII.space, text.byte(at: 22) == ASCII.space, text.byte(at: 39) == ASCII.space,
            let token = MarkerText.number(in: text, at: 2), let cas = MarkerText.number(in: text, at: 23),
            let epoch = MarkerText.number(in: text, at: 40)
        else { return nil }
        switch text.byte(at: 19) {
        case 0x2b: isRevoked = false  // +
        case 0x2d: isRevoked = true  // -
        default: return nil
        }
        self.token = Token(token)
        switch text.byte(at: 21) {
        case 0x3d where cas == 0 && epoch == 0: missed = .nothing  // =
        case 0x3f where cas == 0 && epoch == 0: missed = .unknown  // ?
        case 0x3e:  // >
            guard let token = Token(epoch) else { return nil }
            missed = .since(Watermark(cas: cas, token: token))
        default: return nil
        }
        // Only a revocation is of whichever token.
        if self.token == nil, !isRevoked { return nil }
    }

    public var text: [UInt8] {
        var bytes = MarkerText.text("1 ", token?.number ?? 0)
        bytes.append(contentsOf: isRevoked ? " - ".utf8 : " + ".utf8)
        switch missed {
        case .nothing: bytes += MarkerText.text("= ", 0) + MarkerText.text(" ", 0)
        case .unknown: bytes += MarkerText.text("? ", 0) + MarkerText.text(" ", 0)
        case .since(let mark): bytes += MarkerText.text("> ", mark.cas) + MarkerText.text(" ", mark.token.number)
        }
        return bytes
    }
}
