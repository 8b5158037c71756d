import ProxyConfig
import Testing

/// What is allowed and told, and that nothing is told of a plain file.
struct WarningTests {
    static let lines: [(String, [String])] = [
        ("timeout: 1s", []),
        ("timeout: 6s", ["5:14: timeout: a node that hangs keeps its clients waiting for 6s"]),
        ("timeout: 2ms", ["5:14: timeout: a short pause of a node will count as a failure"]),
        ("connect_timeout: 10s", ["5:22: connect_timeout: a node that hangs keeps its clients waiting for 10s"]),
        ("probe: {interval: 1s, max: 5m}", ["5:12: probe: a node that came back may stay unused for 5m"]),
        ("fail_after: 1", ["5:17: fail_after: one lost reply takes a node out; 3 tells a blip from a failure"]),
        ("fail_after: 200", ["5:17: fail_after: 200 requests fail before a dead node is left out"]),
        ("distribution: modula", []),
        (
            "distribution: random",
            [
                "5:19: distribution: random reads a key from another node than it was written to; "
                    + "it is for nodes that hold the same"
            ]
        ),
        (
            "distribution: least-loaded",
            ["5:19: distribution: least-loaded puts a busy key on more than one node; a write changes only one of them"]
        ),
        (
            "hash: crc16",
            [
                "5:11: hash: crc16 gives numbers below 65536, so on ketama's ring nearly all keys fall on one node; "
                    + "use fnv1a_64"
            ]
        ),
        (
            "limits: {value: 256MiB}",
            [
                "5:21: limits.value: no memcached stores items above 128MiB (-I); larger ones are refused by the node"
            ]
        ),
        ("acks: quorum", ["5:11: acks: has no effect while a key has one copy"]),
        ("read: spread", ["5:11: read: has no effect while a key has one copy"]),
        ("on_miss: next", ["5:14: on_miss: has no effect while a key has one copy"]),
        ("checks: off", ["5:13: checks: has no effect while a key has one copy"]),
        ("proxies: several", []), ("poll: 100ms", []),
        (
            "proxies: several\n    poll: 400ms",
            [
                "6:11: poll: with proxies: several a proxy that is held up for half of it uses no node for a moment"
            ]
        ),
        (
            "when_down: miss\n    proxies: several",
            ["6:14: proxies: has no effect where no other node stands in for one that is down"]
        ),
    ]

    static let copyLines: [(String, [String])] = [
        ("hedge: 1%", ["5:12: hedge: has no effect without read: fastest"]),
        ("replicas: 2", []),
        ("standby: [s:1]", []),
        (
            "replicas: 2\n    when_down: error",
            ["6:16: when_down: has no effect while a key has 2 copies; the others answer instead"]
        ),
        (
            "when_down: rehash\n    standby: [s:1]",
            ["5:16: when_down: has no effect while a key has 2 copies; the others answer instead"]
        ),
        ("replicas: 2\n    acks: quorum", ["6:11: acks: a quorum of 2 copies is both, as with all"]),
        ("replicas: 2\n    acks: quorum\n    standby: [s:1]", []),
        ("replicas: 2\n    distribution: modula", []),
        (
            "replicas: 2\n    distribution: least-loaded",
            [
                "6:19: distribution: least-loaded with copies is ketama; "
                    + "loads choose the copy that is read with read: spread"
            ]
        ),
        ("replicas: 2\n    distribution: least-loaded\n    read: spread", []),
        ("replicas: 2\n    read: fastest\n    hedge: 1%\n    on_miss: next\n    acks: one\n    min_live: 2", []),
    ]

    @Test(arguments: copyLines)
    func copies(_ line: String, _ expected: [String]) throws {
        #expect(try warnings(of: Frame.pool(line)) == expected)
    }

    @Test func zonesThatDoNotPartCopiesAreTold() throws {
        let one = Frame.zoned("timeout: 1s").replacing("zone: b", with: "zone: a")
        #expect(
            try warnings(of: one) == [
                "8:15: replicas: 2 copies on nodes in 1 zone: one that fails takes several copies of a key"
            ])
        #expect(try warnings(of: Frame.zoned("timeout: 1s").replacing(", zone: b", with: "")) == [])
        #expect(try warnings(of: "zone: a\n" + Frame.zoned("read: nearest")) == [])
        #expect(
            try warnings(of: "zone: c\n" + Frame.zoned("read: nearest")) == [
                "8:11: read: nearest finds no node in this proxy's zone, c"
            ])
    }

    @Test(arguments: lines)
    func poolLine(_ line: String, _ expected: [String]) throws {
        #expect(try warnings(of: Frame.pool(line)) == expected)
    }

    @Test func openListenersAreTold() throws {
        #expect(
            try warnings(of: Frame.listen("0.0.0.0:11311")) == [
                "3:13: listen: 0.0.0.0:11311 takes clients from every network, and memcached has no passwords; "
                    + "name one address"
            ])
        #expect(
            try warnings(of: "admin: 10.0.0.9:9411\n" + Frame.pool("timeout: 1s")) == [
                "1:8: admin: 10.0.0.9:9411 is open to other hosts and asks for no password; prefer 127.0.0.1"
            ])
    }

    @Test func oneNodeIsTold() throws {
        let text = "pools: {p: {listen: /tmp/p, nodes: [a:1]}}"
        #expect(try warnings(of: text.replacing("]}", with: "], standby: [b:1]}")) == [])
        #expect(try warnings(of: text) == ["1:36: nodes: there is one node; when it is down, the whole pool is"])
    }
}
