/// A memcached with the few commands that the engine's tests send, as bytes in and bytes out.
struct FakeNode {
    private(set) var items: [String: (flags: String, data: [UInt8])] = [:]
    /// Command lines as they came, connection after connection mixed.
    private(set) var seen: [String] = []
    /// Takes bytes and answers nothing.
    var isFrozen = false

    /// Works off the whole commands at the start of `input` and returns the replies.
    mutating func answer(_ input: inout [UInt8]) -> [UInt8] {
        var reply: [UInt8] = []
        var used = 0
        while !isFrozen, let newline = input[used...].firstIndex(of: 0x0a) {
            let line = String(decoding: input[used..<(newline - 1)], as: UTF8.self)
            let words = line.split(separator: " ").map(String.init)
            var end = newline + 1
            if words.count >= 5 || words[0] == "ms", let length = Int(words[words[0] == "ms" ? 2 : 4]),
                ["set", "add", "ms"].contains(words[0])
            {
                guard input.count >= end + length + 2 else { break }
                reply += store(words, Array(input[end..<(end + length)]))
                end += length + 2
            } else {
                reply += answer(words)
            }
            seen.append(line)
            used = end
        }
        input.removeFirst(used)
        return reply
    }

    private mutating func store(_ words: [String], _ data: [UInt8]) -> [UInt8] {
        if words[0] == "add", items[words[1]] != nil { return Array("NOT_STORED\r\n".utf8) }
        items[words[1]] = (words[0] == "ms" ? "0" : words[2], data)
        return Array((words[0] == "ms" ? "HD\r\n" : "STORED\r\n").utf8)
    }

    private mutating func answer(_ words: [String]) -> [UInt8] {
        switch words[0] {
        case "version": return Array("VERSION 1.6.38\r\n".utf8)
        case "get", "gets":
            var reply: [UInt8] = []
            for key in words.dropFirst() {
                guard let item = items[key] else { continue }
                let cas = words[0] == "gets" ? " 7" : ""
                reply +=
                    Array("VALUE \(key) \(item.flags) \(item.data.count)\(cas)\r\n".utf8) + item.data + [0x0d, 0x0a]
            }
            return reply + Array("END\r\n".utf8)
        case "mg":
            guard let item = items[words[1]] else { return Array("EN\r\n".utf8) }
            return Array("VA \(item.data.count)\r\n".utf8) + item.data + [0x0d, 0x0a]
        case "delete": return Array((items.removeValue(forKey: words[1]) == nil ? "NOT_FOUND\r\n" : "DELETED\r\n").utf8)
        case "md": return Array((items.removeValue(forKey: words[1]) == nil ? "NF\r\n" : "HD\r\n").utf8)
        case "flush_all":
            items = [:]
            return Array("OK\r\n".utf8)
        default: return Array("ERROR\r\n".utf8)
        }
    }
}
