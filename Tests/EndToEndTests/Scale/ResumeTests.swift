import DroverTesting
import Testing

/// Proxies that are started with the new nodes while keys are on their way to them still.
@Suite(.serialized)
struct ResumeTests {
    private let keys = (0..<1500).map { "\($0 * 7919)-resume" }

    private func fill(_ scale: ScaleCluster) throws {
        let client = try scale.cluster.client()
        for key in keys { try #require(try client.roundTrip("set \(key) 0 0 5\r\nvalue\r\n") == "STORED\r\n") }
    }

    /// - Returns: keys that have another value.
    private func wrong(_ scale: ScaleCluster, _ value: String = "value") throws -> [String] {
        let client = try scale.cluster.client()
        return try keys.filter {
            try client.roundTrip("get \($0)\r\n", through: "END\r\n") != "VALUE \($0) 0 5\r\n\(value)\r\nEND\r\n"
        }
    }

    private func awaitMove(_ scale: ScaleCluster) {
        #expect(Deadline(seconds: 90).waits { scale.drover.log.contains("result=moved") }, "\(scale.drover.log)")
    }

    /// What had not been copied is where it was; and what a copier had put there and not looked at again is not read.
    @Test(arguments: [[0, 1, 3], [3, 4]]) func aProxyThatDiesIsFollowedByOneThatGoesOn(members: [Int]) throws {
        let scale = try ScaleCluster(5, first: [0, 1, 2], sync: "{rate: 200/s, scrub: off}")
        try fill(scale)
        try scale.drover.reload(scale.config(members))
        try #require(scale.drover.logContains("copying, pass 1", within: 40), "\(scale.drover.log)")
        scale.drover.kill()
        let next = try ScaleCluster(beside: scale, first: members)
        #expect(try wrong(next).isEmpty, "\(next.drover.log)")
        #expect(next.drover.log.contains("keys begin to move"))
        awaitMove(next)
        #expect(try wrong(next).isEmpty)
        try next.expectPlaces(keys, members)
        for place in 0..<5 {
            #expect(try scale.servers[place].client().roundTrip("mg __drover:former\r\n") == "EN\r\n", "n\(place)")
        }
        // It was the last: the places are those of the config now.
        #expect(next.drover.stop() == 0)
        let last = try ScaleCluster(beside: scale, first: members)
        #expect(try wrong(last).isEmpty && !last.drover.log.contains("keys begin to move"))
    }

    /// Else one that moves keys may just then begin to read them where the other does not write.
    @Test func whoStartsByThePlacesBeforeIsHeardBeforeItServes() throws {
        let scale = try ScaleCluster(4, first: [0, 1, 2], sync: "{rate: 200/s, scrub: off}")
        try fill(scale)
        try scale.drover.reload(scale.config([1, 2, 3]))
        try #require(scale.drover.logContains("copying, pass 1", within: 40), "\(scale.drover.log)")
        let late = try ScaleCluster(beside: scale, first: [0, 1, 2])
        #expect(scale.drover.log.contains("another proxy writes by other nodes"), "\(scale.drover.log)")
        #expect(late.drover.log.contains("other proxies move keys by another config"), "\(late.drover.log)")
        let writer = try late.cluster.client()
        for key in keys { try #require(try writer.roundTrip("set \(key) 0 0 5\r\nother\r\n") == "STORED\r\n") }
        for proxy in [late, scale] { #expect(try wrong(proxy, "other").isEmpty) }
        try late.drover.reload(late.config([1, 2, 3]))
        for proxy in [late, scale] { awaitMove(proxy) }
        for proxy in [late, scale] { #expect(try wrong(proxy, "other").isEmpty) }
    }

    /// One has been told, one has not, and one begins: all read what any of them has written.
    @Test func whoComesLateWritesWhereTheOthersRead() throws {
        let scale = try ScaleCluster(4, first: [0, 1, 2])
        let untold = try ScaleCluster(beside: scale, first: [0, 1, 2])
        try fill(scale)
        try scale.drover.reload(scale.config([1, 2, 3]))
        try #require(scale.drover.logContains("another proxy writes by other nodes", within: 60))
        let late = try ScaleCluster(beside: scale, first: [1, 2, 3])
        #expect(try wrong(late).isEmpty)
        let writer = try late.cluster.client()
        for key in keys { try #require(try writer.roundTrip("set \(key) 0 0 5\r\nother\r\n") == "STORED\r\n") }
        for proxy in [late, scale, untold] { #expect(try wrong(proxy, "other").isEmpty) }
        try untold.drover.reload(untold.config([1, 2, 3]))
        for proxy in [late, scale, untold] { awaitMove(proxy) }
        for proxy in [late, scale, untold] { #expect(try wrong(proxy, "other").isEmpty) }
        #expect(!late.drover.log.contains("another proxy still reads keys where they were before"))
        try scale.expectPlaces(keys, [1, 2, 3])
    }
}
