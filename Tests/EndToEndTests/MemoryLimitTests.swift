import DroverTesting
import Testing

/// `limits.memory`: many clients that hold all they can do not keep others from being served.
@Suite(.serialized)
struct MemoryLimitTests {
    private static let memory = 4 << 20
    private static let size = 200_000
    private static let reply = Array(
        "VALUE v 0 \(size)\r\n\(String(repeating: "x", count: size))\r\nEND\r\n".utf8)

    /// One worker, so that all are in the same boat, with a value at its node.
    private func cluster() throws -> Cluster {
        let cluster = try Cluster(
            nodes: [try MemcachedServer()], pool: ["limits: {memory: \(Self.memory)}"], top: ["workers: 1"])
        let value = String(repeating: "x", count: Self.size)
        #expect(try cluster.client().roundTrip("set v 0 0 \(Self.size)\r\n\(value)\r\n") == "STORED\r\n")
        return cluster
    }

    /// How often a client that reads got its value; it may be refused in words, or closed in the middle.
    private func served(_ cluster: Cluster, times: Int) throws -> Int {
        var count = 0
        for _ in 0..<times {
            let client = try cluster.client()
            try client.send("get v\r\nquit\r\n")
            let answer = try client.readToEnd()
            if answer == Self.reply {
                count += 1
            } else {
                let isRefused = answer == Array("SERVER_ERROR out of memory\r\n".utf8)
                #expect(isRefused || Self.reply.starts(with: answer), "\(quoted(answer.prefix(100)))")
            }
        }
        return count
    }

    @Test(.timeLimit(.minutes(20))) func clientsThatDoNotReadAreClosedWhenMemoryIsShort() throws {
        let cluster = try cluster()
        let before = cluster.drover.residentMemory
        cluster.drover.forgetPeakMemory()
        var rude: [RawClient] = []
        let asked = 60
        var count = 0
        for _ in 0..<60 {
            let client = try RawClient(cluster.address, receiveBuffer: 4096)
            try client.send(String(repeating: "get v\r\n", count: asked))
            rude.append(client)
            count += try served(cluster, times: 1)
        }
        #expect(try Deadline(seconds: 10).waits { try cluster.errors("slow_client") > 10 })
        #expect(count > 50)
        #expect(try served(cluster, times: 20) == 20)
        #expect(try cluster.metric("drover_buffer_bytes") ?? .infinity <= Double(Self.memory))
        #expect(try cluster.metric("drover_buffer_limit_bytes") == Double(Self.memory))
        #expect(cluster.drover.peakMemory - before < Self.memory + (6 << 20))
        // Nobody is told anything wrong: who is closed has a part of what it asked for.
        let closed = try cluster.errors("slow_client") + cluster.errors("memory_limit")
        var cut = 0
        for client in rude {
            try client.send("quit\r\n")
            let answer = try client.readToEnd()
            let isRight = stride(from: 0, to: answer.count, by: Self.reply.count).allSatisfy {
                Self.reply.starts(with: answer[$0..<min($0 + Self.reply.count, answer.count)])
            }
            #expect(isRight)
            if answer.count < asked * Self.reply.count { cut += 1 }
        }
        #expect(cut > 0 && Double(cut) <= closed)
    }

    @Test(.timeLimit(.minutes(20))) func halfCommandsAreNotKeptForEver() throws {
        let cluster = try cluster()
        let before = cluster.drover.residentMemory
        cluster.drover.forgetPeakMemory()
        let line = Array(("get" + String(repeating: " kkkkkkk", count: 100_000)).utf8)
        let block = Array(("set b 0 0 \(Self.size)\r\n" + String(repeating: "x", count: 150_000)).utf8)
        var rude: [RawClient] = []
        for index in 0..<60 {
            let client = try RawClient(cluster.address)
            let bytes = index % 2 == 0 ? line : block
            var sent = 0
            // It may be closed before it has sent all.
            while sent < bytes.count, !client.isClosed {
                guard let count = try? client.write(bytes, from: sent) else { break }
                sent += count
            }
            rude.append(client)
            #expect(try served(cluster, times: 1) == 1)
        }
        #expect(try cluster.errors("slow_client") + cluster.errors("memory_limit") > 10)
        #expect(try served(cluster, times: 20) == 20)
        #expect(cluster.drover.peakMemory - before < Self.memory + (6 << 20))
        _ = rude
    }

    /// Each key of a get takes a row; there is one for every 256 bytes of memory.
    @Test func aGetOfMoreKeysThanThereIsMemoryForIsRefused() throws {
        let cluster = try Cluster(
            nodes: [try MemcachedServer()], pool: ["limits: {memory: 1MiB}"], top: ["workers: 1"])
        let client = try cluster.client()
        #expect(try client.roundTrip("set k 0 0 1\r\nx\r\n") == "STORED\r\n")
        let keys = String(repeating: " k", count: 5000)
        #expect(try client.roundTrip("get\(keys)\r\n") == "SERVER_ERROR out of memory\r\n")
        #expect(try cluster.errors("memory_limit") == 1)
        #expect(try client.roundTrip("get k\r\n", through: "END\r\n") == "VALUE k 0 1\r\nx\r\nEND\r\n")
    }

    /// Buffers come when bytes do, and go back.
    @Test func silentClientsTakeNextToNothing() throws {
        // Mostly the code of a debug build, of which the kernel reads ahead as it likes; a release build has 8.
        let fresh = try Cluster(nodes: [try MemcachedServer()], top: ["workers: 1"])
        #expect(fresh.drover.residentMemory < 16 << 20)
        let cluster = try cluster()
        let buffers = try cluster.metric("drover_buffer_bytes")
        let before = cluster.drover.residentMemory
        let clients = try (0..<600).map { _ in try RawClient(cluster.address) }
        #expect(try Deadline(seconds: 10).waits { try cluster.metric("drover_client_connections{") == 600 })
        #expect(cluster.drover.residentMemory - before < 600 << 10)
        for client in clients {
            try client.send("get v\r\n")
            #expect(try client.read(exactly: Self.reply.count) == Self.reply)
        }
        #expect(try Deadline(seconds: 10).waits { try cluster.metric("drover_buffer_bytes") == buffers })
    }
}
