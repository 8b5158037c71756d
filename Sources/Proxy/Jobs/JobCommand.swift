/// What an operator may ask of a running proxy.
public enum JobCommand: Sendable, Equatable {
    /// Fills the node anew from the other copies, whatever its markers say.
    case sync(pool: String, node: String)
    /// Compares all copies of the pool's keys; with `repair`, corrects those that differ.
    ///
    /// - Parameter sample: one key in so many; 1 is all.
    case verify(pool: String, repair: Bool, sample: Int)
    case pause(job: Int)
    case resume(job: Int)
    case cancel(job: Int)
}

/// What became of it.
public enum JobAnswer: Sendable, Equatable {
    /// The job with that number was begun, or obeys.
    case job(Int)
    /// There is no such pool, node or job.
    case unknown(String)
    /// It cannot be done now, or never with this pool; why, and what to do.
    case refused(String)
}
