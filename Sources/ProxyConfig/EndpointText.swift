internal import Glibc
internal import ProxyCore

/// Addresses as the config writes them: `host:port`, `[IPv6]:port`, `unix:/path` or `/path`.
enum EndpointText {
    /// Bytes that the kernel takes for the path of a Unix socket.
    static let maxPath = 107

    /// `example` is the port that a hint shows.
    static func parse(_ text: String, example: UInt16 = 11211) throws(Refusal) -> Endpoint {
        if let path = path(text) { return .unix(path: try checkedPath(path)) }
        if !text.isEmpty && text.utf8.allSatisfy(isDigit) {
            throw Refusal(reason: "\(text) has no host; write 127.0.0.1:\(text)")
        }
        let (host, rest) = try splitHost(text)
        guard rest.hasPrefix(":") else {
            throw Refusal(reason: "\"\(text)\" has no port; write \(text):\(example)")
        }
        return .tcp(host: host, port: try port(String(rest.dropFirst()), of: text))
    }

    /// The path of a Unix socket's text, nil if the text is not one.
    static func path(_ text: String) -> String? {
        if text.hasPrefix("unix:") { return String(text.dropFirst(5)) }
        return text.hasPrefix("/") ? text : nil
    }

    static func checkedPath(_ path: String) throws(Refusal) -> String {
        guard path.hasPrefix("/") else { throw Refusal(reason: "the path \"\(path)\" must start with /") }
        guard path.utf8.count > 1 else { throw Refusal(reason: "\"\(path)\" is no path of a socket") }
        guard path.utf8.count <= maxPath else {
            throw Refusal(reason: "the path has \(path.utf8.count) bytes; the kernel takes at most \(maxPath)")
        }
        return path
    }

    /// The host without brackets and whatever follows it, from `:` on.
    static func splitHost(_ text: String) throws(Refusal) -> (host: String, rest: Substring) {
        if text.hasPrefix("[") {
            guard let close = text.firstIndex(of: "]") else {
                throw Refusal(reason: "\"\(text)\" has [ without ]; write [::1]:11211")
            }
            let host = String(text[text.index(after: text.startIndex)..<close])
            guard isIPv6(host) else { throw Refusal(reason: "\"\(host)\" is not an IPv6 address") }
            return (host, text[text.index(after: close)...])
        }
        // More colons than host:port:weight has are an IPv6 address without its brackets.
        let colons = text.count { $0 == ":" }
        guard colons <= 2 && !text.contains("::") || text.contains(".") else {
            throw Refusal(reason: "\"\(text)\" looks like IPv6; put the address in brackets: [::1]:11211")
        }
        let host = text.prefix { $0 != ":" }
        return (try checkedHost(String(host), of: text), text.dropFirst(host.count))
    }

    private static func checkedHost(_ host: String, of text: String) throws(Refusal) -> String {
        guard host != "*" else { throw Refusal(reason: "* is no address; write 0.0.0.0 for every one") }
        guard !host.isEmpty else { throw Refusal(reason: "\"\(text)\" has no host before the colon") }
        guard host.utf8.count <= 253, host.utf8.allSatisfy(isHostByte) else {
            throw Refusal(reason: "\"\(host)\" is not a host name or an IP address")
        }
        let isNumeric = host.utf8.allSatisfy { $0 == UInt8(ascii: ".") || isDigit($0) }
        if isNumeric && !isIPv4(host) {
            throw Refusal(reason: "\"\(host)\" is not an IPv4 address: four numbers of 0 to 255")
        }
        return host
    }

    static func port(_ text: String, of whole: String) throws(Refusal) -> UInt16 {
        guard !text.isEmpty, text.utf8.allSatisfy(isDigit) else {
            throw Refusal(reason: "\"\(whole)\" has \"\(text)\" for a port; a port is a number of 1 to 65535")
        }
        guard let port = UInt16(text), port > 0 else {
            throw Refusal(reason: "port \(text) is out of range; ports are 1 to 65535")
        }
        return port
    }

    static func isIPv4(_ host: String) -> Bool {
        var address = in_addr()
        return unsafe inet_pton(AF_INET, host, &address) == 1
    }

    static func isIPv6(_ host: String) -> Bool {
        var address = in6_addr()
        return unsafe inet_pton(AF_INET6, host, &address) == 1
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "."),
            UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: isDigit(byte)
        }
    }
}
