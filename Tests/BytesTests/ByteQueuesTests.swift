import Bytes
import DroverTesting
import Glibc
import Testing

/// Byte queues against arrays of bytes.
@Suite struct ByteQueuesTests {
    private final class Model {
        let queues: ByteQueues
        var queue = [ByteQueue](repeating: ByteQueue(), count: 5)
        var bytes = [[UInt8]](repeating: [], count: 5)
        var open = [OpenChunk](repeating: OpenChunk(), count: 2)
        var generator: SeededGenerator

        init(limit: Int, seed: UInt64) {
            queues = ByteQueues(limit: limit)
            generator = SeededGenerator(seed: seed)
        }

        /// False when the bytes did not fit; then a part of them may be there.
        func append(_ index: Int, _ added: [UInt8], _ writer: Int) -> Bool {
            let isStored = unsafe queues.append(added.span.bytes, to: &queue[index], through: &open[writer])
            let stored = queue[index].count - bytes[index].count
            #expect(isStored ? stored == added.count : stored < added.count || added.isEmpty)
            bytes[index] += added.prefix(stored)
            return isStored
        }

        func step() {
            let index = generator.pick(queue.indices)
            switch generator.pick(0..<10) {
            case 0..<4:
                let count = generator.once(in: 8) ? 40_000 : Int.random(in: 0...70, using: &generator)
                let first = UInt8.random(in: 0...255, using: &generator)
                _ = append(index, (0..<count).map { first &+ UInt8(truncatingIfNeeded: $0) }, generator.pick(0..<2))
            case 4, 5:
                let other = (index + 1) % queue.count
                move(index, behind: other)
            case 6, 7:
                let count = Int.random(in: 0...queue[index].count, using: &generator)
                queues.consume(count, from: &queue[index])
                bytes[index].removeFirst(count)
            case 8:
                queues.clear(&queue[index])
                bytes[index] = []
            default: share(with: index)
            }
        }

        func move(_ index: Int, behind other: Int) {
            var moved = queue[index]
            queues.move(&moved, behind: &queue[other])
            #expect(moved.count == 0)
            queue[index] = moved
            bytes[other] += bytes[index]
            bytes[index] = []
        }

        /// The same bytes once more, without copying them.
        private func share(with index: Int) {
            guard open[0].position >= 10 else { return }
            let offset = open[0].position - 10
            var copy: [UInt8] = []
            queues.chunks.withBytes(of: open[0].id, offset: offset, count: 10) { span in
                for index in 0..<10 { copy.append(span.byte(at: index)) }
            }
            queues.share(open[0].id, offset: offset, count: 10, with: &queue[index])
            bytes[index] += copy
        }

        func check() {
            for index in queue.indices {
                #expect(content(queue[index]) == bytes[index], "seed \(generator.seed)")
                #expect(queue[index].count == bytes[index].count)
            }
        }

        func content(_ queue: ByteQueue) -> [UInt8] {
            var content: [UInt8] = []
            queues.forEachRun(of: queue) { run in
                unsafe run.withUnsafeBytes { unsafe content.append(contentsOf: $0) }
                return true
            }
            return content
        }

        func end() {
            for index in queue.indices { queues.clear(&queue[index]) }
            for index in open.indices { queues.close(&open[index]) }
            #expect(queues.memoryInUse == 0, "seed \(generator.seed)")
        }
    }

    @Test(arguments: [1 << 20, 128 * 1024]) func queuesHoldWhatWasPutIntoThem(limit: Int) {
        var seeds = SeededGenerator.fromEnvironment()
        for _ in 0..<20 {
            let model = Model(limit: limit, seed: seeds.next())
            for step in 0..<300 {
                model.step()
                #expect(model.queues.memoryInUse <= limit)
                if step % 10 == 0 { model.check() }
            }
            model.check()
            model.end()
        }
    }

    @Test(arguments: [0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 100]) func everyShortLengthIsCopiedWhole(count: Int) {
        let model = Model(limit: 1 << 20, seed: 1)
        let bytes = (0..<count).map { UInt8($0 + 1) }
        for _ in 0..<3 { #expect(model.append(0, bytes, 0)) }
        #expect(model.content(model.queue[0]) == bytes + bytes + bytes)
        model.end()
    }

    @Test func neighboursBecomeOneRun() {
        let model = Model(limit: 1 << 20, seed: 1)
        for queue in [0, 0, 1] { #expect(model.append(queue, [1, 2, 3], 0)) }
        model.move(1, behind: 0)
        var runs = 0
        model.queues.forEachRun(of: model.queue[0]) { _ in
            runs += 1
            return true
        }
        #expect(runs == 1 && model.queue[0].count == 9)
        model.end()
    }

    @Test func anOpenChunkIsStartedOverOnlyWhenNobodyReadsIt() {
        let model = Model(limit: 1 << 20, seed: 1)
        #expect(model.append(0, [1, 2, 3], 0))
        model.queues.rewind(&model.open[0])
        #expect(model.open[0].position == 3)
        model.queues.clear(&model.queue[0])
        model.queues.rewind(&model.open[0])
        #expect(model.open[0].position == 0)
        model.end()
    }

    @Test func aKeptRunOutlivesItsQueue() {
        let model = Model(limit: 4 * ByteQueues.chunkSize, seed: 1)
        #expect(model.append(0, Array("set a 0 0 1\r\n1\r\n".utf8), 0))
        let sent = model.queues.keep(13, ofLast: 16, in: model.open[0])
        var own = ByteRun()
        #expect(unsafe model.queues.keep(Array("touch a 1\r\n".utf8).span.bytes, in: &own, through: &model.open[0]))
        model.queues.clear(&model.queue[0])
        model.bytes[0] = []
        model.queues.rewind(&model.open[0])
        #expect(model.append(1, [1, 2, 3], 0))
        #expect(model.queues.withBytes(of: sent) { $0.isEqual(to: "set a 0 0 1\r\n", at: 0) && $0.byteCount == 13 })
        #expect(model.queues.withBytes(of: own) { $0.isEqual(to: "touch a 1\r\n", at: 0) && $0.byteCount == 11 })
        for run in [sent, own, ByteRun()] { model.queues.release(run) }
        // One that does not fit, and one where there is no memory.
        let block = [UInt8](repeating: 7, count: ByteQueues.chunkSize)
        #expect(unsafe !model.queues.keep((block + [7]).span.bytes, in: &own, through: &model.open[1]))
        while model.append(0, block, 0) {}
        var none = ByteRun()
        #expect(unsafe !model.queues.keep(block.span.bytes, in: &none, through: &model.open[1]))
        model.end()
    }

    @Test func theLimitRefusesAndClearingMakesRoom() {
        let model = Model(limit: 4 * ByteQueues.chunkSize, seed: 1)
        let block = [UInt8](repeating: 7, count: ByteQueues.chunkSize)
        var stored = 0
        while model.append(0, block, 0) { stored += 1 }
        #expect(stored == 4)
        model.queues.clear(&model.queue[0])
        model.bytes[0] = []
        #expect(model.append(0, block, 0))
        model.end()
    }

    @Test func consumingMoreThanThereIsTraps() async {
        await #expect(processExitsWith: .failure) {
            let queues = ByteQueues(limit: 1 << 20)
            var queue = ByteQueue()
            queues.consume(1, from: &queue)
        }
    }

    @Test func aVectorPointsAtTheFirstSegments() {
        let model = Model(limit: 64 << 20, seed: 1)
        let vector = SendVector()
        // Two writers in turn: no two neighbours stand side by side.
        for index in 0..<(SendVector.capacity + 10) { #expect(model.append(0, [UInt8(index % 256)], index % 2)) }
        var seen: [UInt8] = []
        let count = unsafe vector.withEntries(of: model.queue[0], in: model.queues) { entries, filled in
            for index in 0..<filled { unsafe seen.append(entries[index].iov_base.load(as: UInt8.self)) }
            return filled
        }
        #expect(count == SendVector.capacity && vector.wasFull)
        #expect(seen == Array(model.bytes[0].prefix(SendVector.capacity)))
        model.queues.consume(count, from: &model.queue[0])
        _ = unsafe vector.withEntries(of: model.queue[0], in: model.queues) { _, filled in filled }
        #expect(vector.wasFull == false)
        model.end()
    }
}
