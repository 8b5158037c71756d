import Glibc
import Reactor

/// A name server on loopback that answers when it is told to.
final class FakeNameserver {
    static let token: UInt64 = 53

    private let loop: EventLoop
    private let file: Int32
    private let watch: Watch
    /// The names that it was asked for.
    private(set) var asked: [String] = []
    let address: String

    init(on loop: EventLoop) {
        self.loop = loop
        file = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_addr = in_addr(s_addr: UInt32(0x7F00_0001).bigEndian)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let file = file
        let failed = unsafe withUnsafeMutablePointer(to: &name) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(file, $0, length) | getsockname(file, $0, &length)
            }
        }
        precondition(failed == 0, "no port for a name server")
        address = "127.0.0.1:\(UInt16(bigEndian: name.sin_port))"
        watch = loop.watchReadable(file, token: Self.token)
    }

    deinit {
        loop.remove(watch)
        close(file)
    }

    /// Answers one question: an A with the address, anything else with nothing; NXDOMAIN to all without an address.
    func answerOne(with ipv4: [UInt8]?) {
        var message = [UInt8](repeating: 0, count: 512)
        var peer = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let file = file
        unsafe withUnsafeMutablePointer(to: &peer) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { peer in
                let count = unsafe recvfrom(file, &message, message.count, 0, peer, &length)
                guard count > 12 else { return }
                let reply = answer(to: Array(message[..<count]), with: ipv4)
                _ = unsafe sendto(file, reply, reply.count, 0, peer, length)
            }
        }
    }

    private func answer(to question: [UInt8], with ipv4: [UInt8]?) -> [UInt8] {
        var labels: [String] = []
        var end = 12
        while question[end] != 0 {
            // evdns may mix the case of letters, to make forging harder.
            labels.append(String(decoding: question[end + 1...end + Int(question[end])], as: UTF8.self).lowercased())
            end += 1 + Int(question[end])
        }
        asked.append(labels.joined(separator: "."))
        let isAddress = question[end + 2] == 1
        let records: UInt8 = isAddress && ipv4 != nil ? 1 : 0
        // Same id; a response, recursion available; one question, no authority, nothing more.
        var reply = Array(question[..<2]) + [0x81, ipv4 == nil ? 0x83 : 0x80, 0, 1, 0, records, 0, 0, 0, 0]
        reply += question[12..<end + 5]
        if records == 1, let ipv4 {
            // The name of the question; A, IN, 60 s, four bytes.
            reply += [0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4] + ipv4
        }
        return reply
    }
}
