import DroverTesting

/// Plays drawn commands on one connection and checks their replies.
final class ModelClient {
    private let client: RawClient
    private var generator: ModelGenerator
    private var replies: ModelReplies<RawClient>

    init(_ client: RawClient, _ generator: ModelGenerator) {
        (self.client, self.generator) = (client, generator)
        replies = ModelReplies(client)
    }

    /// Sends that many commands, some at once, some each after the reply to the one before.
    func play(commands: Int) throws {
        var left = commands
        while left > 0 {
            let batch = (0..<min(left, generator.random.pick([1, 1, 1, 4, 16, 40]))).map { _ in generator.command() }
            left -= batch.count
            try client.send(batch.map(\.text).joined() + "mn\r\n")
            for command in batch { try replies.check(command) }
            try replies.checkMark()
            generator.cas = replies.cas
        }
    }
}
