import DroverTesting

/// Plays the same streams to two servers and shrinks the first that they answer differently.
struct Differential: Sendable {
    /// A lone memcached.
    let reference: ServerAddress
    let tested: ServerAddress
    /// Makes the stream of a seed.
    let makeStream: @Sendable (_ seed: UInt64) -> Stream
    /// Others use the servers too: they may not be emptied, so a failing stream is shown as it is.
    var isShared = false
    var isBetweenMemcacheds = false

    /// What differs among that many streams, shrunk and with its seed; nil when nothing does. It stops at the first
    /// difference, or at as many as DROVER_DIFFERENCES says.
    func differences(seed: UInt64, streams: Int) throws -> String? {
        var found: [String] = []
        let wanted = environment("DROVER_DIFFERENCES").flatMap(Int.init) ?? 1
        for number in 0..<UInt64(streams) where found.count < wanted {
            let stream = makeStream(seed &+ number)
            guard let first = try difference(stream) else { continue }
            let (smallest, difference) = isShared || stream.flushesLater ? (stream, first) : try shrunk(stream, first)
            found.append(
                """
                stream of seed \(seed &+ number) (DROVER_SEED=\(seed &+ number) DROVER_STREAMS=1):
                \(smallest.text)
                \(difference)
                """)
        }
        return found.isEmpty ? nil : found.joined(separator: "\n\n")
    }

    private func difference(_ stream: Stream) throws -> String? {
        let start = Deadline.now()
        let transcripts = (try play(stream, on: reference), try play(stream, on: tested))
        var comparison = ReplyComparison(
            isBetweenMemcacheds: isBetweenMemcacheds, seconds: Deadline.seconds(since: start))
        return comparison.difference(transcripts.0, transcripts.1, of: stream)
    }

    /// Drops batches and commands as long as a difference remains.
    private func shrunk(_ stream: Stream, _ first: String) throws -> (Stream, String) {
        guard var found = try differenceFromEmpty(stream) else {
            return (
                stream,
                "\(first)\nunsteady: it was not seen again when the stream was played once more to empty servers"
            )
        }
        var smallest = stream
        let deadline = Deadline(seconds: 60)
        var step = max(stream.batches.map(\.commands.count).max() ?? 1, 1)
        while step >= 1 && !deadline.hasPassed {
            var shrank = false
            for (batch, index) in places(smallest, step: step) where !deadline.hasPassed {
                guard batch < smallest.batches.count else { continue }
                var candidate = smallest
                let count = candidate.batches[batch].commands.count
                guard index < count else { continue }
                candidate.batches[batch].commands.removeSubrange(index..<min(index + step, count))
                if candidate.batches[batch].commands.isEmpty && candidate.batches.count > 1 {
                    candidate.batches.remove(at: batch)
                }
                // What both refuse to end has lost its own end.
                if let difference = try differenceFromEmpty(candidate), !difference.hasPrefix("both failed") {
                    (smallest, found, shrank) = (candidate, difference, true)
                }
            }
            if !shrank { step /= 2 }
        }
        return (smallest, found)
    }

    private func places(_ stream: Stream, step: Int) -> [(Int, Int)] {
        stream.batches.indices.reversed().flatMap { batch in
            stride(from: 0, to: stream.batches[batch].commands.count, by: step).reversed().map { (batch, $0) }
        }
    }

    private func differenceFromEmpty(_ stream: Stream) throws -> String? {
        for address in [reference, tested] { _ = try RawClient(address).roundTrip("flush_all\r\n") }
        return try difference(stream)
    }
}
