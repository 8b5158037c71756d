import DroverTesting
import Glibc
import Testing

/// `drover backup` and `drover restore`.
@Suite(.serialized)
struct BackupTests {
    private let keys = (0..<500).map { "\($0 * 7919)-saved" }
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func run(_ arguments: [String], _ cluster: CopiesCluster) throws -> (
        code: Int32, output: String, error: String
    ) {
        try ChildProcess.run([DroverProcess.binary] + arguments + ["--admin", "\(cluster.cluster.admin)"])
    }

    private func cluster(_ setting: CopiesSetting = .init(), _ pool: [String] = []) throws -> CopiesCluster {
        try CopiesCluster(setting, pool: ["timeout: 1s"] + pool)
    }

    private func value(_ key: String) -> String { key + String(repeating: "v", count: key.utf8.count * 37 % 5000) }

    private func fill(_ client: RawClient) throws {
        for (number, key) in keys.enumerated() {
            let value = value(key)
            let time = number % 3 == 0 ? 3000 : 0
            let reply = try client.roundTrip("set \(key) \(number) \(time) \(value.utf8.count)\r\n\(value)\r\n")
            #expect(reply == "STORED\r\n")
        }
    }

    private func check(_ client: RawClient, _ keys: some Sequence<String>) throws {
        for key in keys {
            let (value, flags) = (value(key), self.keys.firstIndex(of: key)!)
            let expected = "VALUE \(key) \(flags) \(value.utf8.count)\r\n\(value)\r\nEND\r\n"
            #expect(try client.roundTrip("get \(key)\r\n", through: "END\r\n") == expected, "\(key)")
        }
    }

    @Test func aBackupIsRestoredOntoAPoolOfAnotherSize() throws {
        let source = try cluster()
        try fill(source.client())
        let odd = try source.client()
        #expect(try odd.roundTrip("ms AAECAw== 3 b\r\nodd\r\n").hasPrefix("HD"))
        #expect(try odd.roundTrip("set short 0 1 1\r\nx\r\n") == "STORED\r\n")
        let saved = try run(["backup", "main", directory.path, "--json"], source)
        #expect(saved.code == 0 && saved.output.contains("items saved in"), "\(saved)")
        #expect(!saved.output.contains("\"copy_seconds\": 0,"), "\(saved)")
        for text in ["before_ratio\": null", "after_ratio\": 1"] {
            #expect(saved.output.contains("\"persistence_\(text)"), "\(saved)")
        }

        for shape in [CopiesSetting.Shape.threeOfThree, .standby] {
            let target = try cluster(CopiesSetting(shape: shape, version: .debian))
            let client = try target.client()
            // What is there stays.
            #expect(try client.roundTrip("set \(keys[0]) 0 0 3\r\nnew\r\n") == "STORED\r\n")
            let restored = try run(["restore", "main", directory.path, "--json"], target)
            #expect(restored.code == 0 && restored.output.contains("\"present\": 1"), "\(restored)")
            let kept = try client.roundTrip("get \(keys[0])\r\n", through: "END\r\n")
            #expect(kept == "VALUE \(keys[0]) 0 3\r\nnew\r\nEND\r\n")
            try check(client, keys.dropFirst())
            #expect(try target.disagreements(on: keys).isEmpty)
            #expect(try client.roundTrip("mg AAECAw== b v\r\n", through: "odd\r\n") == "VA 3\r\nodd\r\n")
            #expect(try client.roundTrip("mg short\r\n") == "EN\r\n", "it has expired")
            let time = try client.roundTrip("mg \(keys[3]) t\r\n")
            let left = Int(time.dropFirst("HD t".count).prefix { $0.isNumber }) ?? 0
            #expect((2900...3000).contains(left), "\(time)")
            #expect(try client.roundTrip("mg \(keys[1]) t\r\n") == "HD t-1\r\n")

            let again = try run(["restore", "main", directory.path, "--overwrite"], target)
            #expect(again.code == 0, "\(again)")
            try check(client, keys)
            #expect(try target.disagreements(on: keys).isEmpty)
        }
    }

    /// Items are read long before they are sent where the rate is low, or the job paused.
    @Test func timeGoesOnWhileARestoreIsPaused() throws {
        let source = try cluster()
        let client = try source.client()
        let (short, long) = ((0..<300).map { "\($0 * 7919)-short" }, (0..<40).map { "\($0)-long" })
        let began = Glibc.time(nil)
        for (keys, ttl) in [(short, 15), (long, 3000)] {
            for key in keys { #expect(try client.roundTrip("set \(key) 0 \(ttl) 1\r\nx\r\n") == "STORED\r\n") }
        }
        #expect(try run(["backup", "main", directory.path], source).code == 0)

        let target = try cluster(.init(), ["sync: {rate: 5/s}"])
        #expect(try run(["restore", "main", directory.path, "--no-wait"], target).code == 0)
        let isUnderWay = try Deadline(seconds: 10).waits {
            try target.cluster.metric("drover_job_items_done{pool=\"main\"") ?? 0 > 0
        }
        #expect(isUnderWay)
        #expect(try run(["pause", "1"], target).code == 0)
        while Glibc.time(nil) < began + 17 { usleep(100_000) }
        #expect(try run(["resume", "1", "--no-wait"], target).code == 0)
        let reader = try target.client()
        let isAnyBack = try Deadline(seconds: 3).waits {
            try short.contains { try reader.roundTrip("mg \($0)\r\n") == "HD\r\n" }
        }
        #expect(!isAnyBack)
        let restored = try run(["resume", "1", "--json"], target)
        #expect(restored.code == 0 && !restored.output.contains("\"expired\": 0"), "\(restored)")
        for key in long {
            let answer = try reader.roundTrip("mg \(key) t\r\n")
            let left = Int(answer.dropFirst("HD t".count).prefix { $0.isNumber }) ?? 0
            let end = Glibc.time(nil) + left
            #expect((began + 2998...began + 3003).contains(end), "\(key): \(answer)")
        }
    }

    @Test func aPoolWithOneCopyIsSavedAndRestored() throws {
        let nodes = try (0..<2).map { _ in try MemcachedServer(.newer) }
        let cluster = try Cluster(nodes: nodes)
        let client = try cluster.client()
        try fill(client)
        func run(_ command: String) throws -> (code: Int32, output: String, error: String) {
            try ChildProcess.run([DroverProcess.binary, command, "main", directory.path, "--admin", "\(cluster.admin)"])
        }
        #expect(try run("backup").code == 0)
        for key in keys { #expect(try client.roundTrip("delete \(key)\r\n") == "DELETED\r\n") }
        let restored = try run("restore")
        #expect(restored.code == 0, "\(restored)")
        try check(client, keys)
    }

    @Test func damageIsNamedAndTheRestIsRestored() throws {
        let source = try cluster()
        try fill(source.client())
        #expect(try run(["backup", "main", directory.path], source).code == 0)
        let file = unsafe open(directory.file("0-0.blocks"), O_RDWR)
        var byte: UInt8 = 0
        #expect(unsafe pread(file, &byte, 1, 70) == 1)
        byte ^= 1
        #expect(unsafe pwrite(file, &byte, 1, 70) == 1)
        close(file)
        for key in keys { #expect(try source.client().roundTrip("delete \(key)\r\n") == "DELETED\r\n") }
        let restored = try run(["restore", "main", directory.path], source)
        #expect(restored.code == 1, "\(restored)")
        #expect(restored.output.contains("0-0.blocks: block 0 at byte 0 is damaged"), "\(restored)")
        let client = try source.client()
        let alive = try keys.filter { try client.roundTrip("mg \($0)\r\n") == "HD\r\n" }
        #expect(alive.count > 400 && alive.count < keys.count, "\(alive.count)")
        try check(client, alive)
    }

    @Test func aBackupThatWasCancelledGoesOn() throws {
        let source = try cluster(.init(), ["sync: {rate: 100/s}"])
        try fill(source.client())
        #expect(try run(["backup", "main", directory.path, "--no-wait"], source).code == 0)
        let deadline = Deadline(seconds: 20)
        while readFile(directory.file("3-0.blocks")) == nil, !deadline.hasPassed { usleep(20_000) }
        #expect(try run(["cancel", "1"], source).code == 0)
        let saved = try run(["backup", "main", directory.path, "--json"], source)
        #expect(saved.code == 0, "\(saved)")
        #expect(!saved.output.contains("\"copied\": 500"), "\(saved)")
        for key in keys { #expect(try source.client().roundTrip("delete \(key)\r\n") == "DELETED\r\n") }
        let restored = try run(["restore", "main", directory.path, "--json"], try cluster())
        #expect(restored.code == 0 && restored.output.contains("\"copied\": 500"), "\(restored)")
    }
}
