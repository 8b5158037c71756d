import Dispatch
public import Glibc

/// A child that dies with the tests, however they end, and with its last owner.
public final class ChildProcess: Sendable {
    public let pid: pid_t
    /// The other end closes when the child ends.
    private let life: Descriptor
    private let status = SharedBox<Int32?>(nil)

    /// - Parameters:
    ///   - arguments: the path of the program, and what it is told.
    ///   - errorFile: takes what the child writes to stderr; it is thrown away when nil.
    ///   - outputFile: the same for stdout.
    public init(_ arguments: [String], outputFile: String? = nil, errorFile: String? = nil) throws {
        let (life, childEnd) = try Descriptor.pipe()
        self.life = life
        pid = try Spawner.shared.spawn(arguments, outputFile, errorFile, keepOpen: childEnd)
    }

    deinit {
        signal(SIGKILL)
        _ = wait(seconds: 5)
    }

    /// Does nothing once the child was waited for: its number may be another's by then.
    public func signal(_ number: Int32) {
        status.withValue { status in
            if status == nil { kill(pid, number) }
        }
    }

    /// The exit code, or minus the signal that ended it; nil when it still runs at the end of that time.
    public func wait(seconds: Double) -> Int32? {
        _ = life.wait(Int32(POLLIN), until: Deadline(seconds: seconds))
        // The pipe closes a moment before the child can be waited for; a child that shut it early is asked anyway.
        let grace = Deadline(seconds: life.wait(Int32(POLLIN), until: Deadline(seconds: 0)) == 0 ? 0 : 2)
        _ = grace.waits { collect() != nil }
        return status.value
    }

    public var isRunning: Bool { collect() == nil }

    private func collect() -> Int32? {
        status.withValue { status in
            var raw: Int32 = 0
            if status == nil, unsafe waitpid(pid, &raw, WNOHANG) == pid {
                status = raw & 0x7f == 0 ? (raw >> 8) & 0xff : -(raw & 0x7f)
            }
            return status
        }
    }

    /// What runs to its end, with its exit code and all that it wrote.
    public static func run(_ arguments: [String], seconds: Double = 60) throws -> (
        code: Int32, output: String, error: String
    ) {
        let directory = try TemporaryDirectory()
        let (output, error) = (directory.file("out"), directory.file("err"))
        let child = try ChildProcess(arguments, outputFile: output, errorFile: error)
        guard let code = child.wait(seconds: seconds) else { throw TestFailure("still running: \(arguments)") }
        return (code, readFile(output) ?? "", readFile(error) ?? "")
    }
}

/// Starts children from one thread that never ends: the kernel ties a parent-death signal to the thread that forked.
private final class Spawner: Sendable {
    static let shared = Spawner()

    private let jobs = SharedBox<[@Sendable () -> Void]>([])
    private let pending = DispatchSemaphore(value: 0)

    private init() {
        startThread { [jobs, pending] in
            while true {
                pending.wait()
                jobs.withValue { $0.removeFirst() }()
            }
        }
    }

    func spawn(_ arguments: [String], _ output: String?, _ error: String?, keepOpen: Descriptor) throws -> pid_t {
        let result = SharedBox<Result<pid_t, any Error>?>(nil)
        let done = DispatchSemaphore(value: 0)
        jobs.withValue {
            $0.append {
                let pid = Result { try Self.start(arguments, output, error, keepOpen) }
                result.withValue { $0 = pid }
                done.signal()
            }
        }
        pending.signal()
        done.wait()
        return try result.value!.get()
    }

    private static func start(
        _ arguments: [String], _ output: String?, _ error: String?, _ keepOpen: Descriptor
    ) throws -> pid_t {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        let writing = O_WRONLY | O_CREAT | O_APPEND
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_addopen(&actions, 1, output ?? "/dev/null", writing, 0o600)
        unsafe posix_spawn_file_actions_addopen(&actions, 2, error ?? "/dev/null", writing, 0o600)
        unsafe posix_spawn_file_actions_adddup2(&actions, keepOpen.number, 200)

        // The thread's mask and the process's ignored signals would pass to the child: it starts with neither.
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe posix_spawnattr_setsigmask(&attributes, &signals)
        unsafe sigfillset(&signals)
        unsafe posix_spawnattr_setsigdefault(&attributes, &signals)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

        let line = ["/usr/bin/setpriv", "--pdeathsig", "KILL", "--"] + arguments
        var pointers = unsafe line.map { unsafe strdup($0) } + [nil]
        defer { unsafe pointers.forEach { unsafe free($0) } }
        var pid: pid_t = 0
        let failure = unsafe posix_spawn(&pid, pointers[0]!, &actions, &attributes, &pointers, environ)
        guard failure == 0 else { throw TestFailure("cannot start \(arguments): errno \(failure)") }
        return pid
    }
}
