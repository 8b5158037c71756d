import Glibc

/// The files of this repository, as text.
enum Repository {
    /// The folder that holds `Tests/`, without a slash at its end.
    static let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
        .joined(separator: "/")

    struct File {
        /// From the root on.
        var path: String
        var text: String

        var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }
        /// Its room: the folder under `Sources/`.
        var room: String { String(path.split(separator: "/")[1]) }
    }

    /// The Swift files under `Sources/`, in order.
    static let sources: [File] = files(under: "Sources").filter { $0.hasSuffix(".swift") }.map {
        File(path: $0, text: text(of: $0))
    }

    /// The names in a folder, without those that begin with a dot, in order.
    static func names(in folder: String) -> [String] {
        guard let directory = unsafe opendir("\(root)/\(folder)") else { return [] }
        defer { unsafe _ = closedir(directory) }
        var names: [String] = []
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted()
    }

    /// Paths from the root on of all that is under a folder and not a folder.
    private static func files(under folder: String) -> [String] {
        names(in: folder).flatMap { name in
            let path = "\(folder)/\(name)"
            return names(in: path).isEmpty ? [path] : files(under: path)
        }
    }

    /// A file's text; empty if it cannot be read.
    static func text(of path: String) -> String {
        let descriptor = unsafe open("\(root)/\(path)", O_RDONLY)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = unsafe read(descriptor, &block, block.count)
            guard count > 0 else { break }
            bytes += block[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
