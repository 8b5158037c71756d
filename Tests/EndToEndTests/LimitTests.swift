import DroverTesting
import Testing

/// Each limit: its error, its counter, and that the rest goes on.
@Suite(.serialized)
struct LimitTests {
    @Test func tooManyClients() throws {
        let cluster = try Cluster(nodes: [try MemcachedServer()], pool: ["limits: {clients: 3}"], top: ["workers: 1"])
        // The one that waited for readiness is gone soon.
        var clients: [RawClient] = []
        let isFull = try Deadline(seconds: 5).waits {
            clients = []
            clients = try (0..<3).map { _ in try cluster.client() }
            return clients.allSatisfy { (try? $0.roundTrip("mn\r\n")) == "MN\r\n" }
        }
        #expect(isFull)
        let before = try cluster.errors("client_limit")
        for _ in 0..<4 {
            let extra = try cluster.client()
            #expect(String(decoding: try extra.readToEnd(), as: UTF8.self) == "ERROR Too many open connections\r\n")
        }
        #expect(try cluster.errors("client_limit") == before + 4)
        #expect(try cluster.metric("drover_client_connections_refused_total{") == before + 4)
        #expect(try cluster.metric("drover_client_connections{") == 3)
        for client in clients { #expect(try client.roundTrip("mn\r\n") == "MN\r\n") }
        clients.removeLast()
        let isTaken = Deadline(seconds: 5).waits { (try? cluster.client().roundTrip("mn\r\n")) == "MN\r\n" }
        #expect(isTaken)
    }

    @Test func aKeyOverTheLimit() throws {
        let cluster = try Cluster(1, pool: ["limits: {key: 20}"])
        let client = try cluster.client()
        #expect(try client.roundTrip("set \(String(repeating: "k", count: 20)) 0 0 1\r\nx\r\n") == "STORED\r\n")
        let key = String(repeating: "k", count: 21)
        for line in ["mg \(key)", "get \(key)", "get a \(key)", "delete \(key)"] {
            #expect(try client.roundTrip(line + "\r\n") == "CLIENT_ERROR bad command line format\r\n")
        }
        #expect(try client.roundTrip("mn\r\n") == "MN\r\n")
        #expect(try cluster.errors("key_too_long") == 4)
        #expect(try cluster.errors("malformed_request") == 0)
    }

    @Test func aValueOverTheLimit() throws {
        let cluster = try Cluster(2, pool: ["limits: {value: 1000}"])
        let client = try cluster.client()
        for (verb, left) in [("add", "VALUE k 0 1\r\nx\r\nEND\r\n"), ("set", "END\r\n")] {
            #expect(try client.roundTrip("set k 0 0 1\r\nx\r\n") == "STORED\r\n")
            let request = "\(verb) k 0 0 1001\r\n\(String(repeating: "x", count: 1001))\r\n"
            #expect(try client.roundTrip(request) == "SERVER_ERROR object too large for cache\r\n")
            #expect(try client.roundTrip("get k\r\n", through: "END\r\n") == left)
        }
        #expect(try client.roundTrip("set k 0 0 1000\r\n\(String(repeating: "x", count: 1000))\r\n") == "STORED\r\n")
        #expect(try cluster.errors("value_too_large") == 2)
    }

    @Test func aPipelineDeeperThanTheLimitWaitsAndIsAnsweredWhole() throws {
        let cluster = try Cluster(2, pool: ["limits: {pipeline: 16}"])
        let client = try cluster.client()
        let count = 5000
        try client.send((0..<count).map { "mg none\($0) O\($0)\r\n" }.joined() + "mn\r\n")
        let reply = String(decoding: try client.read(through: "MN\r\n"), as: UTF8.self)
        #expect(reply == (0..<count).map { "EN O\($0)\r\n" }.joined() + "MN\r\n")
        #expect(try cluster.errors("pipeline_limit") > 0)
        let waits = try cluster.errors("pipeline_limit")
        try client.send((0..<15).map { "mg none\($0)\r\n" }.joined() + "mn\r\n")
        _ = try client.read(through: "MN\r\n")
        #expect(try cluster.errors("pipeline_limit") == waits, "16 may wait")
    }

    @Test func linesThatAreTooLongReservedOrMalformed() throws {
        let cluster = try Cluster(1)
        let client = try cluster.client()
        #expect(try client.roundTrip("get __drover:x\r\n") == "CLIENT_ERROR key is reserved\r\n")
        #expect(try client.roundTrip("nonsense\r\n") == "ERROR\r\n")
        #expect(try client.roundTrip("incr k x\r\n") == "CLIENT_ERROR invalid numeric delta argument\r\n")
        try client.send("delete " + String(repeating: "k", count: 2100))
        #expect(try client.readToEnd().isEmpty)
        let other = try cluster.client()
        try other.send("get " + String(repeating: "k ", count: 600_000))
        #expect(String(decoding: try other.readToEnd(), as: UTF8.self) == "CLIENT_ERROR line too long\r\n")
        #expect(try cluster.errors("reserved_key") == 1)
        #expect(try cluster.errors("malformed_request") == 2)
        #expect(try cluster.errors("line_too_long") == 2)
    }

    /// A client that sends and never reads is held back, not buffered for.
    @Test(.timeLimit(.minutes(20))) func aClientThatDoesNotReadGetsBackPressure() throws {
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
