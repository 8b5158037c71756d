/// Whether `drover serve` takes configs with `replicas` and `standby`, and tests of copies run. DROVER_COPIES=1 runs
/// them all the same.
public let servesCopies = isServingCopies || environment("DROVER_COPIES") == "1"

/// Whether a pool with copies answers everything as one memcached does: a `ma` with `q` and `N` that makes its item is
/// not told.
public let copiesAnswerAlike = environment("DROVER_COPIES") == "1"

private let isServingCopies = true
