internal import Bytes
internal import Glibc

/// What a line of a reply means for the request that it answers. This reading is the generator's own: what checks the
/// proxy shares no parser with it.
enum ReplyLine: Equatable {
    /// A value of so many bytes follows; the key's place in the line.
    case value(key: Range<Int>, length: Int)
    /// `END`, `EN`, `MN`: no more values.
    case end
    /// `STORED`, `HD`.
    case stored
    /// ERROR, CLIENT_ERROR, SERVER_ERROR, NOT_STORED and the like.
    case error
    case malformed
}

/// Reads one line of a reply, without its CR LF.
func classify(_ line: RawSpan) -> ReplyLine {
    guard line.byteCount >= 2 else { return .malformed }
    switch (byte(line, 0), byte(line, 1)) {
    case (UInt8(ascii: "V"), UInt8(ascii: "A")):
        return starts(line, with: "VALUE ") ? classicValue(line) : metaValue(line)
    case (UInt8(ascii: "E"), UInt8(ascii: "N")):
        return line.byteCount == 2 || equals(line, "END") ? .end : .malformed
    case (UInt8(ascii: "M"), UInt8(ascii: "N")):
        return line.byteCount == 2 ? .end : .malformed
    case (UInt8(ascii: "S"), UInt8(ascii: "T")):
        return equals(line, "STORED") ? .stored : .malformed
    case (UInt8(ascii: "H"), UInt8(ascii: "D")):
        return line.byteCount == 2 ? .stored : .malformed
    default:
        let known =
            equals(line, "ERROR") || starts(line, with: "CLIENT_ERROR ") || starts(line, with: "SERVER_ERROR ")
            || equals(line, "SERVER_ERROR") || equals(line, "NOT_STORED") || equals(line, "EXISTS")
            || equals(line, "NOT_FOUND")
            || equals(line, "NS") || equals(line, "EX") || equals(line, "NF")
        return known ? .error : .malformed
    }
}

/// `VALUE key flags bytes`
private func classicValue(_ line: RawSpan) -> ReplyLine {
    guard let keyEnd = space(line, from: 6), let flagsEnd = space(line, from: keyEnd + 1),
        let length = decimal(line.extracting((flagsEnd + 1)...)), length <= 1 << 30
    else { return .malformed }
    return .value(key: 6..<keyEnd, length: length)
}

/// `VA bytes kKEY`, as the generator's flags ask for it.
private func metaValue(_ line: RawSpan) -> ReplyLine {
    guard starts(line, with: "VA "), let lengthEnd = space(line, from: 3), lengthEnd + 2 <= line.byteCount,
        let length = decimal(line.extracting(3..<lengthEnd)), length <= 1 << 30,
        byte(line, lengthEnd + 1) == UInt8(ascii: "k")
    else { return .malformed }
    let key = (lengthEnd + 2)..<(space(line, from: lengthEnd + 2) ?? line.byteCount)
    return .value(key: key, length: length)
}

private func space(_ line: RawSpan, from start: Int) -> Int? {
    var index = start
    while index < line.byteCount {
        if byte(line, index) == UInt8(ascii: " ") { return index }
        index += 1
    }
    return nil
}

private func equals(_ line: RawSpan, _ text: StaticString) -> Bool {
    line.byteCount == text.utf8CodeUnitCount && starts(line, with: text)
}

private func starts(_ line: RawSpan, with text: StaticString) -> Bool {
    guard line.byteCount >= text.utf8CodeUnitCount else { return false }
    for index in 0..<text.utf8CodeUnitCount where byte(line, index) != (unsafe text.utf8Start[index]) { return false }
    return true
}

@inline(__always)
func byte(_ bytes: RawSpan, _ index: Int) -> UInt8 {
    precondition(index >= 0 && index < bytes.byteCount)
    return unsafe bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self)
}

/// Bytes up to and with the first LF; nil when there is none.
func lineLength(_ bytes: RawSpan) -> Int? {
    unsafe bytes.withUnsafeBytes { bytes in
        guard let base = bytes.baseAddress, let found = unsafe memchr(base, 10, bytes.count) else { return nil }
        return unsafe UnsafeRawPointer(found) - base + 1
    }
}
