/// Keys that people bring along from twemproxy or from another level of this file, and where they belong.
enum ForeignKeys {
    static func hint(_ key: String) -> String? {
        if let ours = twemproxy[key] {
            return "it is twemproxy's: here it is \(ours) (drover check --from converts a whole file)"
        }
        return levels[key].map { "it belongs under \($0):" }
    }

    private static let twemproxy = [
        "servers": "nodes",
        "auto_eject_hosts": "when_down: rehash or error",
        "server_failure_limit": "fail_after",
        "server_retry_timeout": "probe: {interval: …}",
        "client_connections": "limits: {clients: …}",
    ]

    private static let levels = [
        "listen": "pools: and the name of a pool", "nodes": "pools: and the name of a pool",
        "distribution": "pools: and the name of a pool", "hash": "pools: and the name of a pool",
        "interval": "probe", "max": "probe",
        "rate": "sync", "bandwidth": "sync", "depth": "sync", "verify": "sync", "order": "sync",
        "clients": "limits", "key": "limits", "value": "limits", "pipeline": "limits", "memory": "limits",
        "workers": "the top of the file, beside pools", "admin": "the top of the file, beside pools",
    ]
}
