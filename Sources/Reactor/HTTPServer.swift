internal import CLibevent
internal import Glibc

/// What a client of the HTTP server asked for, as it was sent: nothing is percent-decoded.
public struct HTTPRequest: Sendable, Equatable {
    /// "GET", "POST", ...
    public let method: String
    /// From the first slash to the question mark, which it leaves out.
    public let path: String
    /// What follows the question mark; empty for none.
    public let query: String
    /// By their names in small letters; of headers that came twice the first.
    public let headers: [String: String]
    public let body: [UInt8]

    public init(
        method: String, path: String, query: String = "", headers: [String: String] = [:], body: [UInt8] = []
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
    }
}

public struct HTTPResponse: Sendable, Equatable {
    /// 200 ... 599.
    public var status: Int
    public var contentType: String
    public var body: [UInt8]
    /// For 405: the methods that are allowed.
    public var allow: String?

    public init(status: Int, contentType: String, body: [UInt8], allow: String? = nil) {
        self.status = status
        self.contentType = contentType
        self.body = body
        self.allow = allow
    }
}

/// The server could not listen.
public struct HTTPServerError: Error, Equatable, CustomStringConvertible {
    public let description: String
}

/// A small HTTP/1.1 server on a loop: evhttp. The handler runs within a turn of the loop, on its thread, and answers at
/// once. For operators, not for load: a request costs allocations, and connections are bounded by their timeout only.
@safe
public final class HTTPServer {
    /// What a request may bring.
    public struct Limits: Sendable {
        /// Bytes of the request line and headers.
        public var headers = 16 << 10
        /// Bytes of the body.
        public var body = 64 << 10
        /// Seconds without a byte after which a connection is closed.
        public var timeout = 30

        public init() {}
    }

    private let loop: EventLoop
    private let http: OpaquePointer
    private let handler: (HTTPRequest) -> HTTPResponse
    /// The port that it listens on: the system's choice if 0 was asked for.
    public let port: UInt16

    /// - Parameter host: an IPv4 or IPv6 literal; a name would be resolved on the spot, blocking.
    public init(
        on loop: EventLoop, host: String, port: UInt16, limits: Limits = Limits(),
        handler: @escaping (HTTPRequest) -> HTTPResponse
    ) throws(HTTPServerError) {
        guard let http = unsafe evhttp_new(loop.base) else { fatalError("evhttp_new: out of memory") }
        unsafe evhttp_set_max_headers_size(http, limits.headers)
        unsafe evhttp_set_max_body_size(http, limits.body)
        unsafe evhttp_set_timeout(http, Int32(clamping: limits.timeout))
        unsafe evhttp_set_default_content_type(http, nil)
        // All that evhttp knows: which ones are allowed is for the handler to say, path by path.
        unsafe evhttp_set_allowed_methods(http, 0x1FF)
        guard let bound = unsafe evhttp_bind_socket_with_handle(http, host, port) else {
            let reason = unsafe String(cString: strerror(errno))
            unsafe evhttp_free(http)
            throw HTTPServerError(description: "cannot listen on \(host) port \(port): \(reason)")
        }
        self.loop = loop
        unsafe self.http = http
        self.handler = handler
        self.port = unsafe Self.port(of: evhttp_bound_socket_get_fd(bound))
        // Not retained: the server frees evhttp, and with it every request, before it goes.
        unsafe evhttp_set_gencb(
            http,
            { request, argument in
                guard let request = unsafe request, let argument = unsafe argument else { return }
                unsafe Unmanaged<HTTPServer>.fromOpaque(argument).takeUnretainedValue().answer(request)
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    /// Closes the listener and all connections.
    deinit { unsafe evhttp_free(http) }

    private func answer(_ request: OpaquePointer) {
        guard let asked = unsafe Self.read(request) else {
            unsafe evhttp_send_error(request, 400, nil)
            return
        }
        let response = handler(asked)
        let headers = unsafe evhttp_request_get_output_headers(request)
        _ = unsafe evhttp_add_header(headers, "Content-Type", response.contentType)
        if let allow = response.allow { _ = unsafe evhttp_add_header(headers, "Allow", allow) }
        guard let buffer = unsafe evbuffer_new() else { fatalError("evbuffer_new: out of memory") }
        if asked.method == "HEAD" {
            _ = unsafe evhttp_add_header(headers, "Content-Length", String(response.body.count))
        } else {
            _ = unsafe response.body.withUnsafeBytes { unsafe evbuffer_add(buffer, $0.baseAddress, $0.count) }
        }
        unsafe evhttp_send_reply(request, Int32(clamping: response.status), nil, buffer)
        unsafe evbuffer_free(buffer)
    }

    private static func read(_ request: OpaquePointer) -> HTTPRequest? {
        guard let uri = unsafe evhttp_request_get_evhttp_uri(request), let path = unsafe evhttp_uri_get_path(uri),
            let method = unsafe methodName(evhttp_request_get_command(request))
        else { return nil }
        let query = unsafe evhttp_uri_get_query(uri)
        var body: [UInt8] = []
        if let input = unsafe evhttp_request_get_input_buffer(request) {
            body = unsafe Array(repeating: 0, count: evbuffer_get_length(input))
            let count = unsafe body.withUnsafeMutableBytes { unsafe evbuffer_remove(input, $0.baseAddress, $0.count) }
            body.removeLast(body.count - max(0, Int(count)))
        }
        return unsafe HTTPRequest(
            method: method, path: String(cString: path), query: query.map { unsafe String(cString: $0) } ?? "",
            headers: headers(of: request), body: body)
    }

    /// `Limits.headers` bounds them.
    private static func headers(of request: OpaquePointer) -> [String: String] {
        var headers: [String: String] = [:]
        var next = unsafe evhttp_request_get_input_headers(request)?.pointee.tqh_first
        while let header = unsafe next {
            let name = unsafe String(cString: header.pointee.key).lowercased()
            if headers[name] == nil { headers[name] = unsafe String(cString: header.pointee.value) }
            unsafe next = unsafe header.pointee.next.tqe_next
        }
        return headers
    }

    private static func methodName(_ command: evhttp_cmd_type) -> String? {
        switch command {
        case EVHTTP_REQ_GET: "GET"
        case EVHTTP_REQ_HEAD: "HEAD"
        case EVHTTP_REQ_POST: "POST"
        case EVHTTP_REQ_PUT: "PUT"
        case EVHTTP_REQ_DELETE: "DELETE"
        case EVHTTP_REQ_OPTIONS: "OPTIONS"
        case EVHTTP_REQ_TRACE: "TRACE"
        case EVHTTP_REQ_CONNECT: "CONNECT"
        case EVHTTP_REQ_PATCH: "PATCH"
        default: nil
        }
    }

    private static func port(of descriptor: Int32) -> UInt16 {
        var address = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return unsafe withUnsafeMutableBytes(of: &address) { bytes in
            guard let base = bytes.baseAddress,
                unsafe getsockname(descriptor, base.assumingMemoryBound(to: sockaddr.self), &length) == 0
            else { return 0 }
            // sockaddr_in and sockaddr_in6 have their port at the same place.
            return unsafe UInt16(bigEndian: bytes.load(fromByteOffset: 2, as: UInt16.self))
        }
    }
}
