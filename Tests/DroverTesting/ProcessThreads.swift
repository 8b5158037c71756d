import Glibc

/// What the kernel says of a process's threads.
enum ProcessThreads {
    /// The state letter of each, as proc(5) has them: T is stopped.
    static func states(of pid: pid_t) -> [Character] {
        numbers(of: pid).compactMap { thread in
            let text = readFile("/proc/\(pid)/task/\(thread)/stat") ?? ""
            // Behind the name, which stands in brackets and may hold anything.
            guard let end = text.lastIndex(of: ")") else { return nil }
            return text[end...].dropFirst(2).first
        }
    }

    private static func numbers(of pid: pid_t) -> [String] {
        guard let folder = unsafe opendir("/proc/\(pid)/task") else { return [] }
        defer { unsafe closedir(folder) }
        var numbers: [String] = []
        while let entry = unsafe readdir(folder) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
                unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if !name.hasPrefix(".") { numbers.append(name) }
        }
        return numbers
    }
}
