internal import CZstd

/// libzstd's two calls, with its working memory kept from block to block.
@safe final class Zstd {
    /// A backup is bound by the network it reads from: the fastest level that compresses well.
    private static let level: Int32 = 1

    private var packer: OpaquePointer?
    private var unpacker: OpaquePointer?

    deinit {
        unsafe ZSTD_freeCCtx(packer)
        unsafe ZSTD_freeDCtx(unpacker)
    }

    /// Nil if there is no memory.
    func packed(_ bytes: [UInt8]) -> [UInt8]? {
        if unsafe packer == nil { unsafe packer = ZSTD_createCCtx() }
        guard let packer = unsafe packer else { return nil }
        let room = ZSTD_compressBound(bytes.count)
        var failed = false
        let packed = unsafe [UInt8](unsafeUninitializedCapacity: room) { target, count in
            let written = unsafe bytes.withUnsafeBytes { source in
                unsafe ZSTD_compressCCtx(
                    packer, target.baseAddress, room, source.baseAddress, source.count, Self.level)
            }
            failed = ZSTD_isError(written) != 0
            count = failed ? 0 : written
        }
        return failed ? nil : packed
    }

    /// Nil unless it is one frame of exactly `count` bytes. Memory is taken for no more than that.
    func unpacked(_ bytes: RawSpan, count: Int) -> [UInt8]? {
        if unsafe unpacker == nil { unsafe unpacker = ZSTD_createDCtx() }
        guard let unpacker = unsafe unpacker else { return nil }
        return unsafe bytes.withUnsafeBytes { source in
            let told = unsafe ZSTD_getFrameContentSize(source.baseAddress, source.count)
            guard told == UInt64(count) else { return nil }
            var isWhole = false
            let unpacked = unsafe [UInt8](unsafeUninitializedCapacity: count) { target, filled in
                let written = unsafe ZSTD_decompressDCtx(
                    unpacker, target.baseAddress, count, source.baseAddress, source.count)
                isWhole = ZSTD_isError(written) == 0 && written == count
                filled = isWhole ? count : 0
            }
            return isWhole ? unpacked : nil
        }
    }
}

@available(*, unavailable, message: "its memory is used by one thread at a time")
extension Zstd: Sendable {}
