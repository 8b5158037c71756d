internal import Logging
internal import ProxyCore

/// Work on nodes: first starts are adopted, and nodes that may not be read are filled.
extension PoolKeeper {
    /// Nothing waits for long, and yet proxies that see the same do not all begin at once.
    private func pause(_ range: ClosedRange<UInt64>) -> UInt64 {
        now + UInt64.random(in: range, using: &control.generator) * 1_000_000
    }

    var workTime: UInt64 {
        if let filling { return filling.nextTime }
        return adoption == nil && markers.isInformed && mayBegin ? workDue : .max
    }

    /// While the nodes change there are workers that work by those before.
    private var mayBegin: Bool { !control.isDraining && !isRetired && control.change == nil }

    func startWork() {
        guard !isRetired else { return }
        filling?.work()
        control.archiving[pool]?.work()
        reviewWanted()
        guard filling == nil, adoption == nil, markers.isInformed, now >= workDue, mayBegin else { return }
        (workDue, workPause) = (.max, pause(200...1000))
        let adoptable = markers.adoptable(now: now)
        if !adoptable.isEmpty {
            adoption = Adoption(of: adoptable, markers: markers, owner: owner, using: &control.generator)
            adopt()
        } else if let target = markers.fillable(now: now, besides: heldOff.union(leftOut)) {
            filling = FillingRun(
                of: target, by: self,
                job: wanted.removeValue(forKey: target) ?? control.newJob("fill", pool: pool, place: target))
            filling?.work()
        }
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
        job.cancelled = { [unowned self, unowned job] in
            wanted[place] = nil
            job.end("cancelled", isDone: false, now: now)
        }
        // Of no write in particular: nothing of what it holds is taken for granted.
        revoke(place, sent: 0) { _ in job.phase = "revoked" }
        return job
    }

    /// Others may have been faster, or the node is gone.
    private func reviewWanted() {
        for (place, job) in wanted {
            if !control.isUp(first + place) {
                wanted[place] = nil
                job.end("the node is down", isDone: false, now: now)
            } else if job.phase == "revoked", markers.access(place, now: now) == .full {
                wanted[place] = nil
                job.end("filled by another proxy", isDone: true, now: now)
            }
        }
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
        doubtAll()
    }

    /// The node was lost, or has missed a write: what is going on may have lost its ground.
    func disturbed(_ place: Int) {
        adoption?.disturbed()
        if filling?.plan.target == place { filling?.disturb() }
    }

    /// The proxy stops: another is to go on at once.
    func stopWork() {
        adoption?.disturbed()
        filling?.disturb()
        verifying?.job.cancelled()
        scrub?.stop()
    }

    func fillingEnded() {
        filling = nil
        // Not by readings from before its end.
        workDue = pause(200...1500)
        workPause = workDue
        isChanged = true
        doubtAll()
    }
}
