extension Mistakes {
    /// One line more, or several, in a right pool of two nodes.
    static let copies: [(text: String, errors: [String])] = [
        ("replicas: 3", ["5:15: replicas: 3 copies need as many nodes, and the pool has 2"]),
        ("replicas: 0", ["5:15: replicas: 0 is out of range; it may be 1 to 8"]),
        ("replicas: 9", ["5:15: replicas: 9 is out of range; it may be 1 to 8"]),
        ("replicas: none", ["5:15: replicas: \"none\" is not a whole number"]),
        ("replicas: [2]", ["5:15: replicas: is a list; it takes a single value"]),
        ("standby: 10.0.1.1:11211", ["5:14: standby: is a single value; it takes a list, a line - host:port for each"]),
        ("standby: [10.0.1.1]", ["5:15: standby: \"10.0.1.1\" has no port; write 10.0.1.1:11211"]),
        ("standby: [{weight: 2}]", ["5:15: standby: a node has no address; add address: host:port"]),
        (
            "standby: [10.0.0.1:11211]",
            ["5:15: 10.0.0.1:11211 is here twice, first on line 4; a standby must be another memcached than its nodes"]
        ),
        (
            "standby: [10.0.1.1:11211, 10.0.1.1:11211]",
            ["5:31: 10.0.1.1:11211 is here twice, first on line 5; give a node more keys by its weight"]
        ),
        (
            "standby: [\"10.0.1.1:11211:1 10.0.0.1\"]",
            ["5:15: the name \"10.0.0.1\" is taken by the node on line 4; names must differ"]
        ),
        (
            "standby: [127.0.0.1:11311]",
            ["5:15: 127.0.0.1:11311 is this pool's own listener; name the memcached behind it"]
        ),
        ("min_live: 2", ["5:15: min_live: 2 is more than a key has copies, 1"]),
        ("min_live: 0", ["5:15: min_live: 0 is out of range; it may be 1 to 8"]),
        ("replicas: 2\n    min_live: 3", ["6:15: min_live: 3 is more than a key has copies, 2"]),
        ("standby: [s:1]\n    min_live: 3", ["6:15: min_live: 3 is more than a key has copies, 2"]),
        ("replicas: 2\n    standby: [s:1]\n    min_live: 3", []),
        ("read: nearest", ["5:11: read: nearest needs a zone: on the nodes; write {address: …, zone: …}"]),
        ("read: fast", ["5:11: read: \"fast\" is unknown; it may be one of primary, spread, nearest, fastest"]),
        ("checks: 0/s", ["5:13: checks: 0 is out of range; it may be 1 to 1000"]),
        ("checks: 1001/s", ["5:13: checks: 1001 is out of range; it may be 1 to 1000"]),
        ("checks: 10", ["5:13: checks: \"10\" must end in /s; write it like 20000/s"]),
        ("checks: never", ["5:13: checks: \"never\" must end in /s; write it like 20000/s"]),
        ("replicas: 2\n    checks: off", []),
        ("hedge: 0%", ["5:12: hedge: 0% is out of range; it may be 0.01% to 100%"]),
        ("hedge: 0.001%", ["5:12: hedge: 0.001% is out of range; it may be 0.01% to 100%"]),
        ("hedge: 101%", ["5:12: hedge: 101% is out of range; it may be 0.01% to 100%"]),
        ("hedge: 5", ["5:12: hedge: \"5\" is not a share; write it like 5%"]),
        ("hedge: 9999999999999999999%", ["5:12: hedge: 9999999999999999999% is too large"]),
        (
            "zone: a",
            [
                "5:5: unknown key \"zone\" in pool \"main\"; it belongs to a node, or at the top of the file where it is this proxy's own"
            ]
        ),
        (
            "distribution: random\n    replicas: 2",
            [
                "5:19: distribution: random takes another node for a key each time, so its copies could not be found; use ketama"
            ]
        ),
        (
            "standby: [s:1]\n    distribution: random",
            [
                "6:19: distribution: random takes another node for a key each time, so its copies could not be found; use ketama"
            ]
        ),
        (
            "distribution: modula\n    standby: [\(heavy)]",
            ["6:14: standby: weights add up to 1100000; with modula at most 1000000"]
        ),
    ]

    private static let heavy = (1...11).map { "s\($0):1:100000" }.joined(separator: ", ")

    /// Whole files.
    static let copyFiles: [(text: String, errors: [String])] = [
        (
            "replicas: 2\n" + Frame.pool("timeout: 1s"),
            ["1:1: unknown key \"replicas\" in the config; it belongs to a pool, under pools:"]
        ),
        (
            "zone: a b\n" + Frame.pool("timeout: 1s"),
            ["1:7: zone: \"a b\" is no name: names have no spaces or control characters"]
        ),
        ("zone:\n" + Frame.pool("timeout: 1s"), ["1:1: zone: has no value; give it one or remove the line"]),
        (
            Frame.zoned("read: nearest"),
            [
                "7:11: read: nearest needs this proxy's own zone; write zone: at the top of the file, or start it with --zone"
            ]
        ),
        ("zone: a\n" + Frame.zoned("read: nearest"), []),
        (
            Frame.nodes(8, "replicas: 8\n    standby: [s:1]"),
            ["5:15: replicas: 8 and the standby's make 9 copies; at most 8 can be"]
        ),
        (Frame.nodes(7, "replicas: 7\n    standby: [s:1]\n    min_live: 8"), []),
        (Frame.nodes(2, "replicas: 2") + Frame.secondPool(nodes: ["m:1", "m:2"]), []),
        (Frame.nodes(2, "replicas: 1") + Frame.secondPool(nodes: ["n2:1", "n1:1"]), []),
        (
            Frame.nodes(2, "replicas: 2") + Frame.secondPool(nodes: ["m:1", "n1:1"]),
            ["8:18: n1:1 is a node of pool \"main\" too, on line 4; a pool with copies needs nodes of its own"]
        ),
        (
            Frame.nodes(2, "standby: [s:1]") + Frame.secondPool(nodes: ["s:1"]),
            ["8:13: s:1 is a node of pool \"main\" too, on line 5; a pool with copies needs nodes of its own"]
        ),
    ]
}
