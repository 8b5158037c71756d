extension Mistakes {
    /// The second of two nodes.
    static let nodes: [(text: String, errors: [String])] = [
        (
            "10.0.0.2",
            ["6:9: nodes: \"10.0.0.2\" has no port; write 10.0.0.2:11211"]
        ),
        (
            "10.0.0.2:0",
            ["6:9: nodes: port 0 is out of range; ports are 1 to 65535"]
        ),
        (
            "10.0.0.2:65536",
            ["6:9: nodes: port 65536 is out of range; ports are 1 to 65535"]
        ),
        (
            "10.0.0.2:port",
            ["6:9: nodes: \"10.0.0.2:port\" has \"port\" for a port; a port is a number of 1 to 65535"]
        ),
        (
            "10.0.0.300:11211",
            ["6:9: nodes: \"10.0.0.300\" is not an IPv4 address: four numbers of 0 to 255"]
        ),
        (
            "10.0.0.2:11211:0",
            ["6:9: nodes: weight 0 is out of range; weights are 1 to 100000"]
        ),
        (
            "10.0.0.2:11211:heavy",
            ["6:9: nodes: \"heavy\" is not a weight; a weight is a whole number from 1"]
        ),
        (
            "10.0.0.2:11211:1:2",
            ["6:9: nodes: \"10.0.0.2:11211:1:2\" has too many parts; a node is host:port:weight name"]
        ),
        (
            "10.0.0.2:11211:200000 b",
            ["6:9: nodes: weight 200000 is out of range; weights are 1 to 100000"]
        ),
        (
            "\":11211\"",
            ["6:9: nodes: \":11211\" has no host before the colon"]
        ),
        (
            "ho$t:11211",
            ["6:9: nodes: \"ho$t\" is not a host name or an IP address"]
        ),
        (
            "::1:11211",
            ["6:9: nodes: \"::1:11211\" looks like IPv6; put the address in brackets: [::1]:11211"]
        ),
        (
            "\"[::1:11211\"",
            ["6:9: nodes: \"[::1:11211\" has [ without ]; write [::1]:11211"]
        ),
        (
            "\"[fe80]:11211\"",
            ["6:9: nodes: \"fe80\" is not an IPv6 address"]
        ),
        (
            "10.0.0.1:11211",
            ["6:9: 10.0.0.1:11211 is here twice, first on line 5; give a node more keys by its weight"]
        ),
        (
            "10.0.0.2:11211:1 10.0.0.1",
            ["6:9: the name \"10.0.0.1\" is taken by the node on line 5; names must differ"]
        ),
        (
            "127.0.0.1:11311",
            ["6:9: 127.0.0.1:11311 is this pool's own listener; name the memcached behind it"]
        ),
        (
            "{weight: 2}",
            ["6:9: nodes: a node has no address; add address: host:port"]
        ),
        (
            "{address: 10.0.0.2}",
            ["6:19: address: \"10.0.0.2\" has no port; write 10.0.0.2:11211"]
        ),
        (
            "{address: \"10.0.0.2:11211\", wieght: 2}",
            ["6:37: unknown key \"wieght\" in a node; did you mean \"weight\"?"]
        ),
        (
            "{address: \"10.0.0.2:11211\", name: \"a b\"}",
            ["6:43: name: \"a b\" is no name: names have no spaces or control characters"]
        ),
        (
            "unix:memcached.sock",
            ["6:9: nodes: the path \"memcached.sock\" must start with /"]
        ),
        (
            "/tmp/a.sock:x",
            ["6:9: nodes: \"x\" is not a weight; a weight is a whole number from 1"]
        ),
        (
            "\"unix:/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
            ["6:9: nodes: the path has 111 bytes; the kernel takes at most 107"]
        ),
        (
            "[10.0.0.2, 11211]",
            ["6:9: nodes: is a list; it takes a single value"]
        ),
        (
            "",
            ["6:8: nodes: is empty; give it a value or remove the line"]
        ),
    ]

    /// What a pool listens on.
    static let listeners: [(text: String, errors: [String])] = [
        (
            "11311",
            ["3:13: listen: 11311 has no host; write 127.0.0.1:11311"]
        ),
        (
            "cache.example:11311",
            ["3:13: listen: \"cache.example\" is a name; listen on an IP address of this host, or 127.0.0.1"]
        ),
        (
            "127.0.0.1",
            ["3:13: listen: \"127.0.0.1\" has no port; write 127.0.0.1:11311"]
        ),
        (
            "[127.0.0.1:11311, 127.0.0.1:11311]",
            ["3:31: 127.0.0.1:11311 is taken by pool \"main\" on line 3; use another port"]
        ),
        (
            "[]",
            ["3:13: listen: has 0 addresses; it takes 1 to 64"]
        ),
        (
            "{a: b}",
            ["3:13: listen: is a map; it takes a single value"]
        ),
        (
            "\"*:11311\"",
            ["3:13: listen: * is no address; write 0.0.0.0 for every one"]
        ),
        (
            "[127.0.0.1:11311, ~]",
            ["3:31: listen: is empty; give it a value or remove the line"]
        ),
    ]
}
