import Bytes
import DroverTesting
import Testing

@testable import Archive

/// What is written is read, and what is damaged is named, whatever the damage.
struct BlockTests {
    private let directory: TemporaryDirectory
    private let few: [Sample]

    init() throws {
        directory = try TemporaryDirectory()
        var generator = SeededGenerator(seed: 5)
        few = (0..<6).map { Sample.random($0, valueLimit: 40, &generator) }
    }

    @Test func whatIsWrittenIsRead() throws {
        var generator = SeededGenerator.fromEnvironment()
        for round in 0..<20 {
            let (limit, most) = round == 0 ? (1 << 20, 3) : generator.pick([(0, 60), (1000, 60), (100_000, 5)])
            let samples = (0..<Int.random(in: 0...most, using: &generator)).map {
                Sample.random($0, valueLimit: limit, &generator)
            }
            let bytes = try blocks(of: samples, perBlock: generator.pick([1, 7, .max])).flatMap { $0 }
            let reading = try Reading(bytes, in: directory)
            #expect(reading.samples == samples, "seed \(generator.seed), round \(round)")
            #expect(reading.damage.isEmpty, "seed \(generator.seed), round \(round)")
        }
    }

    /// Only items of other blocks come, and they all do.
    @Test func everyByteThatIsChangedIsNoticed() throws {
        let parts = try blocks(of: few, perBlock: 2)
        let whole = parts.flatMap { $0 }
        for place in whole.indices {
            for change: UInt8 in [0x01, 0x80, 0xff] {
                var bytes = whole
                bytes[place] ^= change
                let reading = try Reading(bytes, in: directory)
                #expect(!reading.damage.isEmpty, "byte \(place)")
                let hit = Self.block(of: place, in: parts)
                let left = few.enumerated().filter { $0.offset / 2 != hit }.map(\.element)
                #expect(reading.samples == left, "byte \(place)")
                let names = reading.damage.contains { damage in
                    switch damage {
                    case .block(let number, let records, at: _): number == hit && records == 2
                    case .missing(let numbers): numbers.contains(UInt32(hit))
                    case .cutOff: hit == parts.count - 1
                    default: false
                    }
                }
                #expect(names, "byte \(place): \(reading.damage)")
            }
        }
    }

    @Test func everyEndThatIsTooEarlyIsNoticed() throws {
        let parts = try blocks(of: few, perBlock: 2)
        let whole = parts.flatMap { $0 }
        for length in 0..<whole.count {
            let reading = try Reading(Array(whole[..<length]), in: directory)
            #expect(reading.damage.last == .cutOff(at: length))
            let hit = Self.block(of: length, in: parts)
            #expect(reading.samples == Array(few.prefix(2 * hit)), "cut at \(length)")
        }
    }

    /// Bytes are lost or come in between, anywhere: all other blocks are read.
    @Test func bytesThatAreMissingOrTooManyCostOneBlock() throws {
        var generator = SeededGenerator.fromEnvironment()
        let parts = try blocks(of: few, perBlock: 2)
        let whole = parts.flatMap { $0 }
        for round in 0..<300 {
            let place = Int.random(in: whole.indices, using: &generator)
            let hit = Self.block(of: place, in: parts)
            var bytes = whole
            if generator.once(in: 2) {
                bytes.remove(at: place)
            } else {
                let more = (0..<Int.random(in: 1...200, using: &generator)).map { _ in
                    UInt8.random(in: 0...255, using: &generator)
                }
                bytes.insert(contentsOf: more, at: place)
            }
            let reading = try Reading(bytes, in: directory)
            #expect(!reading.damage.isEmpty, "seed \(generator.seed), round \(round)")
            let others = few.enumerated().filter { $0.offset / 2 != hit }.map(\.element)
            #expect(reading.samples.filter(others.contains) == others, "seed \(generator.seed), round \(round)")
        }
    }

    @Test func aBlockThatIsMissingIsNamed() throws {
        var parts = try blocks(of: few, perBlock: 1)
        parts.removeSubrange(2...3)
        let reading = try Reading(parts.flatMap { $0 }, in: directory)
        #expect(reading.samples == [few[0], few[1], few[4], few[5]])
        #expect(reading.damage == [.missing(2..<4)])
        let last = try Reading((parts.prefix(3) + parts.suffix(1)).flatMap { $0 }, in: directory)
        #expect(last.damage == [.missing(2..<4), .missing(5..<6)])
    }

    @Test func aBlockThatComesTwiceIsReadOnce() throws {
        let parts = try blocks(of: few, perBlock: 3)
        let reading = try Reading((parts.prefix(1) + parts).flatMap { $0 }, in: directory)
        #expect(reading.samples == few)
        #expect(reading.damage == [.repeated(0, at: parts[0].count)])
    }

    /// A client may put a block into a value. When the block around it is damaged, it does not count.
    @Test func aBlockOfAnotherBackupIsNone() throws {
        let planted = [Sample(key: Array("planted".utf8), flags: 0, expiry: -1, value: [1])]
        let foreign = try blocks(of: planted, backup: 8)[0]
        let bytes = try blocks(of: few, perBlock: 3)
        let reading = try Reading(bytes[0] + foreign + bytes[1] + bytes[2], in: directory)
        #expect(reading.samples == few)
        #expect(reading.damage == [.bytes(bytes[0].count..<(bytes[0].count + foreign.count))])
    }

    @Test func garbageIsNamedAndTheRestRead() throws {
        var generator = SeededGenerator.fromEnvironment()
        let garbage = (0..<300_000).map { _ in UInt8.random(in: 0...255, using: &generator) }
        let parts = try blocks(of: few, perBlock: 3)
        let reading = try Reading(garbage + parts.flatMap { $0 }, in: directory)
        #expect(reading.samples == few)
        #expect(reading.damage == [.bytes(0..<garbage.count)], "seed \(generator.seed)")
        #expect(try Reading(garbage, in: directory).damage == [.bytes(0..<garbage.count), .cutOff(at: garbage.count)])
    }

    private static func block(of place: Int, in parts: [[UInt8]]) -> Int {
        var end = 0
        return parts.firstIndex { part in
            end += part.count
            return place < end
        } ?? parts.count
    }
}
