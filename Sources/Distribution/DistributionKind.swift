/// How keys are spread over members, as the config names it. `Distributor` says where each algorithm comes from.
public enum DistributionKind: String, Sendable, CaseIterable {
    case ketama, modula, random, jump, rendezvous, maglev
    case leastLoaded = "least-loaded"
}
