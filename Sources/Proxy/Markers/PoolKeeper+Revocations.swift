internal import Logging
internal import ProxyCore

/// A revocation that is being published, and who waits for it.
final class RunningRevocation {
    var revocation: Revocation
    let done: [(Bool) -> Void]

    init(_ revocation: Revocation, done: [(Bool) -> Void]) {
        self.revocation = revocation
        self.done = done
    }
}

struct WaitingRevocation {
    /// The earliest that one of the writes was sent.
    var sent: UInt64
    var done: [(Bool) -> Void]
}

/// Tells the other nodes that one missed a write.
extension PoolKeeper {
    /// - Parameters:
    ///   - sent: when the write was sent; 0 is no write in particular.
    ///   - done: told whether some node keeps it.
    func revoke(_ place: Int, sent: UInt64, _ done: @escaping (Bool) -> Void) {
        if sent > 0 {
            let isNews = markers.access(place, now: now) == .full
            control.logger.log(
                level: isNews ? .warning : .debug, "node missed a write",
                metadata: control.describe(first + place, [:]))
        }
        markers.missedWrite(place)
        disturbed(place)
        isChanged = true
        var next = waiting[place] ?? WaitingRevocation(sent: sent, done: [])
        next.sent = min(next.sent, sent)
        next.done.append(done)
        waiting[place] = next
        if revocations[place] == nil { beginRevocation(of: place) }
    }

    /// Another keeper publishes it.
    func missedWrite(_ place: Int) {
        markers.missedWrite(place)
        disturbed(place)
        isChanged = true
    }

    /// For all that wait.
    private func beginRevocation(of place: Int) {
        guard let next = waiting[place] else { return }
        waiting[place] = nil
        let running = RunningRevocation(
            Revocation(of: place, by: markers, sent: next.sent, now: now), done: next.done)
        revocations[place] = running
        proceed(running)
    }

    private func proceed(_ running: RunningRevocation) {
        while let (index, command) = running.revocation.nextCommand() {
            links[command.node].send(command, names: names) { [unowned self] reply in
                running.revocation.received(reply, for: index)
                note(running.revocation.changes[index])
                proceed(running)
            }
        }
        let place = running.revocation.node
        guard running.revocation.isOver, revocations[place] === running else { return }
        revocations[place] = nil
        if !running.revocation.isPublished {
            control.logger.error(
                "nobody keeps that a node missed a write; the write is answered with an error",
                metadata: control.describe(first + place, [:]))
        }
        for done in running.done { done(running.revocation.isPublished) }
        beginRevocation(of: place)
    }

    private func note(_ change: StandingChange) {
        guard case .done(let standing?) = change.outcome else { return }
        markers.published(standing, of: change.node, on: change.keeper)
        isChanged = true
    }

    /// Publishes anew what is known here and missing on a node: it may have been evicted, or the node was away. Not what
    /// is on its way: that says from when on something was missed, and this does not know.
    func republish() {
        for (node, peer) in markers.missingRevocations(now: now)
        where revocations[node] == nil && waiting[node] == nil && republishing.insert([node, peer]).inserted {
            run(StandingChange(.revoke(known: markers.token(of: node), .unknown), of: node, on: peer)) {
                [unowned self] in
                republishing.remove([node, peer])
            }
        }
    }

    private func run(_ change: StandingChange, _ done: @escaping () -> Void) {
        var change = change
        guard let command = change.nextCommand() else { return done() }
        links[command.node].send(command, names: names) { [unowned self] reply in
            change.received(reply)
            if change.outcome == nil { return run(change, done) }
            note(change)
            done()
        }
    }
}
