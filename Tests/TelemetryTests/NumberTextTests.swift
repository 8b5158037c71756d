import Testing

@testable import Telemetry

@Suite struct NumberTextTests {
    @Test(arguments: [(0, "0"), (999, "999"), (1000, "1,000"), (-1_234_567, "-1,234,567"), (100_000, "100,000")])
    func thousandsAreGrouped(number: Int, text: String) {
        #expect(NumberText.grouped(number) == text)
    }

    @Test(
        arguments: [
            (0, 2, "0.00"), (1.005, 1, "1.0"), (-0.04, 1, "0.0"), (-1.25, 0, "-1"), (12.96, 1, "13.0"),
            (0.05, 3, "0.050"),
            (.infinity, 1, "inf"), (1e300, 1, "1e+300"),
        ] as [(Double, Int, String)])
    func fractionsAreRounded(number: Double, places: Int, text: String) {
        #expect(NumberText.fixed(number, places) == text)
    }

    /// "100 %" is all, nothing less.
    @Test(
        arguments: [
            (0, "0 %"), (0.57, "57 %"), (2.0 / 3, "66.7 %"), (0.99999, "99.9 %"), (1, "100 %"), (-1, "0 %"),
            (1e300, "1000 %"), (.nan, "? %"),
        ] as [(Double, String)])
    func sharesAreShown(share: Double, text: String) {
        #expect(NumberText.percent(share) == text)
    }

    @Test(
        arguments: [
            (0.44, "0.4 s"), (9.96, "10.0 s"), (27.4, "27 s"), (59.7, "1 min 0 s"), (192, "3 min 12 s"),
            (7512, "2 h 5 min"), (273_600, "3 d 4 h"), (-1, "?"), (.infinity, "?"), (1e300, "?"),
        ] as [(Double, String)])
    func timesAreShown(seconds: Double, text: String) {
        #expect(NumberText.duration(seconds) == text)
    }

    @Test(
        arguments: [
            (512, "512 B"), (1024, "1.0 KiB"), (100_000_000, "95.4 MiB"), (1e15, "909.5 TiB"), (.infinity, "inf TiB"),
        ] as [(Double, String)])
    func bytesAreShown(count: Double, text: String) {
        #expect(NumberText.bytes(count) == text)
    }
}
