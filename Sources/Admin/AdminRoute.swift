internal import Proxy
internal import Telemetry

/// What a path names.
enum AdminRoute: Equatable {
    case index, metrics, health, status, config
    case job(Int)
    /// What would be done there, as far as the path tells: the query may tell more.
    case command(JobCommand)

    /// nil when nothing has that path.
    init?(_ path: String) {
        // A name may have an encoded slash in it, so the path is parted first.
        var parts: [String] = []
        for part in path.split(separator: "/", omittingEmptySubsequences: false).dropFirst() {
            guard let decoded = PercentCoding.decode(part) else { return nil }
            parts.append(decoded)
        }
        switch parts.count {
        case 1:
            switch parts[0] {
            case "": self = .index
            case "metrics": self = .metrics
            case "healthz": self = .health
            default: return nil
            }
        case 2 where parts == ["api", "status"]: self = .status
        case 2 where parts == ["api", "config"]: self = .config
        case 2 where parts == ["api", "reload"]: self = .command(.reload)
        case 3... where parts[0] == "api" && parts[1] == "jobs":
            guard let job = Int(parts[2]) else { return nil }
            self.init(job: job, parts[3...])
        case 4... where parts[0] == "api" && parts[1] == "pools": self.init(pool: parts[2], parts[3...])
        default: return nil
        }
    }

    private init?(job: Int, _ rest: ArraySlice<String>) {
        switch rest {
        case []: self = .job(job)
        case ["pause"]: self = .command(.pause(job: job))
        case ["resume"]: self = .command(.resume(job: job))
        case ["cancel"]: self = .command(.cancel(job: job))
        default: return nil
        }
    }

    private init?(pool: String, _ rest: ArraySlice<String>) {
        if rest == ["backup"] {
            self = .command(.backup(pool: pool, path: ""))
        } else if rest == ["restore"] {
            self = .command(.restore(pool: pool, path: "", overwrite: false))
        } else if rest == ["verify"] {
            self = .command(.verify(pool: pool, repair: false, sample: 1))
        } else if rest.count == 3, rest.first == "nodes", rest.last == "sync" {
            self = .command(.sync(pool: pool, node: rest[rest.startIndex + 1]))
        } else if rest.count == 3, rest.first == "nodes", rest.last == "drain" {
            self = .command(.drain(pool: pool, node: rest[rest.startIndex + 1]))
        } else {
            return nil
        }
    }
}
