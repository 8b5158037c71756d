internal import Logging
internal import ProxyCore

/// Work on nodes: first starts are adopted, and nodes that may not be read are filled.
extension PoolKeeper {
    /// Nothing waits for long, and yet proxies that see the same do not all begin at once.
    private func pause(_ range: ClosedRange<UInt64>) -> UInt64 {
        now + UInt64.random(in: range, using: &control.generator) * 1_000_000
    }

    var workTime: UInt64 { filling?.nextTime ?? (adoption == nil ? workDue : .max) }

    func startWork() {
        filling?.work()
        control.archiving[pool]?.work()
        guard filling == nil, adoption == nil, markers.isInformed, now >= workDue, !control.isDraining else { return }
        workDue = pause(200...1000)
        let adoptable = markers.adoptable(now: now)
        if !adoptable.isEmpty {
            adoption = Adoption(of: adoptable, markers: markers, owner: owner, using: &control.generator)
            adopt()
        } else if let target = markers.fillable(now: now, besides: heldOff) {
            filling = FillingRun(of: target, by: self, job: wanted.removeValue(forKey: target) ?? control.newJob("fill", pool: pool, place: target))
            filling?.work()
        }
        verifying?.work()
    }

    /// Fills the node although nothing speaks against what it holds: an operator wants it. Nil while another is filled.
    func sync(_ place: Int) -> Job? {
        guard filling == nil, adoption == nil, wanted.isEmpty else { return nil }
        let job = control.newJob("fill", pool: pool, place: place)
        job.phase = "revoking"
        control.show(job)
        wanted[place] = job
        heldOff.remove(place)
        workDue = now
        // Of no write in particular: nothing of what it holds is taken for granted.
        revoke(place, sent: 0) { isKept in
            if !isKept { job.phase = "waiting" }
        }
        return job
    }

    private func adopt() {
        guard let command = adoption?.nextCommand() else { return endAdoption() }
        links[command.node].send(command, names: names) { [unowned self] reply in
            adoption?.received(reply, now: now)
            adopt()
        }
    }

    private func endAdoption() {
        if adoption?.outcome == .adopted {
            control.logger.notice(
                "no node has markers: a first start; all are taken as they are",
                metadata: ["pool": "\(settings.name)"])
        }
        adoption = nil
        for place in names.indices { doubt(place) }
    }

    /// The node was lost, or has missed a write: what is going on may have lost its ground.
    func disturbed(_ place: Int) {
        adoption?.disturbed()
        if filling?.plan.target == place { filling?.disturb() }
    }

    func fillingEnded() {
        filling = nil
        workDue = pause(200...1500)
        isChanged = true
        for place in names.indices { doubt(place) }
    }
}
