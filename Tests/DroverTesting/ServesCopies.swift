/// Whether `drover serve` takes configs with `replicas` and `standby`, and tests of copies run. DROVER_COPIES=1 runs
/// them all the same.
public let servesCopies = isServingCopies || environment("DROVER_COPIES") == "1"

private let isServingCopies = true
