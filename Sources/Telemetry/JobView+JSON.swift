extension JobView {
    public var json: JSONValue {
        [
            "id": .integer(id), "kind": .string(kind), "pool": .string(pool), "node": .optional(node),
            "state": .string(state.rawValue), "phase": .string(phase), "outcome": .string(outcome),
            "started": .count(started), "seconds": .number(seconds), "done": .integer(done), "known": .integer(known),
            "rate": .number(rate), "halvings": .integer(halvings), "seconds_left": .optional(secondsLeft),
            "report": .object(report.map { JSONValue.Member($0.name, .optional($0.value)) }),
        ]
    }

    /// What `json` has written; nil where it lacks something.
    public init?(_ json: JSONValue) {
        guard let id = json["id"]?.asInteger, let kind = json["kind"]?.asString, let pool = json["pool"]?.asString,
            let state = json["state"]?.asString.flatMap({ State(rawValue: $0) }),
            let phase = json["phase"]?.asString, let outcome = json["outcome"]?.asString,
            let started = json["started"]?.asInteger.flatMap({ UInt64(exactly: $0) }),
            let seconds = json["seconds"]?.asDouble, let done = json["done"]?.asInteger,
            let known = json["known"]?.asInteger, let rate = json["rate"]?.asDouble,
            let halvings = json["halvings"]?.asInteger, case .object(let report)? = json["report"]
        else { return nil }
        self.init(id: id, kind: kind, pool: pool, node: json["node"]?.asString, started: started)
        (self.state, self.phase, self.outcome, self.seconds) = (state, phase, outcome, seconds)
        (self.done, self.known, self.rate, self.halvings) = (max(0, done), max(0, known), rate, halvings)
        self.report = report.compactMap { member in
            member.value == .null ? (member.name, nil) : member.value.asDouble.map { (member.name, $0) }
        }
    }
}
