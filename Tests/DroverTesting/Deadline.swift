import Glibc

/// A moment on the monotonic clock by which something must have happened.
public struct Deadline: Sendable {
    /// Nanoseconds on the monotonic clock.
    public let instant: UInt64

    /// - Parameter seconds: from now.
    public init(seconds: Double) {
        instant = Self.now() + UInt64(seconds * 1e9)
    }

    /// Nanoseconds on the monotonic clock.
    public static func now() -> UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// Of UTC.
    public static func secondOfDay() -> Int { Glibc.time(nil) % 86_400 }

    /// Seconds since `start`, a value of `now()`.
    public static func seconds(since start: UInt64) -> Double {
        Double(now() - start) / 1e9
    }

    public var hasPassed: Bool { Self.now() >= instant }

    /// What poll(2) wants, rounded up.
    var milliseconds: Int32 {
        let now = Self.now()
        return now >= instant ? 0 : Int32(min((instant - now) / 1_000_000 + 1, 1_000_000))
    }

    /// Asks again every few milliseconds, for what gives no event. False when the deadline passes first.
    public func waits(until isTrue: () throws -> Bool) rethrows -> Bool {
        while true {
            if try isTrue() { return true }
            if hasPassed { return false }
            usleep(3000)
        }
    }
}
