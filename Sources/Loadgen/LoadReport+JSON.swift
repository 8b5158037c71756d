internal import Histogram

extension LoadReport {
    /// One JSON object on one line. Latencies are nanoseconds.
    public var json: String {
        let tally = outcome.counted
        var fields: [(String, String)] = [
            ("target", quoted(targetText)),
            ("load", quoted(loadText)),
            ("connections", "\(plan.connections)"),
            ("threads", "\(plan.threads)"),
            ("depth", "\(plan.depth)"),
            ("rate", plan.rate.map { fixed($0, 3) } ?? "null"),
            ("seconds", fixed(Double(tally.elapsed) / 1e9, 6)),
            ("requests", "\(tally.answered)"),
            ("requests_per_second", fixed(requestsPerSecond, 1)),
            ("gets", "\(tally.gets)"),
            ("sets", "\(tally.sets)"),
            ("hits", "\(tally.hits)"),
            ("misses", "\(tally.misses)"),
            ("mismatched", "\(tally.mismatched)"),
            ("malformed", "\(tally.malformed)"),
            ("lost", "\(tally.lost)"),
            ("unanswered", "\(tally.unanswered)"),
            ("reordered", "\(tally.reordered)"),
            ("bytes_sent", "\(tally.bytesSent)"),
            ("bytes_received", "\(tally.bytesReceived)"),
            ("errors", object(tally.errors.map { ($0.text, "\($0.count)") })),
            ("latency", object(["get": tally.getLatency, "set": tally.setLatency, "all": tally.latency])),
        ]
        if let prefill = outcome.prefill {
            fields.append(("prefill_clean", "\(prefill.isClean)"))
            fields.append(("prefill_errors", object(prefill.errors.map { ($0.text, "\($0.count)") })))
        }
        fields.append(("clean", "\(outcome.isClean)"))
        return object(fields)
    }

    private func object(_ latencies: KeyValuePairs<String, Histogram<UInt64>>) -> String {
        object(
            latencies.map { name, latency in
                var fields = Self.percentiles.map { ($0.name, "\(latency.valueAtPercentile($0.value))") }
                fields.append(("mean", fixed(latency.mean, 1)))
                fields.append(("count", "\(latency.totalCount)"))
                return (name, object(fields))
            })
    }

    private func object(_ fields: [(String, String)]) -> String {
        "{" + fields.map { quoted($0.0) + ": " + $0.1 }.joined(separator: ", ") + "}"
    }

    /// Error texts come from the network: everything that JSON does not take as it is, is escaped.
    private func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case _ where scalar.value < 32 || scalar.value == 127:
                let hex = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
