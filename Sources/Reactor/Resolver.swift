internal import CLibevent
internal import Glibc

/// A name could not be resolved.
public struct ResolveError: Error, Equatable, CustomStringConvertible {
    /// In the words of getaddrinfo(3).
    public let description: String
}

/// Host names to addresses, without blocking: evdns on a loop. One thread, that of the loop.
///
/// It reads /etc/hosts and /etc/resolv.conf anew for each round of questions, so that a long-lived process follows their
/// changes. `localhost` needs neither. Let it go with its loop: what is still asked then is given up without a word.
@safe
public final class Resolver {
    /// One question under way. Owned by `pending`, and by evdns through a retain that its callback takes.
    @safe
    private final class Question {
        weak var resolver: Resolver?
        var completion: ((Result<[String], ResolveError>) -> Void)?
        /// Nil until evdns has handed it out.
        var request: OpaquePointer?

        init(_ resolver: Resolver, _ completion: @escaping (Result<[String], ResolveError>) -> Void) {
            self.resolver = resolver
            self.completion = completion
        }
    }

    private let loop: EventLoop
    private var dns: OpaquePointer?
    private var pending: [Question] = []
    /// evdns is on the stack; it must not be freed now.
    private var isAnswering = false

    private let nameserver: String?

    /// - Parameter nameserver: "address:port" of the one server to ask, instead of those of /etc/resolv.conf.
    public init(on loop: EventLoop, nameserver: String? = nil) {
        self.loop = loop
        self.nameserver = nameserver
    }

    deinit {
        // Cancelled questions are called back by the loop, not at once. Nobody is told: `resolver` is nil by now.
        for question in pending {
            question.completion = nil
            if let request = unsafe question.request { unsafe evdns_getaddrinfo_cancel(request) }
        }
        if !pending.isEmpty { loop.poll() }
        if let dns = unsafe dns { unsafe evdns_base_free(dns, 0) }
    }

    /// Questions without an answer yet.
    public var pendingCount: Int { pending.count }

    /// Finds the addresses of a host, IPv4 before IPv6, as literals; a literal is its own.
    ///
    /// `completion` is called once, in a turn of the loop, or before this returns if the answer is at hand.
    public func resolve(_ host: String, completion: @escaping (Result<[String], ResolveError>) -> Void) {
        if host.lowercased() == "localhost" {
            completion(.success(["127.0.0.1", "::1"]))
            return
        }
        guard !host.isEmpty, host.utf8.count <= 253, !host.utf8.contains(0) else {
            completion(.failure(ResolveError(description: "not a host name")))
            return
        }
        let dns = unsafe freshBase()
        let question = Question(self, completion)
        pending.append(question)

        var hints = unsafe addrinfo()
        unsafe hints.ai_family = AF_UNSPEC
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_protocol = Int32(IPPROTO_TCP)
        let request = unsafe evdns_getaddrinfo(
            dns, host, nil, &hints,
            { code, list, argument in
                let addresses = unsafe Resolver.literals(of: list)
                if let list = unsafe list { unsafe evutil_freeaddrinfo(list) }
                guard let argument = unsafe argument else { return }
                let question = unsafe Unmanaged<Question>.fromOpaque(argument).takeRetainedValue()
                question.resolver?.finish(question, code, addresses)
            }, Unmanaged.passRetained(question).toOpaque())
        // It is nil, and the question has been answered, when the answer was at hand.
        unsafe question.request = request
    }

    private func finish(_ question: Question, _ code: Int32, _ addresses: [String]) {
        unsafe question.request = nil
        pending.removeAll { $0 === question }
        guard let completion = question.completion else { return }
        question.completion = nil
        let outer = isAnswering
        isAnswering = true
        defer { isAnswering = outer }
        if code == 0, !addresses.isEmpty {
            completion(.success(addresses))
        } else {
            let text = unsafe code == 0 ? "no address" : String(cString: evutil_gai_strerror(code))
            completion(.failure(ResolveError(description: text)))
        }
    }

    /// evdns with the files as they are now, unless questions are under way.
    private func freshBase() -> OpaquePointer {
        if let dns = unsafe dns, !pending.isEmpty || isAnswering { return unsafe dns }
        if let dns = unsafe dns { unsafe evdns_base_free(dns, 0) }
        guard let fresh = unsafe evdns_base_new(loop.base, 0) else { fatalError("evdns_base_new: out of memory") }
        // Before the file, which may say otherwise: a node's name is worth two tries of two seconds, then a later one.
        _ = unsafe evdns_base_set_option(fresh, "timeout:", "2")
        _ = unsafe evdns_base_set_option(fresh, "attempts:", "2")
        // Without the file there is /etc/hosts still, and a server on this host.
        var read = DNS_OPTION_MISC | DNS_OPTION_HOSTSFILE
        if let nameserver {
            _ = unsafe evdns_base_nameserver_ip_add(fresh, nameserver)
        } else {
            read |= DNS_OPTION_SEARCH | DNS_OPTION_NAMESERVERS
        }
        _ = unsafe evdns_base_resolv_conf_parse(fresh, read, "/etc/resolv.conf")
        unsafe dns = fresh
        return unsafe fresh
    }

    /// Each address once, in the list's order.
    private static func literals(of list: UnsafeMutablePointer<addrinfo>?) -> [String] {
        var literals: [String] = []
        var next = unsafe list
        while let entry = unsafe next {
            if let literal = unsafe literal(of: entry.pointee.ai_addr), !literals.contains(literal) {
                literals.append(literal)
            }
            unsafe next = entry.pointee.ai_next
        }
        return literals
    }

    private static func literal(of address: UnsafeMutablePointer<sockaddr>?) -> String? {
        guard let address = unsafe address else { return nil }
        let family = unsafe Int32(address.pointee.sa_family)
        // Where the address stands in sockaddr_in and in sockaddr_in6.
        let offset: Int
        switch family {
        case AF_INET: offset = 4
        case AF_INET6: offset = 8
        default: return nil
        }
        return unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { text in
            let from = unsafe UnsafeRawPointer(address) + offset
            guard let base = text.baseAddress,
                unsafe inet_ntop(family, from, base, socklen_t(text.count)) != nil
            else { return nil }
            return unsafe String(cString: base)
        }
    }
}
