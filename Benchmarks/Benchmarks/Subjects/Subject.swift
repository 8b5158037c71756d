/// Something small that is measured, by time or by instructions.
public struct Subject: Sendable {
    public let name: String
    /// Does it so many times. What it returns depends on every result, so that none of the work can be left out.
    public let run: @Sendable (Int) -> UInt64
}

public let subjects: [Subject] = codecSubjects + ringSubjects
