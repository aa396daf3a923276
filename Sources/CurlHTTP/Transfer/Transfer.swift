import CCurl

/// One exchange under way: its curl handle, what has been sent and what has come back. Lives on the loop's thread.
final class Transfer {
    /// Why the transfer was ended from within a callback; curl only knows that it was.
    enum Abort {
        case bodyTooLarge(limit: Int64)
        case downloadTooLarge(limit: Int64)
        case downloadRefused(String)
        case headersTooLarge
        case writeFailed(errno: Int32)
        case tooLate
        case deadlinePassed
        case wouldBeSentTwice
        case addressRefused(String)
    }

    let order: TransferOrder
    let ticket: AdmissionQueue.Ticket
    let handle: EasyHandle
    let maximumHeaders: Int
    let maximumHeaderBytes: Int

    /// How often curl has been about to write the request on a connection.
    var sendAttempts = 0
    /// Bytes of the body handed to curl.
    var bodyOffset = 0
    var abort: Abort?

    var status = 0
    var headers = HTTPHeaders()
    var headerCount = 0
    var headerBytes = 0
    var headersAreComplete = false
    var body: [UInt8] = []
    var bytesReceived: Int64 = 0

    private let errorText: UnsafeMutablePointer<CChar>
    private var headerList: UnsafeMutablePointer<curl_slist>?

    init(order: TransferOrder, ticket: AdmissionQueue.Ticket, handle: EasyHandle, limits: HTTPClientConfiguration) {
        self.order = order
        self.ticket = ticket
        self.handle = handle
        maximumHeaders = limits.maximumResponseHeaders
        maximumHeaderBytes = limits.maximumResponseHeaderBytes
        errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    }

    deinit {
        curl_slist_free_all(headerList)
        errorText.deallocate()
    }

    /// Whether a byte of the request may have left.
    ///
    /// curl asks before it first writes to a connection, so without an attempt nothing left. After one nothing is
    /// certain: what the kernel took may arrive.
    var mayHaveBeenSent: Bool { sendAttempts > 0 }

    var response: HTTPResponse {
        HTTPResponse(status: status, headers: headers, body: body, bytesReceived: bytesReceived)
    }

    /// Sets every option of the exchange on the handle.
    func configure(_ configuration: HTTPClientConfiguration) throws(EasyHandle.OptionFailure) {
        try setCallbacks()
        try setConnection(configuration)
        try setMessage(configuration)
    }

    private func setCallbacks() throws(EasyHandle.OptionFailure) {
        let context = Unmanaged.passUnretained(self).toOpaque()
        try handle.set(CURLOPT_PRIVATE, pointer: context)
        try handle.set(CURLOPT_ERRORBUFFER, pointer: errorText)
        try handle.set(CURLOPT_HEADERFUNCTION, data: TransferCallbacks.header)
        try handle.set(CURLOPT_HEADERDATA, pointer: context)
        try handle.set(CURLOPT_WRITEFUNCTION, data: TransferCallbacks.write)
        try handle.set(CURLOPT_WRITEDATA, pointer: context)
        try handle.check(
            CURLOPT_PREREQFUNCTION,
            ccurl_setopt_prereq_function(handle.pointer, CURLOPT_PREREQFUNCTION, TransferCallbacks.prerequest)
        )
        try handle.set(CURLOPT_PREREQDATA, pointer: context)
    }

    private func setConnection(_ configuration: HTTPClientConfiguration) throws(EasyHandle.OptionFailure) {
        try handle.set(CURLOPT_URL, order.request.url)
        try handle.set(CURLOPT_PROTOCOLS_STR, "http,https")
        try handle.set(CURLOPT_FOLLOWLOCATION, false)
        try handle.set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        // curl must not touch the process's signal handlers, nor does it need to: since 7.87 all its writes, those of
        // TLS too, raise no SIGPIPE.
        try handle.set(CURLOPT_NOSIGNAL, true)
        // A name server that does not answer must not hold the loop when the transfer is dropped: without this curl
        // joins the resolver's thread, with it the thread is left to end by itself.
        try handle.set(CURLOPT_QUICK_EXIT, true)
        try handle.set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds: configuration.connectTimeout)
        try handle.set(CURLOPT_MAXAGE_CONN, Int(configuration.idleConnectionLifetime.components.seconds))
        try handle.set(CURLOPT_TCP_KEEPALIVE, true)
        try handle.set(CURLOPT_TCP_KEEPIDLE, 30)
        try handle.set(CURLOPT_TCP_KEEPINTVL, 15)
        try handle.set(CURLOPT_SUPPRESS_CONNECT_HEADERS, true)
        try handle.set(CURLOPT_SSL_VERIFYPEER, true)
        try handle.set(CURLOPT_SSL_VERIFYHOST, 2)
        // Not left to how this machine's libraries were built or set up.
        try handle.set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        if let file = configuration.certificateAuthorityFile {
            try handle.set(CURLOPT_CAINFO, file)
        }
        if !configuration.usesProxyFromEnvironment || configuration.addressPolicy == .publicOnly {
            try handle.set(CURLOPT_PROXY, "")
        }
        if configuration.addressPolicy == .publicOnly {
            try setSocketCheck()
        }
        if case .file = order.destination {
            try handle.set(CURLOPT_BUFFERSIZE, 128 * 1024)
        }
    }

    /// curl asks for a socket to each address it wants to connect to, after the name has been resolved: what a name
    /// server says later makes no difference.
    private func setSocketCheck() throws(EasyHandle.OptionFailure) {
        try handle.check(
            CURLOPT_OPENSOCKETFUNCTION,
            ccurl_setopt_socket_function(
                handle.pointer,
                CURLOPT_OPENSOCKETFUNCTION,
                TransferCallbacks.openPublicSocket
            )
        )
        try handle.set(CURLOPT_OPENSOCKETDATA, pointer: Unmanaged.passUnretained(self).toOpaque())
    }

    private func setMessage(_ configuration: HTTPClientConfiguration) throws(EasyHandle.OptionFailure) {
        let request = order.request
        try handle.set(CURLOPT_USERAGENT, configuration.userAgent)
        if request.method == .head {
            try handle.set(CURLOPT_NOBODY, true)
        } else if request.body != nil || !request.method.isSafe {
            if request.signature == nil {
                try setBody(byteCount: request.body?.count ?? 0)
            } else {
                try setSignedBody(request.body ?? [])
            }
            try handle.set(CURLOPT_CUSTOMREQUEST, request.method.rawValue)
        } else if request.method != .get {
            try handle.set(CURLOPT_CUSTOMREQUEST, request.method.rawValue)
        }
        if let signature = request.signature { try sign(signature) }
        try setHeaders()
    }

    /// The body goes out by callback and cannot be rewound: curl would otherwise send it again by itself when a
    /// kept-alive connection ends without an answer.
    private func setBody(byteCount: Int) throws(EasyHandle.OptionFailure) {
        let context = Unmanaged.passUnretained(self).toOpaque()
        try handle.set(CURLOPT_POST, true)
        try handle.set(CURLOPT_POSTFIELDSIZE_LARGE, offset: byteCount)
        try handle.set(CURLOPT_READFUNCTION, data: TransferCallbacks.read)
        try handle.set(CURLOPT_READDATA, pointer: context)
        try handle.check(
            CURLOPT_SEEKFUNCTION,
            ccurl_setopt_seek_function(handle.pointer, CURLOPT_SEEKFUNCTION, TransferCallbacks.seek)
        )
        try handle.set(CURLOPT_SEEKDATA, pointer: context)
    }

    private func setHeaders() throws(EasyHandle.OptionFailure) {
        let headers = order.request.sentHeaders
        // A name and a colon alone take away what curl would add. It would also sign them.
        var lines = order.request.signature == nil ? ["Expect:"] : []
        if order.request.signature == nil, !headers.contains(name: "Content-Type") { lines.append("Content-Type:") }
        for field in headers {
            // A header without a value is written with a semicolon, as a colon would take it away.
            lines.append(field.value.isEmpty ? "\(field.name);" : "\(field.name): \(field.value)")
        }
        for line in lines {
            guard let extended = curl_slist_append(headerList, line) else {
                throw EasyHandle.OptionFailure(option: CURLOPT_HTTPHEADER, code: CURLE_OUT_OF_MEMORY)
            }
            headerList = extended
        }
        try handle.set(CURLOPT_HTTPHEADER, list: headerList)
    }

    /// curl's own words on what went wrong, or its name for the code.
    func reason(for code: CURLcode) -> String {
        let text = String(cString: errorText)
        return text.isEmpty ? String(cString: curl_easy_strerror(code)) : text
    }
}
