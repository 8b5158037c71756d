import DroverTesting

/// A real twemproxy over memcached servers; it ends with its owner.
final class Nutcracker {
    struct Pool {
        var distribution: String
        var hash: String
        var hashTag: String?
        /// For each server its weight and, if it has one, its name.
        var servers: [(weight: Int, name: String?)]
    }

    private let directory: TemporaryDirectory
    private let child: ChildProcess
    private let addresses: [ServerAddress]

    /// Serves all pools, each over the first of the servers.
    init(_ pools: [Pool], over servers: [MemcachedServer]) throws {
        directory = try TemporaryDirectory()
        var text = ""
        var addresses: [ServerAddress] = []
        for (number, pool) in pools.enumerated() {
            let address = ServerAddress.unix(path: directory.file("pool\(number).sock"))
            if case .unix(let path) = address { text += "pool\(number):\n  listen: \(path)\n" }
            text += "  distribution: \(pool.distribution)\n  hash: \(pool.hash)\n"
            if let tag = pool.hashTag { text += "  hash_tag: \"\(tag)\"\n" }
            text += "  servers:\n"
            for (server, entry) in zip(servers, pool.servers) {
                text += "   - \(server.address):\(entry.weight)\(entry.name.map { " \($0)" } ?? "")\n"
            }
            addresses.append(address)
        }
        self.addresses = addresses
        let file = directory.file("nutcracker.yml")
        try writeFile(file, text)
        let log = directory.file("log")
        let child = try ChildProcess(
            ["/usr/sbin/nutcracker", "-c", file, "-s", "\(try ServerAddress.freePort())", "-m", "16384"],
            outputFile: log, errorFile: log)
        self.child = child
        let answers = Deadline(seconds: 20).waits {
            !child.isRunning || addresses.allSatisfy { (try? RawClient($0, patience: 1)) != nil }
        }
        guard answers, child.isRunning else { throw TestFailure("nutcracker: \(readFile(log) ?? "")\n\(text)") }
    }

    /// Stores each key with an empty value through a pool.
    func store(_ keys: [[UInt8]], pool: Int) throws {
        let client = try RawClient(addresses[pool], patience: 30)
        for start in stride(from: 0, to: keys.count, by: 1000) {
            let part = keys[start..<min(start + 1000, keys.count)]
            try client.send(part.flatMap { Array("set ".utf8) + $0 + Array(" 0 0 0\r\n\r\n".utf8) })
            let replies = try client.read(exactly: 8 * part.count)
            guard replies == Array(repeatElement("STORED\r\n".utf8, count: part.count).joined()) else {
                throw TestFailure("pool \(pool): \(quoted(replies))")
            }
        }
    }
}

extension MemcachedServer {
    /// All keys that it holds.
    func keys() throws -> [[UInt8]] {
        let client = try client(patience: 60)
        // The dump needs the crawler, which says BUSY while it is at work for somebody else.
        var dump: [UInt8] = []
        let came = try Deadline(seconds: 30).waits {
            // By hash, not `all`, which misses a few keys that the LRU threads move meanwhile.
            try client.send("lru_crawler metadump hash\r\n")
            dump = try client.read(through: "\n")
            return !dump.starts(with: "BUSY".utf8)
        }
        guard came else { throw TestFailure("the crawler of \(address) is busy all the time") }
        if !dump.elementsEqual("END\r\n".utf8) { dump += try client.read(through: "END\r\n") }
        return try dump.split(separator: 10).dropLast().map { line in
            guard line.starts(with: "key=".utf8) else { throw TestFailure("dump: \(quoted(line))") }
            return Self.decoded(line.dropFirst(4).prefix { $0 != 0x20 })
        }
    }

    /// What the dump wrote as `%` and two hexadecimal digits, as the byte it was.
    private static func decoded(_ text: ArraySlice<UInt8>) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = text
        while let byte = rest.popFirst() {
            if byte == 0x25 {
                bytes.append(UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)!)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return bytes
    }
}
