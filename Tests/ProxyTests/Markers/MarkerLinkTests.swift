import DroverTesting
import MemcacheProtocol
import Reactor
import Testing

@testable import Proxy

/// Commands on markers, and their answers.
struct MarkerLinkTests {
    private static let patience: UInt64 = 60_000_000_000

    /// The control thread was held up for longer than the timeout, and all of a long answer is there: it counts.
    @Test func aLongAnswerThatIsThereCounts() throws {
        let value = String(repeating: "v", count: 28_000)
        let node = ScriptedNode { line in
            switch line {
            case "version": "VERSION 1.6.38\r\n"
            case "mg k v": "VA \(value.utf8.count)\r\n\(value)\r\n"
            default: "HD\r\n"
            }
        }
        let loop = EventLoop()
        var lost: [MarkerLink.Loss] = []
        let link = MarkerLink(node: 0, on: loop, timeout: Self.patience, connectTimeout: Self.patience) {
            lost.append($0)
        }
        link.connect(to: node.address)
        var (found, last) = (0, false)
        link.ask(Array("mg k v\r\n".utf8), .metaGet) { found = $0?.value.count ?? 0 }
        link.ask(Array("md k\r\n".utf8), .metaDelete) { last = $0?.code == .hd }
        link.flush()
        // When it has answered another twice that came later, it has answered this one.
        let other = MarkerLink(node: 1, on: loop, timeout: Self.patience, connectTimeout: Self.patience) { _ in }
        other.connect(to: node.address)
        for _ in 0..<2 {
            var isAnswered = false
            other.ask(Array("version\r\n".utf8), .version) { _ in isAnswered = true }
            other.flush()
            while !isAnswered {
                loop.turn(until: EventLoop.monotonicNow() + Self.patience)
                for index in 0..<loop.readyCount where loop.ready(at: index).token == MarkerLink.token | 1 {
                    other.ready(loop.ready(at: index).what)
                }
            }
        }
        link.expire(now: .max - 1)
        #expect(found == value.utf8.count && last && lost.isEmpty, "\(found) bytes, \(lost)")
    }
}
