public import Support

/// An HTTP/1.1 client: kept-alive connections and a deadline per request, on one thread of its own over libcurl.
///
/// Certificates are verified. Redirects are not followed, nothing is decompressed, and a request that may change
/// something on the server is given to it at most once: when a kept-alive connection ends without an answer, the
/// error is ``CurlHTTPError/Code/connectionReset`` and the caller decides.
public final class HTTPClient: Sendable {
    private let mailbox: TransferMailbox

    public init(configuration: HTTPClientConfiguration = .init()) {
        mailbox = TransferMailbox()
        TransferLoop.start(mailbox: mailbox, configuration: configuration)
    }

    deinit {
        mailbox.close()
    }

    /// Sends the request and takes the whole response into memory, whatever its status.
    ///
    /// - Throws: ``CurlHTTPError``; ``CurlHTTPError/Code/cancelled`` at once when the task is cancelled.
    public func execute(_ request: HTTPRequest) async throws -> HTTPResponse {
        try await perform(request, destination: .memory)
    }

    /// As ``execute(_:)``, but hears the answer out when the task is cancelled.
    ///
    /// - Parameter abort: what ends the request with ``CurlHTTPError/Code/cancelled`` in the task's place.
    public func execute(_ request: HTTPRequest, until abort: StopSignal) async throws -> HTTPResponse {
        try await perform(request, destination: .memory, abort: abort)
    }

    /// Sends the request and writes the body of a 2xx response to a file as it arrives; another response's body is
    /// held in memory within ``HTTPRequest/maximumResponseBytes``.
    ///
    /// - Parameter file: Descriptor of a regular file, written from its current position, not closed. It must stay
    ///   open until this returns. After an error it may hold a part of the body.
    /// - Throws: ``CurlHTTPError``; ``CurlHTTPError/Code/writeFailed`` if the file takes no more.
    public func download(_ request: HTTPRequest, to file: Int32) async throws -> HTTPResponse {
        try await perform(request, destination: .file(file))
    }

    /// Ends every request under way with ``CurlHTTPError/Code/shutDown`` and closes the connections.
    ///
    /// Returns at once; later requests fail likewise.
    public func shutdown() {
        mailbox.close()
    }

    /// Counters since the start and the load at this moment.
    public var statistics: HTTPClientStatistics {
        mailbox.statistics.withLock { $0 }
    }

    /// How long a call waits for a file descriptor while the process has none left: calls that are under way end
    /// meanwhile.
    private static let descriptorPatience = Duration.seconds(5)
    private static let descriptorInterval = Duration.milliseconds(100)

    private func perform(
        _ request: HTTPRequest,
        destination: TransferOrder.Destination,
        abort: StopSignal? = nil
    ) async throws -> HTTPResponse {
        let deadline = ContinuousClock.now.advanced(by: request.timeout)
        let patience = min(deadline, .now + Self.descriptorPatience)
        while true {
            do {
                return try await transfer(request, destination, deadline: deadline, abort)
            } catch let error as CurlHTTPError
                where error.code == .tooManyOpenFiles && .now + Self.descriptorInterval < patience && !Task.isCancelled
            {
                // Nothing was sent. A task that is cancelled meanwhile is told so by the next try, or this error.
                try? await DeadlineQueue.shared.sleep(for: Self.descriptorInterval)
            }
        }
    }

    private func transfer(
        _ request: HTTPRequest,
        _ destination: TransferOrder.Destination,
        deadline: ContinuousClock.Instant,
        _ abort: StopSignal?
    ) async throws -> HTTPResponse {
        let target = try RequestTarget(url: request.url)
        if let fault = request.fault {
            throw CurlHTTPError(.invalidRequest, "\(target.redacted) cannot be requested: \(fault).", reason: fault)
        }
        let identifier = mailbox.makeIdentifier()
        let cancellation = CancellationFlag()
        let cancel: @Sendable () -> Void = { [mailbox] in
            cancellation.set()
            mailbox.cancel(identifier)
        }
        let send = { [mailbox] in
            try await withCheckedThrowingContinuation { continuation in
                let order = TransferOrder(
                    identifier: identifier,
                    request: request,
                    target: target,
                    destination: destination,
                    deadline: deadline,
                    cancellation: cancellation,
                    continuation: continuation
                )
                if !mailbox.submit(order) { order.fail(.shutDown, reason: "the client was shut down") }
            }
        }
        guard let abort else { return try await withTaskCancellationHandler(operation: send, onCancel: cancel) }
        let watch = abort.whenRequested(cancel)
        defer { abort.forget(watch) }
        return try await send()
    }
}
