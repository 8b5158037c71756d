internal import ArgumentParser
internal import Glibc
internal import ProxyConfig

/// What people read: answers on stdout, everything else on stderr.
enum Terminal {
    /// Writes text to a descriptor whole; what a closed pipe does not take is dropped.
    static func write(_ text: String, to descriptor: Int32) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = unsafe bytes.withUnsafeBytes { room in
                unsafe Glibc.write(descriptor, room.baseAddress, room.count)
            }
            if count < 0 && errno == EINTR { continue }
            if count <= 0 { return }
            bytes = bytes.dropFirst(count)
        }
    }

    static func out(_ line: String) { write(line + "\n", to: STDOUT_FILENO) }
    static func note(_ line: String) { write(line + "\n", to: STDERR_FILENO) }

    /// `FILE:LINE:COLUMN: kind: message`, a line each.
    static func show(_ findings: [ConfigFinding], as kind: String) {
        for finding in findings {
            var marked = finding
            marked.message = "\(kind): \(finding.message)"
            note(marked.description)
        }
    }

    /// Shows a file's mistakes; returns what ends the command.
    static func report(_ errors: ConfigErrors) -> ExitCode {
        show(errors.warnings, as: "warning")
        show(errors.errors, as: "error")
        return (errors.cause == .unreadable ? DroverExit.noInput : DroverExit.config).code
    }
}
