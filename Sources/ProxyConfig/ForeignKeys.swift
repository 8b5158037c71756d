/// Keys that people bring along from twemproxy or from another level of this file, and where they belong.
enum ForeignKeys {
    static func hint(_ key: String) -> String? {
        if let ours = twemproxy[key] {
            return "it is twemproxy's: here it is \(ours) (drover check --from converts a whole file)"
        }
        return levels[key].map { "it belongs \($0)" }
    }

    private static let twemproxy = [
        "servers": "nodes",
        "auto_eject_hosts": "when_down: rehash or error",
        "server_failure_limit": "fail_after",
        "server_retry_timeout": "probe: {interval: …}",
        "client_connections": "limits: {clients: …}",
    ]

    private static let levels = [
        "listen": "to a pool, under pools:", "nodes": "to a pool, under pools:",
        "distribution": "to a pool, under pools:", "hash": "to a pool, under pools:",
        "replicas": "to a pool, under pools:", "standby": "to a pool, under pools:",
        "acks": "to a pool, under pools:", "min_live": "to a pool, under pools:", "read": "to a pool, under pools:",
        "hedge": "to a pool, under pools:", "on_miss": "to a pool, under pools:",
        "zone": "to a node, or at the top of the file where it is this proxy's own",
        "interval": "under probe:", "max": "under probe:",
        "rate": "under sync:", "bandwidth": "under sync:", "depth": "under sync:", "verify": "under sync:",
        "order": "under sync:", "scrub": "under sync:", "scrub_every": "under sync:",
        "clients": "under limits:", "key": "under limits:", "value": "under limits:", "pipeline": "under limits:",
        "memory": "under limits:",
        "workers": "at the top of the file, beside pools:", "admin": "at the top of the file, beside pools:",
    ]
}
