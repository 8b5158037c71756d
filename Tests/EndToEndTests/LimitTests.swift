import DroverTesting
import Testing

/// Each limit: its error, its counter, and that the rest goes on.
@Suite(.serialized)
struct LimitTests {
    @Test func tooManyClients() throws {
        let cluster = try Cluster(1, pool: ["limits: {clients: 3}"])
        // The one that waited for readiness is gone soon.
        var clients: [RawClient] = []
        let isFull = try Deadline(seconds: 5).waits {
            clients = try (0..<3).map { _ in try cluster.client() }
            return clients.allSatisfy { (try? $0.roundTrip("mn\r\n")) == "MN\r\n" }
        }
        #expect(isFull)
        let extra = try cluster.client()
        #expect(String(decoding: try extra.readToEnd(), as: UTF8.self) == "ERROR Too many open connections\r\n")
        for client in clients { #expect(try client.roundTrip("mn\r\n") == "MN\r\n") }
        clients.removeLast()
        let isTaken = Deadline(seconds: 5).waits { (try? cluster.client().roundTrip("mn\r\n")) == "MN\r\n" }
        #expect(isTaken)
        #expect(try cluster.metric("drover_").map { $0 > 0 } == true)
    }

    @Test func aKeyOverTheLimit() throws {
        let client = try Cluster(1, pool: ["limits: {key: 20}"]).client()
        #expect(try client.roundTrip("set \(String(repeating: "k", count: 20)) 0 0 1\r\nx\r\n") == "STORED\r\n")
        #expect(
            try client.roundTrip("set \(String(repeating: "k", count: 21)) 0 0 1\r\nx\r\n")
                == "CLIENT_ERROR bad command line format\r\n")
        #expect(try client.roundTrip("mn\r\n") == "MN\r\n")
    }

    @Test func aPipelineDeeperThanTheLimitWaitsAndIsAnsweredWhole() throws {
        let client = try Cluster(2, pool: ["limits: {pipeline: 16}"]).client()
        let count = 5000
        try client.send((0..<count).map { "mg none\($0) O\($0)\r\n" }.joined() + "mn\r\n")
        let reply = String(decoding: try client.read(through: "MN\r\n"), as: UTF8.self)
        #expect(reply == String(repeating: "EN\r\n", count: count) + "MN\r\n")
    }

    /// A client that sends and never reads is held back, not buffered for.
    @Test(.timeLimit(.minutes(2))) func aClientThatDoesNotReadGetsBackPressure() throws {
        let cluster = try Cluster(2)
        let client = try cluster.client()
        let size = 100_000
        _ = try client.roundTrip("set v 0 0 \(size)\r\n\(String(repeating: "x", count: size))\r\n")
        let before = cluster.drover.residentMemory
        let rude = try RawClient(cluster.address, receiveBuffer: 4096)
        let request = Array(String(repeating: "get v\r\n", count: 20_000).utf8)
        var sent = 0
        var stalledSince = Deadline.now()
        let deadline = Deadline(seconds: 20)
        while sent < request.count && !deadline.hasPassed && Deadline.seconds(since: stalledSince) < 1 {
            let count = try rude.write(request, from: sent)
            sent += count
            if count > 0 { stalledSince = Deadline.now() }
            #expect(try client.roundTrip("mn\r\n") == "MN\r\n")
        }
        // 20,000 replies would be 2 GB.
        #expect(cluster.drover.residentMemory - before < 16 << 20)
        #expect(try client.roundTrip("mg v s\r\n") == "HD s\(size)\r\n")
        for _ in 0..<20 {
            #expect(try rude.readLine() == "VALUE v 0 \(size)\r\n")
            _ = try rude.read(exactly: size + 2)
            #expect(try rude.readLine() == "END\r\n")
        }
    }
}
