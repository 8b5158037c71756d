internal import Glibc
internal import Loadgen

/// Shows on standard error how a run gets on: one line that changes in a terminal, a line a phase elsewhere.
struct BenchDisplay {
    private let isQuiet: Bool
    private let isTerminal = isatty(STDERR_FILENO) == 1

    init(isQuiet: Bool) { self.isQuiet = isQuiet }

    func show(_ event: LoadRun.Event) {
        switch event {
        case .began(let phase):
            guard !isQuiet else { return }
            put(isTerminal ? "\r\u{1b}[K\(phase) …" : "\(phase)\n")
        case .progress(let phase, let answered, let errors, let elapsed):
            guard !isQuiet, isTerminal else { return }
            let rate = Double(answered) / max(Double(elapsed) / 1e9, 1e-9)
            let trouble = errors > 0 ? ", \(errors) errors" : ""
            put("\r\u{1b}[K\(phase) \(elapsed / 1_000_000_000) s: \(answered) answered, \(Int(rate))/s\(trouble)")
        case .waiting(let name):
            // Whoever asked for it reads this on standard output.
            print("waiting \(name)")
            fflush(nil)
        }
    }

    func clear() {
        if isTerminal, !isQuiet { put("\r\u{1b}[K") }
    }

    func complain(_ text: String) { put("drover bench: \(text)\n") }

    private func put(_ text: String) {
        var text = text
        text.withUTF8 { unsafe _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
