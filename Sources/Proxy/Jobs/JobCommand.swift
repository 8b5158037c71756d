/// What an operator may ask of a running proxy.
public enum JobCommand: Sendable, Equatable {
    /// Fills the node anew from the other copies, whatever its markers say.
    case sync(pool: String, node: String)
    /// Moves the node's keys to the others, and has it leave the pool.
    case drain(pool: String, node: String)
    /// Compares all copies of the pool's keys; with `repair`, corrects those that differ.
    ///
    /// - Parameter sample: one key in so many; 1 is all.
    case verify(pool: String, repair: Bool, sample: Int)
    /// Writes the pool's items to a folder of the proxy's machine, or goes on with a backup there that was interrupted.
    ///
    /// - Parameter path: absolute.
    case backup(pool: String, path: String)
    /// Puts the items of a backup back where their keys are not there; with `overwrite`, also where they are.
    case restore(pool: String, path: String, overwrite: Bool)
    case pause(job: Int)
    case resume(job: Int)
    case cancel(job: Int)
    /// Reads the config again and takes it over.
    case reload
}

/// What became of it.
public enum JobAnswer: Sendable, Equatable {
    /// The job with that number was begun, or obeys.
    case job(Int)
    /// It is done, or goes on by itself; in words.
    case done(String)
    /// There is no such pool, node or job.
    case unknown(String)
    /// It cannot be done now, or never with this pool; why, and what to do.
    case refused(String)
}
