import Bytes
import DroverTesting
import Glibc

@testable import Archive

/// An item as tests hold it.
struct Sample: Hashable {
    var key: [UInt8]
    var flags: UInt32
    var expiry: Int64
    var value: [UInt8]

    /// - Parameter valueLimit: bytes of the value at most.
    static func random(_ number: Int, valueLimit: Int, _ generator: inout SeededGenerator) -> Sample {
        let long = generator.once(in: 20)
        let name = Array("\(number):".utf8)
        let rest = Int.random(in: 0...(long ? 250 - name.count : 20), using: &generator)
        func bytes(_ count: Int) -> [UInt8] {
            // Half of them well compressible.
            let byte = UInt8.random(in: 0...255, using: &generator)
            if generator.once(in: 2) { return Array(repeating: byte, count: count) }
            return (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
        }
        return Sample(
            key: name + bytes(rest), flags: UInt32.random(in: 0...(.max), using: &generator),
            expiry: generator.once(in: 3) ? -1 : Int64.random(in: 0...(1 << 40), using: &generator),
            value: bytes(Int.random(in: 0...valueLimit, using: &generator)))
    }
}

/// The blocks of a file, the end included.
func blocks(of samples: [Sample], backup: UInt64 = 7, perBlock: Int = .max) throws -> [[UInt8]] {
    var builder = BlockBuilder(backup: backup)
    var blocks: [[UInt8]] = []
    var count = 0
    for sample in samples {
        unsafe builder.append(
            sample.key.span.bytes, flags: sample.flags, expiry: sample.expiry, valueLength: sample.value.count
        ) { $0 += sample.value }
        count += 1
        if builder.isFull || count % perBlock == 0 {
            guard let block = builder.takeBlock() else { throw TestFailure("no memory for a block") }
            blocks.append(block)
        }
    }
    if !builder.isEmpty {
        guard let block = builder.takeBlock() else { throw TestFailure("no memory for a block") }
        blocks.append(block)
    }
    return blocks + [builder.end()]
}

/// What reading a file gave.
struct Reading {
    var samples: [Sample] = []
    var damage: [ArchiveDamage] = []

    init(_ bytes: [UInt8], in directory: TemporaryDirectory, backup: UInt64? = 7) throws {
        let path = directory.file("read")
        // Not by the writer, which waits for the disk.
        let file = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        defer { close(file) }
        let count = unsafe bytes.withUnsafeBytes { unsafe write(file, $0.baseAddress, $0.count) }
        guard count == bytes.count else { throw TestFailure("write: errno \(errno)") }
        try self.init(file: path, backup: backup)
    }

    init(file path: String, backup: UInt64?) throws {
        let reader = try ArchiveReader(path, backup: backup)
        while let item = try reader.next() {
            switch item {
            case .damage(let damage): self.damage.append(damage)
            case .block(let block):
                block.forEach { record, bytes in
                    samples.append(
                        Sample(
                            key: Self.bytes(bytes, record.key), flags: record.flags, expiry: record.expiry,
                            value: Self.bytes(bytes, record.value)))
                }
            }
        }
    }

    private static func bytes(_ bytes: RawSpan, _ range: ByteRange) -> [UInt8] {
        (range.start..<range.end).map { bytes.byte(at: $0) }
    }
}
