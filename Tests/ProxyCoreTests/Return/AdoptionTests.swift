import DroverTesting
import Testing

@testable import ProxyCore

struct AdoptionTests {
    typealias Nodes = FillingPlanTests.Nodes

    static func fresh() -> PoolMarkers {
        var markers = PoolMarkers(nodes: 3, poll: PoolMarkersTests.second, timeout: PoolMarkersTests.second / 5)
        for node in 0..<3 {
            markers.read(node, PoolMarkersTests.empty(), asked: PoolMarkersTests.now, now: PoolMarkersTests.now)
        }
        return markers
    }

    /// Loses the answer with that number.
    private func play(_ adoption: inout Adoption, _ nodes: inout Nodes, losing lost: Int? = nil) -> Int {
        var count = 0
        while let command = adoption.nextCommand() {
            let reply = nodes.run(command)
            adoption.received(count == lost ? .failed : reply, now: PoolMarkersTests.now)
            count += 1
        }
        return count
    }

    /// What a proxy makes of the nodes.
    private func access(_ nodes: Nodes) -> [PoolMarkers.Access] {
        var markers = PoolMarkers(nodes: 3, poll: PoolMarkersTests.second, timeout: PoolMarkersTests.second / 5)
        for node in 0..<3 {
            func text(_ item: MarkerItem) -> [UInt8]? { nodes.items[node]?[item]?.text }
            let reading = MarkerReading(
                ready: text(.ready).flatMap { unsafe MarkerText.token(in: $0.span.bytes) }, filling: nil,
                standings: (0..<3).map { text(.standing(of: $0)).flatMap { unsafe Standing(text: $0.span.bytes) } },
                cas: 1)
            markers.read(node, reading, asked: PoolMarkersTests.now, now: PoolMarkersTests.now)
        }
        return (0..<3).map { markers.access($0, now: PoolMarkersTests.now) }
    }

    @Test func allNodesAreFullAfterwards() {
        var generator = SeededGenerator(seed: 1)
        var nodes = Nodes(Self.fresh())
        var adoption = Adoption(
            of: [0, 1, 2], markers: Self.fresh(), owner: FillingPlanTests.owner, using: &generator)
        #expect(play(&adoption, &nodes) == 1 + 6 * 2 + 3 + 1)
        #expect(adoption.outcome == .adopted && access(nodes) == [.full, .full, .full])
        #expect(nodes.items[0]?[.lease] == nil)
    }

    /// Wherever it is cut short, no node is full that another does not confirm; what is left is filled later.
    @Test func aLostAnswerLeavesNothingHalf() {
        for lost in 0..<16 {
            var generator = SeededGenerator(seed: 1)
            var nodes = Nodes(Self.fresh())
            var adoption = Adoption(
                of: [0, 1, 2], markers: Self.fresh(), owner: FillingPlanTests.owner, using: &generator)
            _ = play(&adoption, &nodes, losing: lost)
            #expect(adoption.outcome == .ended, "\(lost)")
            #expect(access(nodes).allSatisfy { $0 == .full } == (lost >= 15), "\(lost)")
        }
    }

    /// A node that missed a write since it was looked at is not adopted over that.
    @Test func aRevocationMeanwhileEndsIt() {
        var generator = SeededGenerator(seed: 1)
        var nodes = Nodes(Self.fresh())
        nodes.put(2, .standing(of: 1), Standing(token: nil, isRevoked: true, missed: .unknown).text)
        var adoption = Adoption(
            of: [0, 1, 2], markers: Self.fresh(), owner: FillingPlanTests.owner, using: &generator)
        _ = play(&adoption, &nodes)
        #expect(adoption.outcome == .ended && access(nodes) == [.syncing, .syncing, .syncing])
    }
}
