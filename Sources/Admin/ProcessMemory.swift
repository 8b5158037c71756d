internal import Glibc

/// Bytes of this process that are in RAM, as the kernel counts them; 0 where /proc is not there.
public func residentMemory() -> UInt64 {
    let file = unsafe open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return 0 }
    defer { close(file) }
    var bytes = InlineArray<128, UInt8>(repeating: 0)
    var span = bytes.mutableSpan
    let count = unsafe span.withUnsafeMutableBytes { unsafe read(file, $0.baseAddress, $0.count) }
    guard count > 0 else { return 0 }
    return residentPages(statm: (0..<count).map { bytes[$0] }) * UInt64(max(0, sysconf(Int32(_SC_PAGESIZE))))
}

/// The second number of statm: "size resident shared text lib data dt", in pages.
func residentPages(statm: [UInt8]) -> UInt64 {
    let words = statm.split(separator: UInt8(ascii: " "))
    guard words.count > 1 else { return 0 }
    return UInt64(String(decoding: words[1], as: UTF8.self)) ?? 0
}
