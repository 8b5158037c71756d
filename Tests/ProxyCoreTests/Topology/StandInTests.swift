import Distribution
import Testing

@testable import ProxyCore

/// Where keys are while nodes are away, and while they are brought home.
struct StandInTests {
    private static let kinds: [DistributionKind] = [.ketama, .modula, .jump, .rendezvous, .maglev]
    private let hashes = (0..<500).map { number in
        let key = Array("key:\(number)".utf8)
        return unsafe KeyHash.xxh3.hash(key.span.bytes, from: 0, count: key.count)
    }

    private func topology(_ kind: DistributionKind, nodes: Int = 5) -> Topology {
        var pool = PoolSettings(
            name: "p", listen: [],
            nodes: (0..<nodes).map { NodeSettings(address: .tcp(host: "h", port: UInt16(1 + $0)), weight: 1 + $0 % 3) })
        pool.distribution = kind
        return Topology([pool])
    }

    private func topology(_ kind: DistributionKind, _ keys: [Int: KeyPlace]) -> Topology {
        topology(kind).with {
            NodeVerdict(keys[$0] == .away ? .none : .full, keys: keys[$0] ?? .own, isHoming: false)
        }
    }

    @Test(arguments: kinds)
    func onlyKeysOfNodesThatAreAwayMove(_ kind: DistributionKind) {
        let (whole, short) = (topology(kind).pools[0], topology(kind, [1: .away, 3: .away]).pools[0])
        var standIns: Set<UInt32> = []
        for hash in hashes {
            let (home, now) = (whole.copies(of: hash), short.copies(of: hash))
            #expect(home.count == 1 && now.count == 1)
            if home[0] == 1 || home[0] == 3 {
                standIns.insert(now[0])
            } else {
                #expect(now == home)
            }
        }
        // With modula those that follow in the list.
        #expect(standIns == (kind == .modula ? [2, 4] : [0, 2, 4]))
        #expect(short.copyCount == 1)
    }

    /// Who stands in does not change when somebody else goes, or comes.
    @Test(arguments: kinds)
    func whoStandsInStays(_ kind: DistributionKind) {
        let (one, two) = (topology(kind, [1: .away]).pools[0], topology(kind, [1: .away, 3: .away]).pools[0])
        for hash in hashes where one.copies(of: hash)[0] != 3 {
            #expect(one.copies(of: hash) == two.copies(of: hash))
        }
    }

    @Test(arguments: kinds)
    func keysThatAreBroughtHomeAreInBothPlaces(_ kind: DistributionKind) {
        let away = topology(kind, [1: .away]).pools[0]
        let (joining, leading) = (topology(kind, [1: .joining]).pools[0], topology(kind, [1: .leading]).pools[0])
        #expect(joining.copyCount == 2 && leading.copyCount == 2)
        for hash in hashes {
            let home = topology(kind).pools[0].copies(of: hash)[0]
            let now = away.copies(of: hash)[0]
            #expect(joining.copies(of: hash) == (home == 1 ? Copies(of: now, and: 1) : Copies(of: now)))
            #expect(leading.copies(of: hash) == (home == 1 ? Copies(of: 1, and: now) : Copies(of: now)))
        }
    }

    @Test func aPoolThatIsDownAltogetherKeepsItsRing() {
        let whole = topology(.ketama)
        let down = whole.with { _ in NodeVerdict(isUp: false) }
        for hash in hashes { #expect(down.pools[0].copies(of: hash) == whole.pools[0].copies(of: hash)) }
    }

    @Test func whoStandsInForEightAndMore() {
        let whole = topology(.ketama, nodes: 20)
        let short = whole.with { NodeVerdict($0 < 17 ? .none : .full, keys: $0 < 17 ? .away : .own, isHoming: false) }
        for hash in hashes { #expect(short.pools[0].copies(of: hash)[0] >= 17) }
    }

    @Test func whereChanceOrLoadDecideKeysHaveNoHome() {
        for (kind, bringsHome) in [(DistributionKind.random, false), (.leastLoaded, false), (.ketama, true)] {
            #expect(topology(kind).pools[0].settings.bringsHome == bringsHome)
        }
        var settings = topology(.ketama).pools[0].settings
        settings.replicas = 2
        #expect(!settings.bringsHome)
        settings.replicas = 1
        settings.whenDown = .miss
        #expect(!settings.bringsHome)
    }
}
