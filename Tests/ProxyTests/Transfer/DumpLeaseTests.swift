import DroverTesting
import ProxyCore
import Testing

@testable import Proxy

/// Of several dumps of one node one runs.
@Suite(.serialized)
struct DumpLeaseTests {
    private static let taken = "ms __drover:dump 5 ME T"

    /// Of a proxy that has died, and with it the last that would renew it.
    @Test(arguments: PassFaultTests.versions)
    func whoFindsItTakenWaitsUntilItExpires(version: MemcachedServer.Version) throws {
        let farm = try TransferFarm(version)
        try farm.store((0..<100).map { TestItem("key:\($0)", "value") }, except: [0])
        #expect(try farm.clients[1].ask("\(Self.taken)2\r\nother") == "HD")
        let order = farm.order(.copy(number: 1))
        farm.thread.start(order)
        _ = try farm.progress { $0.stage == .waiting && $0.done == 0 }
        let end = try farm.end(of: order, seconds: 10)
        #expect(end.isWhole && end.report.copied > 0)
        for client in farm.clients { #expect(try client.ask("mg __drover:dump") == "EN", "it is given back") }
    }

    @Test func whoWaitsCanBeCancelled() throws {
        let farm = try TransferFarm(.newer)
        #expect(try farm.clients[1].ask("\(Self.taken)0\r\nother") == "HD")
        let order = farm.order(.verify)
        farm.thread.start(order)
        _ = try farm.progress { $0.stage == .waiting }
        farm.thread.cancel(order.id)
        #expect(try farm.end(of: order, seconds: 5).problem == .cancelled)
        #expect(try farm.clients[1].ask("mg __drover:dump s") == "HD s5", "what another has is left alone")
    }

    /// A pass that ends before its dump has.
    @Test func aDumpThatIsGivenUpFreesTheNode() throws {
        let heard = SharedBox<[String]>([])
        let source = ScriptedNode(
            ScriptedNode.facts(lease: { line in
                heard.withValue { $0.append(line) }
                return ScriptedNode.granted(line)
            }) { $0.hasPrefix("lru") ? "OK\r\n" : "EN\r\n" })
        let pass = ScriptedPass(source: source)
        defer { pass.thread.stop() }
        _ = pass.told.wait(seconds: 10) {
            if case .progress(let step) = $0, step.stage == .listing { true } else { nil }
        }
        pass.thread.cancel(1)
        #expect(try pass.end().problem == .cancelled)
        #expect(Deadline(seconds: 5).waits { heard.value == ["ms", "md __drover:dump C5"] }, "\(heard.value)")
    }

    /// - Parameter answers: to each try to take or renew it; then what a dump answers is no longer BUSY.
    private func run(_ answers: [String]) throws -> (end: PassEnd, heard: [String]) {
        let asked = SharedBox(0)
        let source = ScriptedNode(
            ScriptedNode.facts(lease: { line in
                guard line == "ms" else { return "HD\r\n" }
                let number = asked.withValue { asked in
                    asked += 1
                    return asked
                }
                return answers[min(number, answers.count) - 1] + "\r\n"
            }) { line in
                guard line.hasPrefix("lru") else { return "EN\r\n" }
                return asked.value < answers.count
                    ? "BUSY\r\n" : "key=a exp=-1 la=1 cas=1 fetch=no cls=1 size=60\nEND\r\n"
            })
        let pass = ScriptedPass(source: source)
        defer { pass.thread.stop() }
        return (try pass.end(), source.heard.filter { $0.hasPrefix("m") && $0.contains("dump") })
    }

    @Test func itIsRenewedWhileItIsNeeded() throws {
        let (end, heard) = try run(["NS", "HD c5", "HD c6"])
        #expect(end.isWhole && end.report.gone == 1)
        let commands = ["18 c T10 ME", "18 c T10 ME", "18 c T10 C5"].map { "ms __drover:dump \($0)" }
        #expect(heard == commands + ["md __drover:dump C6"])
    }

    /// A flush takes it along; when it has run out, another may have it.
    @Test func whatIsLostIsTakenAgain() throws {
        let (end, heard) = try run(["HD c5", "NF", "HD c7"])
        #expect(end.isWhole && heard.last == "md __drover:dump C7")
        #expect(heard.suffix(2).first == "ms __drover:dump 18 c T10 ME")
        #expect(try run(["HD c5", "EX", "NS", ""]).end.problem == .busy(1))
    }

    @Test func aNodeThatCanStoreNothingIsDumped() throws {
        let (end, heard) = try run(["SERVER_ERROR out of memory storing object"])
        #expect(end.isWhole && heard == ["ms __drover:dump 18 c T10 ME"])
    }
}
