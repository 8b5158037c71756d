internal import ProxyCore
internal import Sockets
internal import Telemetry

/// From the control thread to a worker.
enum ToWorker: Sendable {
    case adopt(Topology)
    /// Pools that have other nodes in the topology go over to them.
    case move
    case address(node: Int, SocketAddress?)
    case snapshot
    /// What all workers have counted for all nodes, for a request of this worker's.
    case figures(request: UInt32, [NodeStats])
    /// A revocation that this worker asked for is published, or could not be.
    case published(node: UInt32, round: UInt32, isKept: Bool)
    /// Another worker has let go of a key of `WriteLocks`, which is reserved for this one.
    case granted(key: UInt64)
    /// What is known of the pool's nodes is good until then (monotonic nanoseconds).
    case trusted(pool: Int, until: UInt64)
    /// Stop accepting, answer what is in flight, and leave by that time at the latest (monotonic nanoseconds).
    case drain(until: UInt64)
}

/// From a worker to the control thread.
enum ToControl: Sendable {
    case report(NodeReport)
    case notice(PoolNotice)
    /// Clients wait until the other nodes know that one missed a write.
    case missed(worker: Int, MissedWrite)
    /// All its pools are as the topology has them.
    case moved(worker: Int)
    case snapshot(worker: Int, WorkerSnapshot)
    case transfer(FromTransfer)
    /// A client asks what all workers have counted.
    case figures(worker: Int, request: UInt32)
    /// With the number of clients that had to be cut off, and of keys that were still to be repaired.
    case stopped(worker: Int, cutOff: Int, unrepaired: Int)
}
