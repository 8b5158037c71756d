import DroverTesting

/// One command as it goes over the wire, with places where the last CAS number seen for a key is to be filled in.
struct StreamCommand {
    enum Piece: Equatable {
        case bytes([UInt8])
        /// The last number seen for that key; each side fills in its own.
        case cas(key: String)
    }

    var pieces: [Piece]

    init(_ text: String) {
        pieces = [.bytes(Array(text.utf8))]
    }

    init(pieces: [Piece]) {
        self.pieces = pieces
    }

    var isFlush: Bool { bytes(cas: [:]).starts(with: "flush_all".utf8) }

    private func padded(_ number: String) -> String {
        String(repeating: "0", count: max(0, 20 - number.utf8.count)) + number
    }

    func bytes(cas: [String: String]) -> [UInt8] {
        pieces.flatMap { piece in
            switch piece {
            case .bytes(let bytes): bytes
            // Always as long: where a broken line makes it a part of a data block, its length decides what follows.
            case .cas(let key): Array(padded(cas[key] ?? unknownCAS).utf8)
            }
        }
    }
}

/// Commands that go out without waiting for replies, cut into pieces at random places.
struct StreamBatch {
    enum Ending {
        /// The client waits for the reply of an `mn` behind the commands.
        case noop
        /// The client says that it sends no more, and reads until it is closed: for what leaves the reader mid-way.
        case endOfInput
        /// The commands themselves end the connection; the client reads until it is closed.
        case closes
    }

    var commands: [StreamCommand]
    var ending: Ending
    /// Decides the cuts.
    var cutSeed: UInt64
}

/// What one client does from its first byte to its last.
struct Stream {
    let seed: UInt64
    var batches: [StreamBatch]

    /// A delayed flush takes an immediate one back: the servers are not empty for the next stream.
    var flushesLater: Bool {
        batches.contains { $0.commands.contains { $0.bytes(cas: [:]).starts(with: "flush_all 5000".utf8) } }
    }

    /// For a report: each command on a line of its own.
    var text: String {
        batches.map { batch in
            let lines = batch.commands.map { command in
                "    "
                    + command.pieces.map { piece in
                        switch piece {
                        case .bytes(let bytes): quoted(bytes)
                        case .cas(let key): "<last cas of \(quoted(key.utf8))>"
                        }
                    }.joined(separator: " ")
            }
            return (lines + ["    -- \(batch.ending)"]).joined(separator: "\n")
        }.joined(separator: "\n")
    }
}

/// One side's answer to a stream.
struct Transcript {
    /// One element a batch.
    var replies: [[UInt8]] = []
    /// Why a batch did not end as it should have; nil when all did.
    var failure: String?
}

/// Plays the stream on a connection of its own.
func play(_ stream: Stream, on address: ServerAddress) throws -> Transcript {
    // A busy machine may stand still for seconds.
    let client = try RawClient(address, patience: 20)
    var transcript = Transcript()
    var cas: [String: String] = [:]
    for batch in stream.batches {
        var random = SeededGenerator(seed: batch.cutSeed)
        var bytes = batch.commands.flatMap { $0.bytes(cas: cas) }
        if batch.ending == .noop { bytes += Array("mn\r\n".utf8) }
        do {
            try send(bytes, inPiecesFrom: &random, wholly: batch.ending == .closes, to: client)
        } catch {
            // The server closed on us; what it said before that is in the reply.
        }
        if batch.ending == .endOfInput { client.finishSending() }
        do {
            let reply = try batch.ending == .noop ? readThroughNoops(client, sent: bytes) : client.readToEnd()
            transcript.replies.append(reply)
            noteCAS(in: reply, &cas)
        } catch {
            transcript.failure = "\(error)"
            return transcript
        }
    }
    return transcript
}

private func send(
    _ bytes: [UInt8], inPiecesFrom random: inout SeededGenerator, wholly: Bool, to client: RawClient
) throws {
    let cuts = wholly || bytes.count < 2 ? 0 : random.pick([0, 0, 1, 3, 10])
    var marks = (0..<cuts).map { _ in Int.random(in: 1..<bytes.count, using: &random) }
    marks = [0] + marks.sorted() + [bytes.count]
    for (from, to) in zip(marks, marks.dropFirst()) where from < to {
        try client.send(Array(bytes[from..<to]))
    }
}

/// Reads until each line `mn` in the bytes was answered; no value contains one, nor its answer.
private func readThroughNoops(_ client: RawClient, sent: [UInt8]) throws -> [UInt8] {
    var reply: [UInt8] = []
    for _ in 0..<countOccurrences(of: "\nmn\r\n", in: [10] + sent) { reply += try client.read(through: "MN\r\n") }
    return reply
}
