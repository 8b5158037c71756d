import DroverTesting
import Testing

/// What `drover lookup`, `check` and `serve` say of copies.
struct CommandLineTests {
    private static let pools = """
        pools:
          main:
            listen: 127.0.0.1:1
            nodes:
              - {address: "10.0.0.1:11211", name: a1, zone: a}
              - {address: "10.0.0.2:11211", name: a2, zone: a}
              - {address: "10.0.0.3:11211", name: b1, zone: b}
            standby: ["10.0.9.1:11211:1 s1"]
            hash: xxh3

        """
    private static let copies = pools + "    replicas: 2\n    acks: quorum\n"

    private func run(_ arguments: [String], _ config: String) throws -> (code: Int32, output: String, error: String) {
        let directory = try TemporaryDirectory()
        let file = directory.file("c.yml")
        try writeFile(file, config)
        return try ChildProcess.run([DroverProcess.binary] + arguments.map { $0 == "FILE" ? file : $0 })
    }

    @Test func lookupShowsCopiesInOrder() throws {
        let found = try run(["lookup", "-c", "FILE", "main", "user:1", "user:2"], Self.copies)
        #expect(found.code == 0 && found.error == "")
        #expect(
            found.output
                == """
                user:1 b1 10.0.0.3:11211 b nodes a1 10.0.0.1:11211 a nodes s1 10.0.9.1:11211 - standby
                user:2 a2 10.0.0.2:11211 a nodes b1 10.0.0.3:11211 b nodes s1 10.0.9.1:11211 - standby

                """.replacing(" ", with: "\t"))
        let first = try run(["lookup", "-c", "FILE", "main", "user:1", "--depth", "1"], Self.copies)
        #expect(first.output == "user:1 b1 10.0.0.3:11211 b nodes\n".replacing(" ", with: "\t"))
    }

    /// The format for pools without copies stays as it was.
    @Test func lookupOfOneCopyShowsNamesAndAddresses() throws {
        let plain = Self.pools.split(separator: "\n").filter { !$0.contains("standby") }.joined(separator: "\n")
        let found = try run(["lookup", "-c", "FILE", "main", "user:1", "--depth", "2"], plain)
        #expect(found.output.split(separator: "\t").count == 5, "\(found)")
    }

    @Test func checkSaysWhatWritesAndReadsAsk() throws {
        let found = try run(["check", "FILE"], Self.copies + "    min_live: 2\n    read: fastest\n    hedge: 2.5%\n")
        #expect(found.code == 0)
        let lines = found.output.split(separator: "\n").dropLast()
        #expect(
            lines == [
                "pool main: 127.0.0.1:1 -> 3 nodes and 1 standby, ketama, xxh3",
                "  3 copies of a key: 2 on the nodes (2 zones), 1 on the standby",
                "  a write is answered when 2 copies have it, or all that live, refused with fewer than 2 live",
                "  a read asks the first live copy; a second one too where it is slow, for 2.50% at most",
            ])
    }

    @Test func aZoneOnTheCommandLineIsTheProxys() throws {
        let config = Self.copies + "    read: nearest\n"
        #expect(try run(["check", "FILE"], config).code == 78)
        let found = try run(["check", "FILE", "--zone", "b"], config)
        #expect(found.code == 0 && found.output.contains("a read asks a copy in zone b, if one lives\n"), "\(found)")
        #expect(try run(["check", "FILE", "--zone", "b c"], config).code == 64)
    }

    @Test func devTakesNoMoreCopiesThanNodes() throws {
        let found = try run(["dev", "--nodes", "2", "--replicas", "3"], "")
        #expect(found.code == 64)
        #expect(found.error.contains("--replicas 3: as many nodes are needed"), "\(found.error)")
    }

    @Test func lookupSaysWhatAChangeMoves() throws {
        let directory = try TemporaryDirectory()
        let (old, new) = (directory.file("old.yml"), directory.file("new.yml"))
        try writeFile(old, Self.copies)
        try writeFile(new, Self.copies.replacing("a1, zone: a}", with: "a1, zone: a}\n      - \"10.0.0.4:11211:1 a4\""))
        let same = try ChildProcess.run([DroverProcess.binary, "lookup", "--moved", old, old])
        #expect(same == (0, "pool main: no key moves\n", ""))
        let found = try ChildProcess.run([DroverProcess.binary, "lookup", "--moved", old, new])
        #expect(found.code == 0 && found.output.contains("% of its keys are read from another node\n"), "\(found)")
        #expect(found.output.contains(" -> a4  "), "\(found)")
        #expect(try ChildProcess.run([DroverProcess.binary, "lookup", "--moved", old]).code == 64)
    }
}
