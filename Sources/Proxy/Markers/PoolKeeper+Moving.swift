internal import Logging
internal import ProxyCore

/// Proxies do not know of each other: by these items on the nodes they see to it that all write a key that moves both where
/// it was and where it is to be as long as one of them reads it where it was.
extension PoolKeeper {
    /// Servers that some proxy leaves out: it writes by the places before, and does not know of them.
    var leftOut: Set<Int> {
        guard let keys = settings.moving, !keys.hasMoved, markers.isOpposed else { return [] }
        return Set(keys.freshServers)
    }

    /// What they have is not what was acknowledged.
    private func distrustLeftOut() {
        for place in leftOut {
            if filling?.plan.target == place { filling?.disturb() }
            if isFull(place) { revoke(place, sent: 0) { _ in } }
        }
    }

    /// After each poll of a node.
    func announce(on place: Int, _ reading: MarkerReading) {
        if markers.isOpposed { calmAt = now + quietTime }
        distrustLeftOut()
        guard talk.isSpeaking, !talk.isOutdated(on: place) else { return }
        if let other = reading.moving, other != talk.places { return talk.store(.objection, other, on: place) }
        guard let keys = settings.moving else {
            guard control.isStarted else { return }
            if reading.moving != nil { tellLatecomer() } else if isLeft(reading) { forget(on: place) {} }
            return
        }
        if let former, reading.former != former {
            links[place].send(MarkerCommand(node: place, item: .former, .store(former, .always)), names: names) { _ in }
        }
        talk.store(keys.hasMoved ? .moved : .moving, talk.places, on: place)
    }

    /// It says from where keys come to where they are by these settings.
    private func isLeft(_ reading: MarkerReading) -> Bool {
        reading.former.map { FormerPlaces.leads($0, to: talk.places) } ?? false
    }

    private func forget(on place: Int, _ done: @escaping () -> Void) {
        links[place].send(MarkerCommand(node: place, item: .former, .delete), names: names) { _ in done() }
    }

    /// Before the first write passes the old places by, nobody is to take them for right any more who is started later.
    func forgetFormer(_ done: @escaping () -> Void) {
        var awaited = links.count
        for place in links.indices {
            forget(on: place) {
                awaited -= 1
                if awaited == 0 { done() }
            }
        }
    }

    /// At the start: the settings by which the pool's keys are found, where others have left them on their way, or move
    /// them still; nil where they are those that it has.
    var resumed: PoolSettings? {
        let hasMoved = markers.hasMoved(to: talk.places)
        if let keys = settings.moving { return hasMoved && !keys.hasMoved ? settings.handedOver : nil }
        guard let former = markers.former(to: talk.places) else { return nil }
        switch settings.resuming(from: former, hasMoved: hasMoved) {
        case .success(let settings): return settings
        case .failure(let refusal):
            control.logger.error(
                "keys were on their way here, and cannot go on",
                metadata: ["pool": "\(settings.name)", "reason": "\(refusal.reason)"])
            return nil
        }
    }

    /// All that answer have been read since then, and again.
    func hasReadTwice(since time: UInt64) -> Bool {
        names.indices.allSatisfy { !markers.isReachable($0, now: now) || markers.provenAt($0) > time + interval }
    }

    /// Keys still move to where this proxy has written them since its start.
    private func tellLatecomer() {
        guard !isLatecomer else { return }
        isLatecomer = true
        control.logger.error(
            "another proxy still reads keys where they were before: what is written here it does not see; wait until it has moved them",
            metadata: ["pool": "\(settings.name)"])
    }
}

extension PoolSettings {
    /// Seconds that such an item lives: some polls, and as long as workers may take to go over, when nothing is said.
    var moveItemLife: UInt64 { 4 + (3 * poll + connectTimeout + 3 * timeout) / 1_000_000_000 + 3 }
}
