import Testing

@testable import Telemetry

@Suite struct StatsMergerTests {
    private static func merged(_ topic: StatsTopic, _ replies: String...) -> [String] {
        let text = StatsMerger.merge(replies.map { Array($0.utf8) }, topic: topic)
        return String(decoding: text, as: UTF8.self).split(separator: "\r\n").map(String.init)
    }

    @Test(arguments: [
        ("curr_items", "2", "3", "5"), ("cmd_get", "0", "7", "7"),
        ("limit_maxbytes", "67108864", "67108864", "134217728"),
        ("a_counter_of_tomorrow", "1", "2", "3"), ("a_word_of_tomorrow", "yes", "no", "yes"),
        ("mixed", "1", "x", "1"), ("mixed", "x", "1", "x"), ("negative", "-1", "-2", "-1"),
        ("evictions", "18446744073709551615", "1", "18446744073709551615"),
        ("pid", "15", "16", "15"), ("version", "1.6.18", "1.6.38", "1.6.18"), ("pointer_size", "64", "64", "64"),
        ("uptime", "100", "5", "5"), ("time", "1700000001", "1700000002", "1700000002"),
        ("threads", "4", "8", "8"), ("accepting_conns", "1", "0", "0"), ("hash_power_level", "16", "20", "20"),
        ("rusage_user", "1.999999", "0.000002", "2.000001"), ("rusage_user", "1.5", "2.000000", "1.5"),
        ("rusage_system", "18446744073709551615.000000", "1.000000", "18446744073709551615.000000"),
    ])
    func general(name: String, first: String, second: String, expected: String) {
        let lines = Self.merged(.general, "STAT \(name) \(first)\r\nEND\r\n", "STAT \(name) \(second)\r\nEND\r\n")
        #expect(lines == ["STAT \(name) \(expected)", "END"])
    }

    @Test(
        arguments: [
            (StatsTopic.settings, "maxbytes", "1", "2", "3"), (.settings, "tcpport", "11211", "11212", "11211"),
            (.settings, "item_size_max", "1048576", "524288", "524288"),
            (.settings, "inter", "127.0.0.1", "::1", "127.0.0.1"),
            (.items, "items:1:number", "1", "2", "3"), (.items, "items:1:age", "10", "20", "20"),
            (.items, "items:1:evicted_time", "0", "20", "20"), (.items, "items:1:evicted_time", "30", "20", "20"),
            (.slabs, "1:chunk_size", "96", "96", "96"), (.slabs, "1:chunks_per_page", "10922", "10922", "10922"),
            (.slabs, "1:used_chunks", "1", "2", "3"), (.slabs, "total_malloced", "1", "2", "3"),
            (.slabs, "active_slabs", "2", "3", "3"), (.sizes, "96", "1", "2", "3"),
            (.sizes, "sizes_status", "disabled", "disabled", "disabled"),
            (.other, "26:secs_since_last_cmd", "1", "2", "1"), (.other, "extstore_limit", "1", "2", "3"),
        ] as [(StatsTopic, String, String, String, String)])
    func topics(topic: StatsTopic, name: String, first: String, second: String, expected: String) {
        let lines = Self.merged(topic, "STAT \(name) \(first)\r\nEND\r\n", "STAT \(name) \(second)\r\nEND\r\n")
        #expect(lines == ["STAT \(name) \(expected)", "END"])
    }

    @Test func threeNodesAdd() {
        let reply = "STAT bytes 10\r\nSTAT mixed 1\r\nEND\r\n"
        let lines = Self.merged(.general, reply, "STAT mixed x\r\nSTAT bytes 10\r\nEND\r\n", reply)
        #expect(lines == ["STAT bytes 30", "STAT mixed 1", "END"])
    }

    @Test func classesStandInOrderAndTotalsLast() {
        let lines = Self.merged(
            .slabs, "STAT 1:a 1\r\nSTAT 7:a 1\r\nSTAT active_slabs 2\r\nEND\r\n",
            "STAT 1:a 1\r\nSTAT 5:a 1\r\nSTAT 5:b 1\r\nSTAT 10:a 1\r\nSTAT active_slabs 3\r\nEND\r\n")
        #expect(
            lines == [
                "STAT 1:a 2", "STAT 5:a 1", "STAT 5:b 1", "STAT 7:a 1", "STAT 10:a 1", "STAT active_slabs 3", "END",
            ])
    }

    @Test(arguments: [
        "", "END\r\n", "SERVER_ERROR node is down\r\n", "STAT\r\nEND\r\n", "STAT  5\r\nEND\r\n", "\r\n\r\n",
        "STATS a 1\r\n",
    ])
    func whatIsNoStatIsLeftOut(reply: String) {
        #expect(Self.merged(.general, reply, "STAT a 1\r\nEND\r\n") == ["STAT a 1", "END"])
    }

    @Test func valuesKeepTheirBlanksAndMayBeEmpty() {
        #expect(
            Self.merged(.settings, "STAT a b  c\r\nSTAT d \r\nSTAT e\r\n") == [
                "STAT a b  c", "STAT d ", "STAT e ", "END",
            ])
    }

    @Test func namesAreBounded() {
        var merger = StatsMerger(topic: .general)
        merger.add(Array((0..<70_000).map { "STAT n\($0) 1\r\n" }.joined().utf8))
        let lines = String(decoding: merger.text(), as: UTF8.self).split(separator: "\r\n")
        #expect(lines.count == StatsMerger.nameLimit + 1)
    }

    @Test func ownValuesReplaceTheNodes() {
        var merger = StatsMerger(topic: .general)
        merger.add(Array("STAT pid 7\r\nEND\r\n".utf8))
        merger.set("pid", "1")
        merger.set("threads", "2")
        merger.add(Array("STAT pid 8\r\nSTAT threads 4\r\nEND\r\n".utf8))
        #expect(String(decoding: merger.text(), as: UTF8.self) == "STAT pid 1\r\nSTAT threads 2\r\nEND\r\n")
    }

    @Test func everyByteStringIsMerged() {
        // Any bytes at all: no trap, and what comes out is lines of STAT and one END.
        var seed: UInt64 = 42
        for _ in 0..<2000 {
            var reply: [UInt8] = []
            for _ in 0..<Int(seed >> 58) {
                seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                reply +=
                    [Array("STAT ".utf8), [UInt8(seed >> 56)], Array("items:".utf8), Array("\r\n".utf8)][
                        Int(seed >> 40) & 3]
            }
            seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            for topic in [StatsTopic.general, .items, .slabs, .sizes, .settings, .other] {
                let text = StatsMerger.merge([reply, reply], topic: topic)
                #expect(text.suffix(5).elementsEqual("END\r\n".utf8))
            }
        }
    }
}

@Suite struct NodeStatsTextTests {
    @Test func aLineForEachFieldOfEachNode() {
        var stats = NodeStats()
        stats.requests = 3
        stats.inFlight = 1
        stats.errors.count(.timeout)
        stats.latency.record(nanoseconds: 100_000)
        let pool = PoolView(
            name: "main",
            nodes: [NodeView(name: "127.0.0.1:11211", state: .up), NodeView(name: "bad name\r\n", state: .down)])
        let text = String(decoding: pool.nodeStatsText([stats]), as: UTF8.self)
        let lines = text.split(separator: "\r\n").map(String.init)
        #expect(lines.first == "STAT node:127.0.0.1:11211:state up")
        for line in [
            "STAT node:127.0.0.1:11211:requests 3", "STAT node:127.0.0.1:11211:in_flight 1",
            "STAT node:127.0.0.1:11211:errors_timeout 1", "STAT node:127.0.0.1:11211:latency_p50_us 104",
            "STAT node:bad_name__:state down", "STAT node:bad_name__:requests 0",
        ] {
            #expect(lines.contains(line), "\(line)")
        }
        #expect(lines.last == "END")
        #expect(lines.dropLast().allSatisfy { $0.split(separator: " ").count == 3 })
    }
}
