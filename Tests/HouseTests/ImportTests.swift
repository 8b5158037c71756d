import Testing

/// Which room may import which, and what of the outside. The README shows the rooms' part of it.
struct ImportTests {
    /// Another room, in the order of the README, then what is not ours.
    static let allowed: [String: [String]] = [
        // Decides, and touches nothing.
        "Bytes": ["Glibc", "Synchronization"],
        "MemcacheProtocol": ["Bytes"],
        "Distribution": [],
        "Telemetry": [],
        "ProxyCore": ["Bytes", "MemcacheProtocol", "Distribution", "Telemetry"],
        // Touches the world.
        "Reactor": ["CLibevent", "CPlatform", "Glibc", "Synchronization"],
        "Sockets": ["Bytes", "CPlatform", "Glibc"],
        "ProxyConfig": ["MemcacheProtocol", "Distribution", "ProxyCore", "CYaml", "Glibc"],
        "Archive": ["Bytes", "Distribution", "CZstd", "Glibc"],
        "Proxy": [
            "Bytes", "MemcacheProtocol", "Distribution", "Telemetry", "ProxyCore", "Reactor", "Sockets", "Archive",
            "Glibc",
            "Logging",
        ],
        "Admin": ["Telemetry", "ProxyCore", "Reactor", "Proxy", "Logging"],
        "Loadgen": ["Bytes", "Reactor", "Sockets", "CPlatform", "Glibc", "Histogram"],
        "drover": [
            "Distribution", "Telemetry", "ProxyCore", "Sockets", "ProxyConfig", "Proxy", "Admin", "Loadgen",
            "CPlatform",
            "Glibc", "ArgumentParser", "Logging",
        ],
        // No Swift in them.
        "CLibevent": [], "CYaml": [], "CZstd": [], "CPlatform": [],
    ]

    @Test func everyRoomIsInTheTable() {
        #expect(Repository.names(in: "Sources") == Self.allowed.keys.sorted())
    }

    @Test func noRoomImportsWhatItMayNot() {
        #expect(Repository.sources.count > 100)
        for file in Repository.sources {
            for module in Self.imports(in: file.text) {
                #expect(Self.allowed[file.room]?.contains(module) == true, "\(file.path) imports \(module)")
            }
        }
    }

    /// It would make a small process a large one.
    @Test func foundationIsNowhere() {
        for file in Repository.sources {
            let found = Self.imports(in: file.text).filter { $0.hasPrefix("Foundation") }
            #expect(found.isEmpty, "\(file.path)")
        }
    }

    @Test(arguments: [("CLibevent", "Reactor"), ("CYaml", "ProxyConfig"), ("CZstd", "Archive")])
    func aLibraryHasOneHome(module: String, home: String) {
        let rooms = Set(Repository.sources.filter { Self.imports(in: $0.text).contains(module) }.map(\.room))
        #expect(rooms == [home])
    }

    /// The last column of the README's table of rooms.
    @Test func theReadmeShowsTheTable() {
        let rooms = Set(Self.allowed.keys)
        var shown: Set<String> = []
        for row in Markdown.rows(Repository.text(of: "README.md")) where row.count == 3 {
            let names = Markdown.codes(row[0])
            guard names.count == 1, let room = names.first, rooms.contains(room) else { continue }
            let expected = Self.allowed[room, default: []].filter(rooms.contains)
            #expect(row[2].split(separator: ", ").map(String.init) == expected, "row \(room)")
            shown.insert(room)
        }
        #expect(shown == rooms.subtracting(["CLibevent", "CYaml", "CZstd", "CPlatform"]))
    }

    @Test func noFileIsTooLong() {
        for file in Repository.sources { #expect(file.lines.count <= 401, "\(file.path): split it by concern") }
    }

    @Test func importsAreFound() {
        let text = """
            import A
            internal import B
            @preconcurrency public import struct C.D
            // import E
            let important = 1
              @testable import F
            """
        #expect(Self.imports(in: text) == ["A", "B", "C", "F"])
    }

    /// The modules that a file imports.
    static func imports(in text: String) -> [String] {
        let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
        let access: Set<Substring> = ["public", "package", "internal", "fileprivate", "private"]
        return text.split(separator: "\n").compactMap { line in
            var words = line.split(separator: " ")[...]
            while let word = words.first, access.contains(word) || word.hasPrefix("@") { words.removeFirst() }
            guard words.popFirst() == "import" else { return nil }
            if let kind = words.first, kinds.contains(kind) { words.removeFirst() }
            return words.first?.split(separator: ".").first.map(String.init)
        }
    }
}
