import Benchmark
import Bytes
import MemcacheProtocol

/// One pass over a text that holds `count` messages: what a worker's turn does with a pipeline.
private func requests(_ text: String, count: Int, _ benchmark: Benchmark) {
    var parser = RequestParser()
    let limits = ProtocolLimits()
    let bytes = Array(String(repeating: text, count: count).utf8)
    benchmark.startMeasurement()
    for _ in benchmark.scaledIterations {
        var from = 0
        while from < bytes.count {
            var scan = LineScan()
            let window = bytes.span.bytes.extracting(from...)
            guard case .request(let head) = parser.parse(window, scan: &scan, limits: limits) else {
                fatalError("the benchmark's own request was refused")
            }
            blackHole(head)
            from += text.utf8.count
        }
    }
}

private func replies(_ text: String, to verb: Verb, _ benchmark: Benchmark) {
    let bytes = Array(text.utf8)
    benchmark.startMeasurement()
    for _ in benchmark.scaledIterations {
        var from = 0
        while from < bytes.count {
            switch ReplyParser.parse(bytes.span.bytes.extracting(from...), for: verb) {
            case .value(let head): from += head.totalLength
            case .line(_, let length), .end(let length), .stat(let length): from += length
            case .needMore, .broken: fatalError("the benchmark's own reply was refused")
            }
        }
        blackHole(from)
    }
}

let benchmarks: @Sendable () -> Void = {
    Benchmark.defaultConfiguration = .init(
        metrics: [.instructions, .cpuUser, .throughput], scalingFactor: .kilo, maxDuration: .seconds(1))

    Benchmark("request: get") { requests("get key:00001234\r\n", count: 16, $0) }
    Benchmark("request: set, the line") { requests("set key:00001234 0 0 100\r\n", count: 16, $0) }
    Benchmark("request: get of 50 keys") {
        requests("get" + (0..<50).map { " key:000012\($0 + 10)" }.joined() + "\r\n", count: 1, $0)
    }
    Benchmark("request: mg") { requests("mg key:00001234 v k q O123\r\n", count: 16, $0) }
    Benchmark("request: ms, the line") { requests("ms key:00001234 100 T60 F3\r\n", count: 16, $0) }

    let value = String(repeating: "x", count: 100)
    Benchmark("reply: VALUE and END") {
        replies("VALUE key:00001234 0 100\r\n\(value)\r\nEND\r\n", to: .get, $0)
    }
    Benchmark("reply: 50 VALUEs and END") {
        replies(String(repeating: "VALUE key:00001234 0 100\r\n\(value)\r\n", count: 50) + "END\r\n", to: .get, $0)
    }
    Benchmark("reply: STORED") { replies("STORED\r\n", to: .set, $0) }
    Benchmark("reply: VA") { replies("VA 100 kkey:00001234 O123\r\n\(value)\r\n", to: .metaGet, $0) }
}
