import Glibc

/// A memcached on a Unix socket of its own, to ask about single lines. It ends with its owner.
final class RealMemcached: Sendable {
    enum Version: Sendable, CaseIterable {
        /// 1.6.38, which the parser follows.
        case newer
        /// 1.6.18, Debian 12's, the oldest that nodes may run.
        case older
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    let version: Version
    private let folder: String
    private let pid: pid_t
    private var path: String { folder + "/socket" }

    init(_ version: Version) throws {
        guard let program = Self.program(version) else { throw Failure(description: "no memcached \(version)") }
        self.version = version
        var template = Array("/tmp/drover-protocol-XXXXXX".utf8CString)
        unsafe mkdtemp(&template)
        folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        // `timeout` sees to it that the server ends even where this process cannot.
        let line = ["timeout", "900", program, "-s", folder + "/socket", "-m", "64", "-t", "1"]
        let words = unsafe (line + (getuid() == 0 ? ["-u", "root"] : [])).map { unsafe strdup($0) } + [nil]
        defer { unsafe words.forEach { unsafe free($0) } }
        // A test's thread may have signals blocked, and a child inherits that.
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var noSignals = sigset_t()
        unsafe sigemptyset(&noSignals)
        unsafe posix_spawnattr_setsigmask(&attributes, &noSignals)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        // A client may turn a server's verbosity up.
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        var child: pid_t = 0
        let failure = unsafe posix_spawnp(&child, "timeout", &actions, &attributes, words, environ)
        pid = child
        guard failure == 0 else { throw Failure(description: "\(line): errno \(failure)") }
        for _ in 0..<2000 {
            if (try? connect()) != nil { return }
            usleep(5000)
        }
        throw Failure(description: "\(line): no answer")
    }

    deinit {
        kill(pid, SIGTERM)
        var status: Int32 = 0
        unsafe waitpid(pid, &status, 0)
        unsafe unlink(path)
        unsafe rmdir(folder)
    }

    func connect() throws -> Talk { try Talk(path) }

    /// Where that version is; nil if it is not installed.
    static func program(_ version: Version) -> String? {
        switch version {
        case .older:
            return isExecutable("/usr/bin/memcached") ? "/usr/bin/memcached" : nil
        case .newer:
            if let named = unsafe getenv("DROVER_MEMCACHED_NEW") { return unsafe String(cString: named) }
            let parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
            for count in stride(from: parts.count - 1, to: 1, by: -1) {
                let path = parts[..<count].joined(separator: "/") + "/.peers/memcached-1.6.38/memcached"
                if isExecutable(path) { return path }
            }
            return nil
        }
    }

    private static func isExecutable(_ path: String) -> Bool { unsafe access(path, X_OK) == 0 }
}

/// One connection; every call gives up after ten seconds.
final class Talk {
    private let socket: Int32
    private var unread: [UInt8] = []
    private(set) var isClosed = false

    init(_ path: String) throws {
        socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        unsafe setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let result = unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe Glibc.connect(socket, $0, size) }
        }
        guard result == 0 else {
            close(socket)
            throw RealMemcached.Failure(description: "connect: errno \(errno)")
        }
    }

    deinit { close(socket) }

    func send(_ bytes: [UInt8]) {
        var sent = 0
        while sent < bytes.count {
            let count = unsafe bytes.withUnsafeBytes {
                unsafe Glibc.send(socket, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return }
            sent += count
        }
    }

    /// All that comes until `isEnough`, until the server hangs up, or until it has been silent too long.
    func read(until isEnough: ([UInt8]) -> Bool) -> [UInt8] {
        while !isEnough(unread), receive() {}
        defer { unread = [] }
        return unread
    }

    private func receive() -> Bool {
        var block = [UInt8](repeating: 0, count: 1 << 16)
        let count = unsafe recv(socket, &block, block.count, 0)
        isClosed = count == 0 || count < 0 && errno == ECONNRESET
        if count > 0 { unread += block[..<count] }
        return count > 0
    }
}

/// SplitMix64: the same seed gives the same numbers everywhere.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// The seed that DROVER_SEED names, else one that differs from run to run.
    static func seed() -> UInt64 {
        if let named = unsafe getenv("DROVER_SEED"), let seed = unsafe UInt64(String(cString: named)) { return seed }
        return UInt64.random(in: 0..<1_000_000_007)
    }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    /// True once in `times`.
    mutating func once(in times: Int) -> Bool { Int.random(in: 0..<times, using: &self) == 0 }

    mutating func pick<Element>(_ choices: [Element]) -> Element { choices.randomElement(using: &self)! }
}

/// Bytes as a person can read them.
func quoted(_ bytes: some Sequence<UInt8>) -> String {
    var text = ""
    for byte in bytes.prefix(400) {
        switch byte {
        case 13: text += "\\r"
        case 10: text += "\\n"
        case 32..<127: text += String(UnicodeScalar(byte))
        default: text += "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
    }
    return "'" + text + "'"
}
