internal import Glibc

/// The file of a Unix socket that this process listens on. Nobody else removes it: who comes later would find a file on
/// which nobody answers.
public struct SocketFile: Sendable {
    private let path: String
    private let device: dev_t
    private let number: ino_t

    /// Nil where there is none.
    public init?(_ path: String) {
        guard let (device, number) = Self.identity(path) else { return nil }
        (self.path, self.device, self.number) = (path, device, number)
    }

    /// Unless another process has put its own there since.
    public func remove() {
        guard let (device, number) = Self.identity(path), device == self.device, number == self.number else { return }
        _ = unsafe unlink(path)
    }

    private static func identity(_ path: String) -> (dev_t, ino_t)? {
        var status = stat()
        return unsafe lstat(path, &status) == 0 ? (status.st_dev, status.st_ino) : nil
    }
}
