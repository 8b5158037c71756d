/// How keys are spread, as the config names it.
public enum DistributionKind: String, Sendable, CaseIterable {
    case ketama, modula, random, jump, rendezvous, maglev
    case leastLoaded = "least-loaded"
}
