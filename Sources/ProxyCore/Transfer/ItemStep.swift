/// One item's part of a pass, of whatever kind the pass is.
public enum ItemStep: BitwiseCopyable, Sendable {
    case copy(CopyStep)
    case clean(CleanStep)
    case verify(VerifyStep)
    /// A verify step for an item that was found on the target.
    case stray(VerifyStep)

    public mutating func nextCommand() -> ItemCommand? {
        switch self {
        case .copy(var step):
            defer { self = .copy(step) }
            return step.nextCommand()
        case .clean(var step):
            defer { self = .clean(step) }
            return step.nextCommand()
        case .verify(var step):
            defer { self = .verify(step) }
            return step.nextCommand()
        case .stray(var step):
            defer { self = .stray(step) }
            return step.nextCommand()
        }
    }

    /// - Returns: the values of source and target are to be compared; then `compared` is called.
    public mutating func received(_ reply: ItemReply) -> Bool {
        switch self {
        case .copy(var step):
            step.received(reply)
            self = .copy(step)
            return false
        case .clean(var step):
            step.received(reply)
            self = .clean(step)
            return false
        case .verify(var step):
            defer { self = .verify(step) }
            return step.received(reply)
        case .stray(var step):
            defer { self = .stray(step) }
            return step.received(reply)
        }
    }

    public mutating func compared(isEqual: Bool) {
        switch self {
        case .copy, .clean: break
        case .verify(var step):
            step.compared(isEqual: isEqual)
            self = .verify(step)
        case .stray(var step):
            step.compared(isEqual: isEqual)
            self = .stray(step)
        }
    }

    /// A node did not answer: the pass is not whole.
    public var hasFailed: Bool {
        switch self {
        case .copy(let step): step.outcome == .failed
        case .clean(let step): step.outcome == .failed
        case .verify(let step), .stray(let step): step.outcome == .failed
        }
    }

    /// The step has come to an end.
    ///
    /// - Parameter bytes: of the value that was copied.
    /// - Returns: a later pass has to look at it: it was added, or dropped, or is missing.
    public func count(in report: inout TransferReport, bytes: Int) -> Bool {
        switch self {
        case .copy(let step):
            guard let outcome = step.outcome else { return false }
            report.count(outcome, bytes: bytes)
            return outcome == .copied
        case .clean(let step):
            if let outcome = step.outcome { report.count(outcome) }
            return false
        case .verify(let step):
            guard let outcome = step.outcome else { return false }
            report.count(outcome)
            return outcome == .diverged || outcome == .absent
        case .stray(let step):
            // What the source has, too, is counted there.
            guard let outcome = step.outcome, outcome != .agreed else { return false }
            report.count(outcome)
            return outcome == .diverged
        }
    }
}
