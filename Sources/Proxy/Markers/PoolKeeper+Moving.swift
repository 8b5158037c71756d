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
        distrustLeftOut()
        guard !isRetired, control.change == nil, !control.isDraining else { return }
        let own = settings.placesToken
        if let other = reading.moving, other != own { return store(.objection, other, on: place) }
        guard let keys = settings.moving else {
            if reading.moving != nil { tellLatecomer() }
            return
        }
        store(keys.hasMoved ? .moved : .moving, own, on: place)
    }

    /// Keys still move to where this proxy has written them since its start.
    private func tellLatecomer() {
        guard !isLatecomer else { return }
        isLatecomer = true
        control.logger.error(
            "another proxy still reads keys where they were before: what is written here it does not see; wait until it has moved them",
            metadata: ["pool": "\(settings.name)"])
    }

    private func store(_ item: MarkerItem, _ places: Token, on place: Int) {
        let command = MarkerCommand(
            node: place, item: item, .store(MarkerText.token(places), .always), life: settings.moveItemLife)
        links[place].send(command, names: names) { _ in }
    }
}

extension PoolSettings {
    /// Seconds that such an item lives: some polls, and as long as workers may take to go over, when nothing is said.
    var moveItemLife: UInt64 { 4 + (3 * poll + connectTimeout + 3 * timeout) / 1_000_000_000 + 3 }
}
