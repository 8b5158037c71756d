internal import CLibevent
internal import Glibc

/// What a watched file, or a signal, is ready for.
public struct Readiness: OptionSet, BitwiseCopyable, Sendable {
    public let rawValue: Int16
    @inlinable public init(rawValue: Int16) { self.rawValue = rawValue }

    public static var readable: Readiness { Readiness(rawValue: Int16(EV_READ)) }
    public static var writable: Readiness { Readiness(rawValue: Int16(EV_WRITE)) }
    public static var signalled: Readiness { Readiness(rawValue: Int16(EV_SIGNAL)) }
}

/// One libevent base, turned by hand: a turn waits, and then hands over what became ready as a list.
///
/// No callback reaches the owner: it walks the list in straight-line code, does a turn's work, and turns again. Each
/// watch carries the owner's token, so a stale entry is recognised by whatever the owner packed into it.
/// One thread creates, turns and ends a loop.
@safe
public final class EventLoop {
    let base: OpaquePointer
    @usableFromInline let ready: ReadyList
    private let watches: WatchStore
    private var alarm = Alarm()

    /// Monotonic nanoseconds, read once a turn, after the wait.
    public private(set) var now: UInt64

    public init() {
        // libevent's promise for EVENT_BASE_FLAG_NOLOCK: "Do not allocate a lock for the event base, even if we have
        // locking set up. Setting this option will make it unsafe and nonfunctional to call functions on the base
        // concurrently from multiple threads." Only the thread that turns this loop touches it; see Mailbox.
        guard let config = unsafe event_config_new() else { fatalError("event_config_new: out of memory") }
        // The time is read here, once a turn; libevent needs none of its own.
        let flags = [EVENT_BASE_FLAG_NOLOCK, EVENT_BASE_FLAG_IGNORE_ENV, EVENT_BASE_FLAG_NO_CACHE_TIME]
        for flag in flags { _ = unsafe event_config_set_flag(config, Int32(flag.rawValue)) }
        guard let base = unsafe event_base_new_with_config(config) else { fatalError("event_base_new: no backend") }
        unsafe event_config_free(config)
        unsafe self.base = base
        ready = ReadyList()
        watches = WatchStore()
        now = EventLoop.monotonicNow()
        _ = watchReadable(alarm.descriptor, token: .max)
    }

    deinit {
        watches.removeAll()
        unsafe event_base_free(base)
    }

    /// Monotonic nanoseconds.
    public static func monotonicNow() -> UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }

    // MARK: - Turning

    /// Nanoseconds behind its deadline from which on a turn looks once more.
    private static let late: UInt64 = 10_000_000

    /// Waits until something is ready or `deadline` (monotonic nanoseconds; nil waits on) has come. Afterwards
    /// `readyCount` entries are there to be read until the next turn.
    public func turn(until deadline: UInt64? = nil) {
        alarm.set(deadline ?? .max)
        ready.clear()
        _ = unsafe event_base_loop(base, EVLOOP_ONCE)
        now = EventLoop.monotonicNow()
        // A process that was stopped wakes up with nothing but its alarm, and would take peers for silent whose answers
        // wait to be read.
        if let deadline, now > deadline, now - deadline > Self.late {
            _ = unsafe event_base_loop(base, EVLOOP_NONBLOCK | EVLOOP_ONCE)
            now = EventLoop.monotonicNow()
        }
        alarm.look(at: now)
    }

    /// As `turn`, but never waits.
    public func poll() {
        ready.clear()
        // NONBLOCK by itself goes on until nothing is ready: for ever, if the owner has yet to read a readable socket.
        _ = unsafe event_base_loop(base, EVLOOP_NONBLOCK | EVLOOP_ONCE)
        now = EventLoop.monotonicNow()
    }

    @inlinable public var readyCount: Int { ready.count }

    /// Entry `index` of this turn: the token of the watch, and what it is ready for.
    @inlinable
    public func ready(at index: Int) -> (token: UInt64, what: Readiness) {
        let entry = ready[index]
        return (entry.token, Readiness(rawValue: entry.what))
    }

    // MARK: - Watching

    /// Reports `token` in every turn in which the file is readable, until it is removed.
    public func watchReadable(_ descriptor: Int32, token: UInt64) -> Watch {
        unsafe watches.add(
            base: base, ready: ready, descriptor: descriptor, what: Int16(EV_READ | EV_PERSIST), token: token)
    }

    /// Reports `token` in every turn in which the file takes bytes, until it is removed.
    public func watchWritable(_ descriptor: Int32, token: UInt64) -> Watch {
        unsafe watches.add(
            base: base, ready: ready, descriptor: descriptor, what: Int16(EV_WRITE | EV_PERSIST), token: token)
    }

    /// Reports `token` whenever the process gets the signal. At most one loop of a process may do this.
    public func watchSignal(_ signal: Int32, token: UInt64) -> Watch {
        unsafe watches.add(
            base: base, ready: ready, descriptor: signal, what: Int16(EV_SIGNAL | EV_PERSIST), token: token)
    }

    /// Stops reporting until `resume`; the watch stays.
    public func pause(_ watch: Watch) { watches.disarm(watch) }

    public func resume(_ watch: Watch) { watches.arm(watch) }

    /// Ends the watch, before its file is closed.
    public func remove(_ watch: Watch) { watches.remove(watch) }
}
