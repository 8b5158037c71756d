internal import CPlatform
internal import Glibc

/// When a loop that waits is to be woken: a file of the kernel's that becomes readable then.
///
/// libevent's own timers would do, but a loop that has one asks for the time twice more in each turn, and looks at its
/// heap of timers; this one costs a system call when it is set, which is once in many turns.
struct Alarm: ~Copyable {
    let descriptor: Int32
    /// Monotonic nanoseconds; `max` is never.
    private var time = UInt64.max
    /// It has gone off, and is readable until it is set again.
    private var isRinging = false

    init() {
        descriptor = drover_timerfd()
        precondition(descriptor >= 0, "timerfd_create: out of descriptors or memory")
    }

    deinit { _ = close(descriptor) }

    /// Rings at `deadline` or, where it is set to an earlier time, then: whoever is woken early sets it again.
    mutating func set(_ deadline: UInt64) {
        guard isRinging || deadline < time else { return }
        (time, isRinging) = (deadline, false)
        drover_set_timer(descriptor, deadline == .max ? 0 : max(deadline, 1))
    }

    /// Told the time after each wait.
    mutating func look(at now: UInt64) {
        guard now >= time else { return }
        (time, isRinging) = (.max, true)
    }
}
