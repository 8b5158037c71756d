import Testing

@testable import Telemetry

@Suite struct LatencyHistogramTests {
    @Test func everyEdgeIsExact() {
        for index in 1..<184 {
            let edge = LatencyHistogram.upperEdge(ofBucket: index - 1)
            #expect(LatencyHistogram.bucket(ofMicrosecond: edge) == index)
            #expect(LatencyHistogram.bucket(ofMicrosecond: edge - 1) == index - 1)
        }
        #expect(LatencyHistogram.upperEdge(ofBucket: 183) == 1 << 25)
        #expect(LatencyHistogram.bucket(ofMicrosecond: .max) == 183)
    }

    @Test func bucketsAreAnEighthWideAtMost() {
        for index in 16..<184 {
            let lower = LatencyHistogram.upperEdge(ofBucket: index - 1)
            let width = LatencyHistogram.upperEdge(ofBucket: index) - lower
            #expect(width * 8 <= lower)
        }
        #expect(MemoryLayout<LatencyHistogram>.size < 1536)
    }

    @Test func quantilesOfEvenLatenciesAreWithinAnEighth() {
        var histogram = LatencyHistogram()
        for microsecond in 1...10_000 as ClosedRange<UInt64> { histogram.record(nanoseconds: microsecond * 1000) }
        #expect(histogram.count == 10_000)
        #expect(histogram.sum == 10_000 * 10_001 / 2 * 1000)
        for (part, exact) in [(0.5, 5_000_000.0), (0.9, 9_000_000), (0.99, 9_900_000), (1, 10_000_000)] {
            let measured = Double(histogram.quantile(part))
            #expect(measured >= exact && measured <= exact * 1.126, "\(part): \(measured)")
        }
    }

    @Test(arguments: [(-1.0, 1000), (0.0, 1000), (2.0, 33_554_432_000)] as [(Double, UInt64)])
    func quantileIsKeptInItsRange(part: Double, expected: UInt64) {
        var histogram = LatencyHistogram()
        #expect(histogram.quantile(part) == 0)
        histogram.record(nanoseconds: 0)
        histogram.record(nanoseconds: .max)
        #expect(histogram.quantile(part) == expected)
    }

    @Test func countsBelowPowersOfTwo() {
        var histogram = LatencyHistogram()
        for microsecond in [0, 7, 8, 63, 64, 65, 1023, 1024] as [UInt64] {
            histogram.record(nanoseconds: microsecond * 1000)
        }
        let counts = [3, 4, 6, 7, 10, 11, 24].map { histogram.count(belowPowerOfTwo: $0) }
        #expect(counts == [2, 3, 4, 6, 7, 8, 8])
    }

    @Test func mergedIsAsRecordedInOne() {
        var one = LatencyHistogram()
        var parts = [LatencyHistogram(), LatencyHistogram()]
        for step in 0..<1000 as Range<UInt64> {
            let latency = step * step * 997
            one.record(nanoseconds: latency)
            parts[Int(step % 2)].record(nanoseconds: latency)
        }
        parts[0].merge(parts[1])
        #expect(parts[0].sum == one.sum)
        #expect(parts[0].count == 1000)
        for exponent in 3...24 {
            #expect(parts[0].count(belowPowerOfTwo: exponent) == one.count(belowPowerOfTwo: exponent))
        }
    }
}
