import DroverTesting
import Testing

/// Values up to the nodes' item limit stream through in bounded memory.
@Suite(.serialized)
struct LargeValueTests {
    private static let size = 64 << 20

    private func cluster(_ more: String...) throws -> Cluster {
        var options = MemcachedServer.Options()
        (options.itemLimit, options.memory) = ("128m", 1024)
        return try Cluster(
            nodes: (0..<2).map { _ in try MemcachedServer(.newer, options: options) },
            pool: ["limits: {value: 128MiB}", "timeout: 10s"] + more)
    }

    @Test(.timeLimit(.minutes(20))) func sixtyFourMegabytesGoThroughWithoutBeingHeld() throws {
        let cluster = try cluster()
        let client = try cluster.client(patience: 60)
        // What is touched for the first time, code among it, is no growth.
        try client.send(Array("set warm 0 0 \(1 << 20)\r\n".utf8) + [UInt8](repeating: 120, count: 1 << 20) + [13, 10])
        #expect(try client.readLine() == "STORED\r\n")
        try client.send("get warm\r\n")
        #expect(try client.read(through: "END\r\n").count > 1 << 20)
        let value = (0..<Self.size).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 8) }
        let before = cluster.drover.residentMemory
        cluster.drover.forgetPeakMemory()
        try client.send(Array("set big 7 0 \(Self.size)\r\n".utf8) + value + [13, 10])
        #expect(try client.readLine() == "STORED\r\n")
        #expect(cluster.drover.peakMemory - before < 6 << 20)
        for _ in 0..<2 {
            try client.send("get big\r\n")
            #expect(try client.readLine() == "VALUE big 7 \(Self.size)\r\n")
            #expect(try client.read(exactly: Self.size) == value)
            #expect(try client.read(through: "END\r\n").count == 7)
        }
        #expect(cluster.drover.peakMemory - before < 6 << 20)
    }

    @Test(.timeLimit(.minutes(20))) func aSlowReaderDelaysNobody() throws {
        let cluster = try cluster()
        let client = try cluster.client(patience: 60)
        try client.send(
            Array("set big 0 0 \(Self.size)\r\n".utf8) + [UInt8](repeating: 120, count: Self.size) + [13, 10])
        #expect(try client.readLine() == "STORED\r\n")
        let before = cluster.drover.residentMemory
        let slow = try RawClient(cluster.address, patience: 60, receiveBuffer: 4096)
        try slow.send("get big\r\n")
        _ = try slow.readLine()
        // The same key, so the same node.
        for _ in 0..<200 {
            let start = Deadline.now()
            #expect(try client.roundTrip("mg big s\r\n") == "HD s\(Self.size)\r\n")
            #expect(Deadline.seconds(since: start) < 1)
        }
        #expect(cluster.drover.residentMemory - before < 6 << 20)
        #expect(try slow.read(exactly: Self.size).count == Self.size)
        #expect(try slow.read(through: "END\r\n").count == 7)
    }

    /// For several copies a data block is collected whole. It is in memory once, and not for longer than needed.
    @Test(.timeLimit(.minutes(20))) func whatTwoCopiesShareGoesBackToTheSystem() throws {
        let cluster = try cluster("replicas: 2")
        let client = try cluster.client(patience: 60)
        #expect(try client.roundTrip("set warm 0 0 1\r\nx\r\n") == "STORED\r\n")
        let before = cluster.drover.residentMemory
        cluster.drover.forgetPeakMemory()
        try client.send(
            Array("set big 0 0 \(Self.size)\r\n".utf8) + [UInt8](repeating: 120, count: Self.size) + [13, 10])
        #expect(try client.readLine() == "STORED\r\n")
        let growth = cluster.drover.peakMemory - before
        #expect(growth > Self.size / 2 && growth < Self.size + 12 << 20)
        let isBack = Deadline(seconds: 60).waits { cluster.drover.residentMemory - before < 8 << 20 }
        #expect(isBack)
    }
}
