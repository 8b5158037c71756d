internal import Logging
internal import ProxyCore

/// What a proxy that is started later has to know: the nodes keep it about each other.
extension HomeKeeper {
    /// Asks all nodes what they keep.
    func learn() {
        for place in names.indices {
            for other in names.indices where other != place {
                send(MarkerCommand(node: place, item: .away(of: other), .read)) { [unowned self] reply in
                    guard case .value(let text, _) = reply, let record = HomePlan.Record(text: text) else { return }
                    found[other] = found[other].map { $0.joined(record) } ?? record
                }
            }
        }
        exchangeMail()
    }

    var isInformed: Bool { mail.allSatisfy(\.isEmpty) && awaited.allSatisfy { $0 == 0 } }

    /// Who has not answered by now says nothing.
    func begin() {
        for place in names.indices where !mail[place].isEmpty || awaited[place] > 0 { links[place].fail() }
        plan.begin(with: found)
        told = names.indices.map { found[$0] }
        for (place, record) in found {
            control.logger.notice(
                record == .away
                    ? "others stood in for a node before the start" : "a node's keys came home before the start",
                metadata: control.describe(first + place, [:]))
        }
    }

    func tellRecords() {
        for place in names.indices where plan.record(of: place) != told[place] {
            told[place] = plan.record(of: place)
            for other in names.indices where other != place && plan.places[other] == .home {
                let action = told[place].map { MarkerCommand.Action.store($0.text, .always) } ?? .delete
                send(MarkerCommand(node: other, item: .away(of: place), action)) { _ in }
            }
        }
    }

    private func send(_ command: MarkerCommand, _ answered: @escaping (MarkerReply) -> Void) {
        mail[command.node].append((command, answered))
    }

    /// Connections are made for it, and closed when all is said.
    func exchangeMail() {
        for place in names.indices {
            if !mail[place].isEmpty, links[place].state == .closed {
                links[place].connect(to: control.addresses[first + place])
            }
            if links[place].state == .open {
                let letters = mail[place]
                mail[place] = []
                for (command, answered) in letters {
                    awaited[place] += 1
                    links[place].send(command, names: names) { [unowned self] reply in
                        awaited[place] -= 1
                        answered(reply)
                    }
                }
                if awaited[place] == 0, watched != place { links[place].fail() } else { links[place].flush() }
            }
        }
    }
}
