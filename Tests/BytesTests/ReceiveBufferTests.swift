import Bytes
import DroverTesting
import Testing

@Suite struct ReceiveBufferTests {
    private func fill(_ buffer: inout ReceiveBuffer, _ bytes: [UInt8]) -> Int {
        unsafe buffer.fill { memory, room in
            let count = min(room, bytes.count)
            for index in 0..<count { unsafe memory.storeBytes(of: bytes[index], toByteOffset: index, as: UInt8.self) }
            return count
        }
    }

    private func content(_ buffer: borrowing ReceiveBuffer) -> [UInt8] {
        let span = buffer.unread
        return (0..<span.byteCount).map { span.byte(at: $0) }
    }

    @Test func bytesComeOutAsTheyWentIn() {
        var generator = SeededGenerator.fromEnvironment()
        var buffer = ReceiveBuffer(capacity: 16)
        var model: [UInt8] = []
        for step in 0..<2000 {
            if generator.once(in: 2) {
                guard buffer.makeRoom(limit: 256) else {
                    #expect(model.count == 256)
                    buffer.consume(200)
                    model.removeFirst(200)
                    continue
                }
                let bytes = (0..<Int.random(in: 1...40, using: &generator)).map { UInt8(truncatingIfNeeded: $0 + step) }
                model += bytes.prefix(fill(&buffer, bytes))
            } else {
                let count = Int.random(in: 0...model.count, using: &generator)
                buffer.offer { _ in count }
                model.removeFirst(count)
            }
            #expect(content(buffer) == model, "DROVER_SEED=\(generator.seed)")
            #expect(buffer.count == model.count && buffer.capacity <= 256)
        }
    }

    @Test func aReadThatBringsNothingChangesNothing() {
        var buffer = ReceiveBuffer(capacity: 16)
        #expect(unsafe buffer.fill { _, _ in -1 } == -1)
        #expect(buffer.isEmpty && buffer.room == 16)
    }

    @Test func anotherBuffersBytesAreTakenOver() {
        var buffer = ReceiveBuffer(capacity: 4)
        var other = ReceiveBuffer(capacity: 64)
        let bytes = (0..<50).map { UInt8($0) }
        #expect(fill(&other, bytes) == 50)
        other.consume(10)
        buffer.take(from: &other)
        #expect(content(buffer) == Array(bytes.dropFirst(10)))
        #expect(other.isEmpty == true)
    }

    @Test func usingMoreThanThereIsTraps() async {
        await #expect(processExitsWith: .failure) {
            var buffer = ReceiveBuffer(capacity: 16)
            buffer.consume(1)
        }
    }

    @Test func pooledBuffersComeBackEmptyAndSmall() {
        var pool = BufferPool(capacity: 16, spare: 1)
        let first = pool.take()
        let second = pool.take()
        #expect(first != second)
        pool.with(first) { buffer in
            #expect(fill(&buffer, [1, 2, 3]) == 3)
        }
        pool.giveBack(first)
        #expect(pool.take() == first)
        pool.with(first) { buffer in
            #expect(buffer.isEmpty == true)
            buffer.reserve(100)
        }
        pool.giveBack(first)
        let third = pool.take()
        pool.with(third) { #expect($0.capacity == 16) }
    }
}
