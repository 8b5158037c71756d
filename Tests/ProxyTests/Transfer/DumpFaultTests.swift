import DroverTesting
import ProxyCore
import Testing

@testable import Proxy

/// Dumps that are refused, put off, cut short or nonsense: a pass over them ends, and says why.
@Suite(.serialized)
struct DumpFaultTests {
    /// A copy pass from one scripted node to another.
    private func run(
        _ pass: FillingPlan.Pass = .copy(number: 1), source: ScriptedNode, target: ScriptedNode? = nil,
        timeout: UInt64 = 5_000_000_000
    ) throws -> PassEnd {
        let pass = ScriptedPass(pass, source: source, target: target, timeout: timeout)
        defer { pass.thread.stop() }
        return try pass.end()
    }

    private func source(_ dump: @escaping @Sendable (Int) -> String?) -> ScriptedNode {
        let asked = SharedBox(0)
        return ScriptedNode(
            ScriptedNode.facts { line in
                guard line.hasPrefix("lru_crawler") else { return "EN\r\n" }
                if line == "lru_crawler enable" { return "OK\r\n" }
                return dump(
                    asked.withValue { number in
                        number += 1
                        return number
                    })
            })
    }

    private static let line = "key=a exp=-1 la=1 cas=1 fetch=no cls=1 size=60\n"

    @Test func aBusyNodeIsAskedAgain() throws {
        let source = source {
            switch $0 {
            case 1: "BUSY currently processing crawler request\r\n"
            case 2: "OK\r\nERROR locked try again later\r\n"
            default: "OK\r\n\(Self.line)END\r\n"
            }
        }
        let end = try run(source: source)
        #expect(end.isWhole && end.report.gone == 1)
        #expect(source.heard.filter { $0 == "lru_crawler metadump hash" }.count == 3)
    }

    @Test func aCrawlerThatIsOffIsTurnedOn() throws {
        let off = "CLIENT_ERROR lru crawler disabled\r\n"
        let end = try run(source: source { $0 == 1 ? off : "\(Self.line)END\r\n" })
        #expect(end.isWhole && end.report.gone == 1)
        #expect(try run(source: source { _ in off }).problem == .crawlerDisabled(1))
    }

    @Test func whatIsNotAllowedIsSaid() throws {
        #expect(try run(source: source { _ in "ERROR metadump not allowed\r\n" }).problem == .dumpNotAllowed(1))
        #expect(try run(source: source { _ in "ERROR\r\n" }).problem == .refused(1))
        let old = ScriptedNode(ScriptedNode.facts(version: "1.6.9") { _ in "ERROR\r\n" })
        #expect(try run(source: old).problem == .tooOld(1))
        let silent = ScriptedNode { _ in "" }
        #expect(try run(source: silent, timeout: 100_000_000).problem == .silent(1))
        let withoutCAS = ScriptedNode {
            $0 == "stats" ? "STAT time 1\r\nSTAT version 1.6.38\r\nEND\r\n" : "STAT cas_enabled no\r\nEND\r\n"
        }
        #expect(try run(source: withoutCAS).problem == .withoutCAS(1))
    }

    @Test func aDumpThatStandsStillIsGivenUp() throws {
        let start = Deadline.now()
        #expect(try run(source: source { _ in Self.line }).problem == .dumpStalled(1))
        #expect(Deadline.seconds(since: start) < 5)
    }

    @Test func aDumpThatBreaksOff() throws {
        let source = ScriptedNode(ScriptedNode.facts { $0.hasPrefix("lru") ? nil : "EN\r\n" })
        #expect(try run(source: source).problem == .lost(1))
    }

    /// Of a source it is a miss; on the target a stale item might stay.
    @Test func garbageInADump() throws {
        let lines = "key=%zz exp=-1\n\(Self.line)NONSENSE\nEND\r\n"
        let whole = try run(source: source { _ in Self.line + lines })
        #expect(whole.isWhole && whole.report.gone == 2)
        let flood = Self.line + String(repeating: "NONSENSE\n", count: 2000) + "END\r\n"
        #expect(try run(source: source { _ in flood }).problem == .refused(1))
        #expect(try run(source: source { _ in Self.line + String(repeating: "x", count: 9000) }).problem == .refused(1))
        let target = source { _ in Self.line + lines }
        #expect(try run(.clean([nil, 1]), source: source { _ in "END\r\n" }, target: target).problem == .refused(0))
    }

    /// Answers to an item's commands that are none.
    @Test func garbageInReplies() throws {
        let key = Self.line + "END\r\n"
        for answer in [
            "NONSENSE\r\n", "VA 1000000000000 f0 t-1 s1 c1\r\n", "VA 3 f0 t-1 s4 c1\r\nabcd\r\n",
            "VA 3 f0 t-1 s3 c1\r\nabcde\r\n", "HD\r\nHD\r\n", "SERVER_ERROR\r\n", "EN\r\nEN\r\n",
            "VA 3 f0 t-1 s3 c1\r\nabc\nx", "HD f0 t-1 s3 c1 k\n",
        ] {
            let source = ScriptedNode(ScriptedNode.facts { $0.hasPrefix("lru") ? key : answer })
            let end = try run(source: source)
            // The second EN comes when nothing is awaited, or after the end.
            if answer != "EN\r\nEN\r\n" { #expect(end.problem == .refused(1), "\(quoted(Array(answer.utf8)))") }
        }
    }
}
