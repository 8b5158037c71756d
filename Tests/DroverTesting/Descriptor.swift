import Glibc

/// Owns a file descriptor and closes it.
final class Descriptor: Sendable {
    let number: Int32

    init(_ number: Int32) {
        self.number = number
    }

    deinit { close(number) }

    static func socket(_ family: Int32) throws -> Descriptor {
        let number = Glibc.socket(
            family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard number >= 0 else { throw TestFailure("socket: errno \(errno)") }
        return Descriptor(number)
    }

    /// A socket pair, because pipe2 is not to be had from Swift and a child must not inherit another's end.
    static func pipe() throws -> (read: Descriptor, write: Descriptor) {
        var ends: [Int32] = [0, 0]
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        guard unsafe socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw TestFailure("socketpair: errno \(errno)") }
        return (Descriptor(ends[0]), Descriptor(ends[1]))
    }

    /// Waits for poll(2)'s `events`; what happened, or 0 when the deadline passed.
    func wait(_ events: Int32, until deadline: Deadline) -> Int16 {
        while true {
            var entry = pollfd(fd: number, events: Int16(events), revents: 0)
            let count = unsafe poll(&entry, 1, deadline.milliseconds)
            if count > 0 { return entry.revents }
            if count == 0 && deadline.hasPassed { return 0 }
        }
    }
}

/// The whole file as text, by plain reads, so that it works in /proc too; nil when it cannot be opened.
public func readFile(_ path: String) -> String? {
    let number = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard number >= 0 else { return nil }
    let file = Descriptor(number)
    var text: [UInt8] = []
    var block = [UInt8](repeating: 0, count: 65536)
    while true {
        let count = unsafe read(file.number, &block, block.count)
        guard count > 0 else { break }
        text += block[..<count]
    }
    return String(decoding: text, as: UTF8.self)
}

/// Replaces the file's contents.
public func writeFile(_ path: String, _ text: String) throws {
    let number = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard number >= 0 else { throw TestFailure("\(path): errno \(errno)") }
    let file = Descriptor(number)
    let bytes = Array(text.utf8)
    guard unsafe write(file.number, bytes, bytes.count) == bytes.count else {
        throw TestFailure("\(path): errno \(errno)")
    }
}

/// Where a symbolic link points; nil when there is none.
func readLink(_ path: String) -> String? {
    var target = [UInt8](repeating: 0, count: 4096)
    let count = unsafe target.withUnsafeMutableBytes {
        unsafe readlink(path, $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
    }
    return count > 0 ? String(decoding: target.prefix(count), as: UTF8.self) : nil
}
