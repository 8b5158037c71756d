/// Wrong configs and every error that each must give, as `LINE:COLUMN: message`.
enum Mistakes {
    /// Whole files.
    static let wholeFiles: [(text: String, errors: [String])] = [
        (
            "",
            ["1:1: the file is empty; a config needs at least pools: with one pool in it"]
        ),
        (
            "pools:\n",
            ["1:1: pools: has no value; give it one or remove the line"]
        ),
        (
            "workers: 2\n",
            ["1:1: there is no pools: in the file; a config needs at least one pool"]
        ),
        (
            "- a\n- b\n",
            ["1:1: the config is a list; it must be a map of workers, admin, zone, pools"]
        ),
        (
            "pools: []\n",
            ["1:8: pools: is a list; it needs a map of pools, such as main: {listen: …, nodes: …}"]
        ),
        (
            "pools: {}\n",
            ["1:8: pools: is a map; it needs a map of pools, such as main: {listen: …, nodes: …}"]
        ),
        (
            "pool:\n  main: 1\n",
            ["1:1: unknown key \"pool\" in the config; did you mean \"pools\"?"]
        ),
        (
            "workers: many\npools:\n  main:\n    listen: 127.0.0.1:11311\n    nodes: [10.0.0.1:11211, 10.0.0.2:11211]\n    timeout: 1s\n",
            ["1:10: workers: \"many\" is not a number; write auto or a number of 1 to 1024"]
        ),
        (
            "workers: 0\npools:\n  main:\n    listen: 127.0.0.1:11311\n    nodes: [10.0.0.1:11211, 10.0.0.2:11211]\n    timeout: 1s\n",
            ["1:10: workers: 0 is out of range; it may be 1 to 1024"]
        ),
        (
            "admin: nowhere\npools:\n  main:\n    listen: 127.0.0.1:11311\n    nodes: [10.0.0.1:11211, 10.0.0.2:11211]\n    timeout: 1s\n",
            ["1:8: admin: \"nowhere\" has no port; write nowhere:9411"]
        ),
        (
            "admin: unix:/run/admin.sock\npools:\n  main:\n    listen: 127.0.0.1:11311\n    nodes: [10.0.0.1:11211, 10.0.0.2:11211]\n    timeout: 1s\n",
            ["1:8: admin: a Unix socket cannot serve HTTP here; write 127.0.0.1:9411"]
        ),
        (
            "admin: 127.0.0.1:11311\npools:\n  main:\n    listen: 127.0.0.1:11311\n    nodes: [10.0.0.1:11211, 10.0.0.2:11211]\n    timeout: 1s\n",
            ["4:13: 127.0.0.1:11311 is taken by admin on line 1; use another port"]
        ),
        (
            "pools:\n  main: 3\n",
            [
                "2:9: pool \"main\" is a single value; it must be a map of listen, nodes, distribution, hash, hash_tag, replicas, standby, acks, min_live, read, hedge, on_miss, checks, when_down, proxies, timeout, connect_timeout, fail_after, probe, poll, sync, limits"
            ]
        ),
        (
            "pools:\n  main:\n    nodes: [10.0.0.1:11211]\n",
            ["2:3: pool \"main\" has no listen; add listen: 127.0.0.1:11311"]
        ),
        (
            "pools:\n  main:\n    listen: 127.0.0.1:11311\n",
            ["2:3: pool \"main\" has no nodes; add nodes: with at least one host:port"]
        ),
        (
            "pools:\n  main:\n    listen: 127.0.0.1:11311\n    nodes:\n",
            ["4:5: nodes: has no value; give it one or remove the line"]
        ),
        (
            "pools:\n  main:\n    listen: 127.0.0.1:11311\n    nodes: []\n",
            ["4:12: nodes: is empty; add at least one host:port"]
        ),
        (
            "pools:\n  main:\n    listen: 127.0.0.1:11311\n    nodes: 10.0.0.1:11211\n",
            ["4:12: nodes: is a single value; it takes a list, a line - host:port for each"]
        ),
        (
            "pools:\n  my pool: {listen: \"127.0.0.1:11311\", nodes: [\"10.0.0.1:11211\"]}\n",
            ["2:3: \"my pool\" is no name of a pool; use 1 to 64 letters, digits, - _ and ."]
        ),
        (
            "pools:\n  a: {listen: \"127.0.0.1:11311\", nodes: [\"10.0.0.1:11211\"]}\n  b: {listen: \"127.0.0.1:11311\", nodes: [\"10.0.0.1:11211\"]}\n",
            ["3:15: 127.0.0.1:11311 is taken by pool \"a\" on line 2; use another port"]
        ),
        (
            "pools:\n  a: {listen: \"0.0.0.0:11311\", nodes: [\"10.0.0.1:11211\"]}\n  b: {listen: \"127.0.0.1:11311\", nodes: [\"10.0.0.1:11211\"]}\n",
            ["3:15: 127.0.0.1:11311 overlaps 0.0.0.0:11311 by pool \"a\" on line 2; use another port"]
        ),
        (
            "pools:\n  a: {listen: \"127.0.0.1:11311\", nodes: [\"10.0.0.1:11211\"]}\n  a: {listen: \"127.0.0.1:11312\", nodes: [\"10.0.0.1:11211\"]}\n",
            ["3:3: \"a\" is here twice; the first is on line 2. Keep one"]
        ),
        (
            "pools:\n\tmain: 1\n",
            [
                "2:1: this is not YAML: found character that cannot start any token (while scanning for the next token); is it a tab? YAML indents by spaces only"
            ]
        ),
        (
            "pools: {main: [1, 2}\n",
            ["1:20: this is not YAML: did not find expected ',' or ']' (while parsing a flow sequence)"]
        ),
        (
            "pools: *nothing\n",
            ["1:8: *nothing has no &nothing before it"]
        ),
        (
            "pools: &a [*a]\n",
            ["1:12: *a is inside &a itself"]
        ),
        (
            "a: 1\n---\nb: 2\n",
            ["2:1: a second document starts here; a config is one document"]
        ),
        (
            "pools: !secret x\n",
            ["1:8: the tag !secret means nothing here; remove it"]
        ),
        (
            "? [a, b]\n: c\n",
            ["1:3: a key must be a single word"]
        ),
        (
            "clients: 3\npools:\n  main:\n    listen: 127.0.0.1:11311\n    nodes: [10.0.0.1:11211, 10.0.0.2:11211]\n    timeout: 1s\n",
            ["1:1: unknown key \"clients\" in the config; it belongs under limits:"]
        ),
    ]

    /// One line more in a right pool.
    static let poolLines: [(text: String, errors: [String])] = [
        (
            "timeot: 1s",
            ["5:5: unknown key \"timeot\" in pool \"main\"; did you mean \"timeout\"?"]
        ),
        (
            "servers: [a]",
            [
                "5:5: unknown key \"servers\" in pool \"main\"; it is twemproxy's: here it is nodes (drover check --from converts a whole file)"
            ]
        ),
        (
            "auto_eject_hosts: true",
            [
                "5:5: unknown key \"auto_eject_hosts\" in pool \"main\"; it is twemproxy's: here it is when_down: rehash or error (drover check --from converts a whole file)"
            ]
        ),
        (
            "clients: 10",
            ["5:5: unknown key \"clients\" in pool \"main\"; it belongs under limits:"]
        ),
        (
            "zzzzzzzzzz: 1",
            [
                "5:5: unknown key \"zzzzzzzzzz\" in pool \"main\"; it may be one of listen, nodes, distribution, hash, hash_tag, replicas, standby, acks, min_live, read, hedge, on_miss, checks, when_down, proxies, timeout, connect_timeout, fail_after, probe, poll, sync, limits"
            ]
        ),
        (
            "timeout: 200",
            ["5:14: timeout: 200 has no unit; write 200ms or 200s"]
        ),
        (
            "timeout: 1 fortnight",
            ["5:14: timeout: \"fortnight\" is not a unit of time; use us, ms, s, m or h"]
        ),
        (
            "timeout: soon",
            ["5:14: timeout: \"soon\" is not a duration; write it like 200ms, 1.5s or 2m"]
        ),
        (
            "timeout: 0ms",
            ["5:14: timeout: 0ms is out of range; it may be 1ms to 5m"]
        ),
        (
            "timeout: 10m",
            ["5:14: timeout: 10m is out of range; it may be 1ms to 5m"]
        ),
        (
            "timeout: -1s",
            ["5:14: timeout: \"-1s\" is not a duration; write it like 200ms, 1.5s or 2m"]
        ),
        (
            "timeout: 99999999999999999999s",
            ["5:14: timeout: 99999999999999999999s is too large"]
        ),
        (
            "timeout: [1s]",
            ["5:14: timeout: is a list; it takes a single value"]
        ),
        (
            "timeout:",
            ["5:5: timeout: has no value; give it one or remove the line"]
        ),
        (
            "connect_timeout: 1h",
            ["5:22: connect_timeout: 1h is out of range; it may be 1ms to 5m"]
        ),
        (
            "fail_after: 0",
            ["5:17: fail_after: 0 is out of range; it may be 1 to 1000"]
        ),
        (
            "fail_after: 2.5",
            ["5:17: fail_after: \"2.5\" is not a whole number"]
        ),
        (
            "probe: 1s",
            ["5:12: probe is a single value; it must be a map of interval, max"]
        ),
        (
            "probe: {interval: 1s, max: 500ms}",
            ["5:32: probe.max: is less than probe.interval, 1s; make it that or more"]
        ),
        (
            "probe: {every: 1s}",
            ["5:13: unknown key \"every\" in probe; it may be one of interval, max"]
        ),
        (
            "distribution: ketma",
            ["5:19: distribution: \"ketma\" is unknown; did you mean \"ketama\"?"]
        ),
        (
            "distribution: rendez-vous",
            ["5:19: distribution: \"rendez-vous\" is unknown; did you mean \"rendezvous\"?"]
        ),
        (
            "hash: fnv1a64",
            ["5:11: hash: \"fnv1a64\" is unknown; did you mean \"fnv1a_64\"?"]
        ),
        (
            "hash: sha1",
            [
                "5:11: hash: \"sha1\" is unknown; it may be one of one_at_a_time, md5, crc16, crc32, crc32a, fnv1_64, fnv1a_64, fnv1_32, fnv1a_32, hsieh, murmur, jenkins, xxh3"
            ]
        ),
        (
            "hash_tag: \"{\"",
            ["5:15: hash_tag: \"{\" is not two visible ASCII characters; write it like \"{}\""]
        ),
        (
            "hash_tag: é",
            ["5:15: hash_tag: \"é\" is not two visible ASCII characters; write it like \"{}\""]
        ),
        (
            "proxies: two",
            ["5:14: proxies: \"two\" is unknown; it may be one of one, several"]
        ),
        (
            "when_down: ignore",
            ["5:16: when_down: \"ignore\" is unknown; it may be one of rehash, miss, error"]
        ),
        (
            "acks: most",
            ["5:11: acks: \"most\" is unknown; it may be one of all, quorum, one"]
        ),
        (
            "on_miss: retry",
            ["5:14: on_miss: \"retry\" is unknown; it may be one of miss, next"]
        ),
        (
            "poll: 10ms",
            ["5:11: poll: 10ms is out of range; it may be 100ms to 1m"]
        ),
        (
            "limits: 5",
            [
                "5:13: limits of pool \"main\" is a single value; it must be a map of clients, key, value, pipeline, memory"
            ]
        ),
        (
            "limits: {key: 251}",
            ["5:19: limits.key: 251 is out of range; it may be 1 to 250"]
        ),
        (
            "limits: {value: 2GiB}",
            ["5:21: limits.value: 2GiB is out of range; it may be 1 to 1GiB"]
        ),
        (
            "limits: {value: 1 parsec}",
            ["5:21: limits.value: \"parsec\" is not a unit of size; use KiB, MiB, GiB, kB, MB or GB"]
        ),
        (
            "limits: {value: big}",
            ["5:21: limits.value: \"big\" is not a size; write it like 512KiB, 1MiB or 1048576"]
        ),
        (
            "limits: {clients: 0}",
            ["5:23: limits.clients: 0 is out of range; it may be 1 to 1000000"]
        ),
        (
            "limits: {memory: 100KiB}",
            ["5:22: limits.memory: 100KiB is out of range; it may be 1MiB to 1TiB"]
        ),
        (
            "limits: {pipeline: 0}",
            ["5:24: limits.pipeline: 0 is out of range; it may be 1 to 1000000"]
        ),
        (
            "limits: {items: 3}",
            [
                "5:14: unknown key \"items\" in limits of pool \"main\"; it may be one of clients, key, value, pipeline, memory"
            ]
        ),
        (
            "sync: {rate: 100}",
            ["5:18: sync.rate: \"100\" must end in /s; write it like 20000/s"]
        ),
        (
            "sync: {rate: 1MiB/s}",
            ["5:18: sync.rate: \"1MiB/s\" is not a rate; write it like 20000/s"]
        ),
        (
            "sync: {bandwidth: 10}",
            ["5:23: sync.bandwidth: \"10\" must end in /s; write it like 20MiB/s"]
        ),
        (
            "sync: {bandwidth: 1B/s}",
            ["5:23: sync.bandwidth: is out of range; it may be 1KiB/s to 64GiB/s"]
        ),
        (
            "sync: {verify: all}",
            ["5:20: sync.verify: \"all\" is unknown; did you mean \"full\"?"]
        ),
        (
            "sync: {scrub: 0/s}",
            ["5:19: sync.scrub: 0 is out of range; it may be 1 to 100000"]
        ),
        (
            "sync: {scrub: never}",
            ["5:19: sync.scrub: \"never\" must end in /s; write it like 20000/s"]
        ),
        (
            "sync: {scrub_every: 10}",
            ["5:25: sync.scrub_every: 10 has no unit; write 10ms or 10s"]
        ),
        (
            "sync: {depth: 0}",
            ["5:19: sync.depth: 0 is out of range; it may be 1 to 10000"]
        ),
        (
            "listen: 127.0.0.1:11312",
            ["5:5: \"listen\" is here twice; the first is on line 3. Keep one"]
        ),
    ]
}
