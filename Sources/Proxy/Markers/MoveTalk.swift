internal import ProxyCore
internal import Reactor

/// What a proxy says on the nodes of a pool about keys that move, and looks for there before it does what others have to
/// know of.
///
/// Who is to read keys at their new places offers that, and looks behind his offer for objections; who is to go back
/// objects, and looks behind his objection for offers. It is the same nodes, so one of the two sees the other.
final class MoveTalk {
    /// For so long an objection is good for going back; it lives longer.
    private static let objectionPause: UInt64 = 2_000_000_000
    /// Seconds that others can find what was missed: it is compared with what they knew, so it is not to end unseen.
    private static let missLife: UInt64 = 3600

    private unowned let control: Control
    private let settings: PoolSettings
    /// Where its keys are to be, worked out once: that takes longer than all else of a poll.
    let places: Token
    private let polls: NodePolls
    private let names: [String]
    private let objection = SharedWord(goodFor: MoveTalk.objectionPause)
    private var said = SaidItems()
    /// What is no longer so, to be taken back.
    private var outdated = SaidItems()
    /// Other settings of the pool have come.
    var isRetired = false

    /// - Parameter earlier: that of the settings before.
    init(_ control: Control, _ settings: PoolSettings, over polls: NodePolls, after earlier: MoveTalk?) {
        (self.control, self.settings, self.polls) = (control, settings, polls)
        places = settings.placesToken
        names = settings.servers.map(\.ringName)
        if let earlier { (said, outdated) = earlier.said.next(from: earlier.settings, to: settings) }
    }

    private var links: [MarkerLink] { polls.links }
    private var now: UInt64 { control.loop.now }

    /// What it says is what all workers do.
    var isSpeaking: Bool {
        !isRetired && control.change?.pools.contains(settings.name) != true && !control.isDraining
    }

    /// What is read there may be what it has said itself before.
    func isOutdated(on place: Int) -> Bool { outdated.contains(names[place]) }

    func store(
        _ item: MarkerItem, _ places: Token, on place: Int, _ done: @escaping (MarkerReply) -> Void = { _ in }
    ) {
        let (text, life) = (MarkerText.token(places), item == .missed ? Self.missLife : settings.moveItemLife)
        let command = MarkerCommand(node: place, item: item, .store(text, .always), life: life)
        links[place].send(command, names: names) { [unowned self] reply in
            if case .done(let cas) = reply { said.note(item, cas, on: names[place]) }
            done(reply)
        }
    }

    /// Before each poll: takes back what is no longer so, if no other proxy has said it since.
    func withdraw(on place: Int) {
        guard isSpeaking else { return }
        for (item, cas) in outdated.take(names[place]) {
            links[place].send(MarkerCommand(node: place, item: item, .deleteSame(cas)), names: names) { _ in }
        }
    }

    func read(_ item: MarkerItem, on place: Int, _ found: @escaping (Token?) -> Void) {
        links[place].send(MarkerCommand(node: place, item: item, .read), names: names) { reply in
            guard case .value(let text, _) = reply else { return found(nil) }
            found(unsafe MarkerText.token(in: text.span.bytes))
        }
    }

    // MARK: Offers and objections

    /// What has come of asking all nodes at once.
    private final class Round {
        var left = 0
        var stored: Set<Int> = []
        var isContested = false
    }

    /// An objection of this proxy stands: nobody moves reads.
    var isObjecting: Bool { objection.stands(at: now) }

    /// Nobody is to move reads: this proxy goes back.
    ///
    /// - Parameter done: told whether some node keeps it, and no proxy has moved or offers to.
    func object(_ done: @escaping (Bool) -> Void) {
        // Who hears of it late has to know that writes have passed the new places by.
        let items: [MarkerItem] = settings.keepsMarkers ? [.objection] : [.missed, .objection]
        objection.say(at: now, done) { declare(items, $0) }
    }

    /// Says it on every node that is connected, and looks then whether any proxy has moved or offers to.
    ///
    /// - Parameter silent: a server that is not waited for.
    func declare(_ items: [MarkerItem], besides silent: Int? = nil, _ done: @escaping (Bool) -> Void) {
        let missed = Token(using: &control.generator)
        ask(
            besides: silent,
            { [unowned self, places] place, round, answered in
                for item in items {
                    store(item, item == .missed ? missed : places, on: place) {
                        if case .done = $0, item == items.last { round.stored.insert(place) }
                    }
                }
                read(.offer, on: place) { if $0 == places { round.isContested = true } }
                read(.moved, on: place) {
                    if $0 == places { round.isContested = true }
                    answered()
                }
            }
        ) { round in done(!round.stored.isEmpty && !round.isContested) }
    }

    /// This proxy is to read keys where they are to be.
    ///
    /// - Parameters:
    ///   - listeners: nodes that have to hear of it.
    ///   - missed: by node, what was known of missed writes when keys were copied; nil where it need not be asked for.
    ///   - done: told whether they have, and none has an objection, or knows of another missed write.
    func offer(to listeners: [Int], knowing missed: [Token?]?, _ done: @escaping (Bool) -> Void) {
        ask({ [unowned self, places] place, round, answered in
            store(.offer, places, on: place) { if case .done = $0 { round.stored.insert(place) } }
            if let missed {
                read(.missed, on: place) { if $0 != missed[place] { round.isContested = true } }
            }
            links[place].send(MarkerCommand(node: place, item: .objection, .read), names: names) {
                if $0 != .missing { round.isContested = true }
                answered()
            }
        }) { round in done(round.stored.isSuperset(of: listeners) && !round.isContested) }
    }

    /// Asks every node that is connected.
    private func ask(
        besides silent: Int? = nil, _ question: (Int, Round, @escaping () -> Void) -> Void,
        _ done: @escaping (Round) -> Void
    ) {
        let round = Round()
        let open = links.indices.filter { links[$0].state == .open && $0 != silent }
        guard !open.isEmpty else { return done(round) }
        round.left = open.count
        for place in open {
            question(place, round) {
                round.left -= 1
                if round.left == 0 { done(round) }
            }
        }
        for place in open { links[place].flush() }
    }
}
