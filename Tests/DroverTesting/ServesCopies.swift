/// Whether `drover serve` takes configs with `replicas` and `standby`, and tests of copies run. DROVER_COPIES=1 runs
/// them all the same.
public let servesCopies = isServingCopies || environment("DROVER_COPIES") == "1"

/// Whether what `on_miss: next` finds is written back to the copies that lacked it.
public let fillsBack = environment("DROVER_COPIES") == "1"

private let isServingCopies = true
