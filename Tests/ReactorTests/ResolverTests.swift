import Testing

@testable import Reactor

@Suite struct ResolverTests {
    /// Turns the loop until the answer has come.
    private static func resolve(_ host: String) -> Result<[String], ResolveError>? {
        let loop = EventLoop()
        let resolver = Resolver(on: loop)
        var answer: Result<[String], ResolveError>?
        resolver.resolve(host) { answer = $0 }
        let end = EventLoop.monotonicNow() + 30_000_000_000
        while answer == nil, EventLoop.monotonicNow() < end { loop.turn(until: end) }
        #expect(resolver.pendingCount == 0)
        return answer
    }

    @Test(arguments: [
        ("localhost", "127.0.0.1"), ("LOCALHOST", "127.0.0.1"), ("127.0.0.1", "127.0.0.1"), ("::1", "::1"),
        ("192.0.2.7", "192.0.2.7"), ("2001:db8::1", "2001:db8::1"),
    ])
    func whatNeedsNoServer(host: String, literal: String) throws {
        let addresses = try #require(try Self.resolve(host)?.get())
        #expect(addresses.first == literal)
    }

    @Test(arguments: ["", String(repeating: "x", count: 254), "a\0b"])
    func whatIsNoNameIsRefused(host: String) {
        #expect(Self.resolve(host) == .failure(ResolveError(description: "not a host name")))
    }

    @Test func anAnswerMayAskTheNextQuestion() {
        let loop = EventLoop()
        let resolver = Resolver(on: loop)
        var answers: [String] = []
        resolver.resolve("192.0.2.1") { first in
            answers += (try? first.get()) ?? []
            resolver.resolve("192.0.2.2") { answers += (try? $0.get()) ?? [] }
        }
        resolver.resolve("192.0.2.3") { answers += (try? $0.get()) ?? [] }
        #expect(answers == ["192.0.2.1", "192.0.2.2", "192.0.2.3"])
    }

    /// Counts its lives.
    private final class Witness {
        let tell: () -> Void
        init(_ tell: @escaping () -> Void) { self.tell = tell }
        deinit { tell() }
    }

    /// Nobody may be told after the resolver is gone, and what the question held must be let go.
    @Test func questionsEndWithTheResolver() {
        var ended = 0
        var answered = 0
        do {
            let loop = EventLoop()
            let silent = FakeNameserver(on: loop)
            let resolver = Resolver(on: loop, nameserver: silent.address)
            for number in 0..<10 {
                let witness = Witness { ended += 1 }
                resolver.resolve("node\(number).drover.invalid") { _ in
                    answered += 1
                    _ = witness
                }
            }
            loop.poll()
            #expect(resolver.pendingCount == 10)
        }
        #expect(ended == 10)
        #expect(answered == 0)
    }

    @Test(
        arguments: [
            ([192, 0, 2, 9], .success(["192.0.2.9"])),
            (nil, .failure(ResolveError(description: "nodename nor servname provided, or not known"))),
        ] as [([UInt8]?, Result<[String], ResolveError>)])
    func aServerIsAsked(answer: [UInt8]?, expected: Result<[String], ResolveError>) {
        let loop = EventLoop()
        let server = FakeNameserver(on: loop)
        let resolver = Resolver(on: loop, nameserver: server.address)
        // Twice: the second round reads the files anew.
        for _ in 0..<2 {
            var result: Result<[String], ResolveError>?
            resolver.resolve("node.drover.test") { result = $0 }
            #expect(result == nil, "nothing is at hand")
            let end = EventLoop.monotonicNow() + 15_000_000_000
            while result == nil, EventLoop.monotonicNow() < end {
                loop.turn(until: end)
                for index in 0..<loop.readyCount where loop.ready(at: index).token == FakeNameserver.token {
                    server.answerOne(with: answer)
                }
            }
            #expect(result == expected)
        }
        #expect(server.asked.count >= 4, "A and AAAA, twice")
        #expect(Set(server.asked) == ["node.drover.test"])
    }
}
