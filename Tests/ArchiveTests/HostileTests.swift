import Bytes
import DroverTesting
import Testing

@testable import Archive

/// Blocks whose checksums are right, and whose contents are not.
struct HostileTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// - Parameter change: of the raw records before they are packed.
    private static func block(
        _ raw: [UInt8], records: UInt32 = 1, rawLength: Int? = nil, packedLength: Int? = nil, number: UInt32 = 0
    ) throws -> [UInt8] {
        guard let packed = Zstd().packed(raw) else { throw TestFailure("no memory") }
        var bytes: [UInt8] = []
        unsafe BlockHeader(
            .records, number: number, records: records, rawLength: rawLength ?? raw.count,
            packedLength: packedLength ?? packed.count, backup: 7,
            bodyChecksum: BlockHeader.checksum(packed.span.bytes)
        ).append(to: &bytes)
        return bytes + packed
    }

    private static func record(keyLength: Int, expiry: Int64 = -1, valueLength: Int) -> [UInt8] {
        var bytes = [UInt8(keyLength)]
        bytes.append(number: 0, count: 4)
        bytes.append(number: UInt64(bitPattern: expiry), count: 8)
        bytes.append(number: UInt64(valueLength), count: 4)
        return bytes + Array(repeating: 0x6b, count: 20)
    }

    @Test(arguments: [
        record(keyLength: 0, valueLength: 20), record(keyLength: 251, valueLength: 0),
        record(keyLength: 1, valueLength: 20), record(keyLength: 1, valueLength: 18),
        record(keyLength: 1, valueLength: 0xffff_ffff), record(keyLength: 1, valueLength: (1 << 30) + 1),
        record(keyLength: 10, expiry: -2, valueLength: 10), record(keyLength: 10, expiry: .min, valueLength: 10),
    ])
    func recordsThatMakeNoSenseAreDamage(raw: [UInt8]) throws {
        let reading = try Reading(Self.block(raw), in: directory)
        #expect(reading.samples.isEmpty)
        #expect(reading.damage.first == .block(0, records: 1, at: 0))
    }

    @Test func aNumberOfRecordsThatIsWrongIsDamage() throws {
        let raw = Self.record(keyLength: 10, valueLength: 10)
        #expect(try Reading(Self.block(raw, records: 2), in: directory).damage.first == .block(0, records: 2, at: 0))
        let twice = try Reading(Self.block(raw + raw, records: 1), in: directory)
        #expect(twice.damage.first == .block(0, records: 1, at: 0))
        #expect(try Reading(Self.block(raw), in: directory).samples.count == 1)
    }

    @Test func lengthsThatAreWrongAreDamage() throws {
        let raw = Self.record(keyLength: 10, valueLength: 10)
        for length in [raw.count - 1, raw.count + 1, 1 << 29] {
            let reading = try Reading(Self.block(raw, rawLength: length), in: directory)
            #expect(reading.samples.isEmpty)
            #expect(reading.damage.first == .block(0, records: 1, at: 0))
        }
        let good = try Self.block(raw, number: 1)
        for length in [1 << 20, BlockHeader.packedLimit] {
            let reading = try Reading(Self.block(raw, packedLength: length) + good, in: directory)
            #expect(reading.samples.count == 1)
            #expect(reading.damage.first == .block(0, records: 1, at: 0))
        }
    }

    @Test func headersBeyondAllBoundsAreNone() throws {
        let raw = Self.record(keyLength: 10, valueLength: 10)
        let blocks = try [
            Self.block(raw, rawLength: BlockHeader.rawLimit + 1), Self.block(raw, rawLength: Int(UInt32.max)),
            Self.block(raw, packedLength: BlockHeader.packedLimit + 1),
            Self.block(raw, packedLength: Int(UInt32.max)), Self.block(raw, records: 0),
            Self.block(raw, records: .max), Self.block(raw, number: .max),
        ]
        for block in blocks {
            let reading = try Reading(block, in: directory)
            #expect(reading.samples.isEmpty)
            #expect(reading.damage == [.bytes(0..<block.count), .cutOff(at: block.count)])
        }
    }

    /// The header's other fields, and its length, are as in this version.
    @Test func aLaterVersionIsNamed() throws {
        let raw = Self.record(keyLength: 10, valueLength: 10)
        var later = try Self.block(raw)
        later[8] = 2
        var sum: [UInt8] = []
        unsafe sum.append(number: BlockHeader.checksum(later.span.bytes.extracting(0..<48)), count: 8)
        later.replaceSubrange(48..<56, with: sum)
        let reading = try Reading(later + Self.block(raw, number: 1), in: directory)
        #expect(reading.samples.count == 1)
        #expect(reading.damage.first == .unknownVersion(2, at: 0))
    }

    /// As a file may have any bytes behind a magic.
    @Test func bytesAtRandomNeverTrap() throws {
        var generator = SeededGenerator.fromEnvironment()
        let rounds = environment("DROVER_ROUNDS").flatMap { Int($0) } ?? 2000
        for _ in 0..<rounds {
            let bytes = (0..<Int.random(in: 0...80, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            let span = unsafe bytes.span.bytes
            for start in -1...bytes.count { _ = ArchiveRecord(span, at: start) }
            if !bytes.isEmpty {
                _ = BlockParser.next(span, left: bytes.count, backup: nil)
                _ = BlockParser.next(span, left: bytes.count + 100, backup: 7)
            }
            _ = Zstd().unpacked(span, count: 100)
            _ = try? ArchiveManifest(bytes, name: "manifest")
        }
    }
}
