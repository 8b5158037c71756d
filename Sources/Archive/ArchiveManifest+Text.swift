internal import Bytes

extension ArchiveManifest {
    static let title = "drover-backup"

    var text: String {
        var lines = ["\(Self.title) \(Self.version)", "pool \(Self.escaped(pool))"]
        lines += ["backup \(backup)", "created \(created)", "parts \(parts)"]
        for file in files {
            lines.append("file \(file.name) \(file.part) \(file.records) \(file.blocks) \(file.bytes)")
        }
        for part in doneParts.sorted() { lines.append("done \(part)") }
        let text = lines.map { $0 + "\n" }.joined()
        return text + "checksum \(Self.checksum(Array(text.utf8)))\n"
    }

    /// - Parameter name: what messages call it.
    init(_ bytes: [UInt8], name: String) throws(ArchiveError) {
        let text = String(decoding: bytes, as: UTF8.self)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let title = lines[0].split(separator: " ")
        guard title.count == 2, title[0] == Self.title, let version = Int(title[1]) else {
            throw ArchiveError("\(name) is no backup's manifest")
        }
        guard version == Self.version else {
            throw ArchiveError("\(name) has version \(version), and this program knows \(Self.version)")
        }
        let damaged = ArchiveError("\(name) is damaged")
        guard lines.count >= 6, lines[lines.count - 1].isEmpty else { throw damaged }
        let sum = lines[lines.count - 2].split(separator: " ", omittingEmptySubsequences: false)
        let length = bytes.count - lines[lines.count - 2].utf8.count - 1
        guard sum.count == 2, sum[0] == "checksum", sum[1] == "\(Self.checksum(Array(bytes[..<max(0, length)])))",
            let manifest = Self(lines: lines[1..<(lines.count - 2)])
        else { throw damaged }
        self = manifest
    }

    private init?(lines: ArraySlice<Substring>) {
        var fields = lines.map { $0.split(separator: " ", omittingEmptySubsequences: false) }[...]
        func value(_ name: String) -> Substring? {
            guard let line = fields.popFirst(), line.count == 2, line[0] == name else { return nil }
            return line[1]
        }
        guard let pool = value("pool").flatMap(Self.unescaped), let backup = value("backup").flatMap({ UInt64($0) }),
            let created = value("created").flatMap({ Int64($0) }), created >= 0,
            let parts = value("parts").flatMap({ Int($0) }), (1...Self.partLimit).contains(parts)
        else { return nil }
        self.init(pool: pool, backup: backup, created: created, parts: parts)
        for line in fields {
            let numbers = line.dropFirst(2).compactMap { Int($0) }.filter { $0 >= 0 }
            switch (line[0], line.count) {
            case ("file", 6):
                guard numbers.count == 4, numbers[0] < parts, Self.isFileName(line[1]) else { return nil }
                files.append(
                    File(
                        name: String(line[1]), part: numbers[0], records: numbers[1], blocks: numbers[2],
                        bytes: numbers[3]))
            case ("done", 2):
                guard let part = Int(line[1]), (0..<parts).contains(part), doneParts.insert(part).inserted else {
                    return nil
                }
            default: return nil
            }
        }
    }

    /// A name that stays in the folder, and is none of a file that is not whole.
    static func isFileName(_ name: some StringProtocol) -> Bool {
        let allowed = name.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x61...0x7a, 0x2d, 0x2e: true
            default: false
            }
        }
        return allowed && (1...100).contains(name.utf8.count) && name.utf8.first != 0x2e
            && !name.hasSuffix(ArchiveWriter.temporarySuffix)
    }

    private static func checksum(_ bytes: [UInt8]) -> String {
        let digits = unsafe String(BlockHeader.checksum(bytes.span.bytes), radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// Without spaces and control characters; `%` begins two digits.
    private static func escaped(_ text: String) -> String {
        text.utf8.map { byte in
            let isPlain = byte > 0x20 && byte < 0x7f && byte != 0x25
            let digits = String(byte, radix: 16)
            return isPlain ? String(UnicodeScalar(byte)) : "%" + (digits.count == 1 ? "0" : "") + digits
        }.joined()
    }

    private static func unescaped(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8
        while let byte = rest.popFirst() {
            guard byte == 0x25 else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap({ UInt8(String(UnicodeScalar($0)), radix: 16) }),
                let low = rest.popFirst().flatMap({ UInt8(String(UnicodeScalar($0)), radix: 16) })
            else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
    }
}
