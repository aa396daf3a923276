import CCurl
import Support

extension CurlHTTPError {
    /// An error of one request: its method and URL before the reason, an advice after it.
    init(
        _ code: Code,
        of order: TransferOrder,
        reason: String,
        requestMayHaveBeenSent: Bool,
        file: String = #fileID,
        line: Int = #line
    ) {
        let advice = code.advice.map { " " + $0 } ?? ""
        self.init(
            code,
            "\(order.request.method) \(order.target.redacted) failed: \(reason).\(advice)",
            reason: reason,
            requestMayHaveBeenSent: requestMayHaveBeenSent,
            file: file,
            line: line
        )
    }
}

extension CurlHTTPError.Code {
    /// The meaning of a curl code.
    ///
    /// - Parameter requestBegan: Whether sending had begun; curl uses some codes for faults of either side.
    init(curl: CURLcode, requestBegan: Bool) {
        self =
            switch curl {
            case CURLE_URL_MALFORMAT: .invalidRequest
            case CURLE_UNSUPPORTED_PROTOCOL: requestBegan ? .malformedResponse : .invalidRequest
            case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: .couldNotResolve
            case CURLE_COULDNT_CONNECT, CURLE_PROXY, CURLE_INTERFACE_FAILED: .couldNotConnect
            case CURLE_OPERATION_TIMEDOUT: .timedOut
            case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
                CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_ENGINE_NOTFOUND,
                CURLE_SSL_ENGINE_SETFAILED, CURLE_SSL_ENGINE_INITFAILED, CURLE_SSL_CRL_BADFILE,
                CURLE_SSL_PINNEDPUBKEYNOTMATCH, CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_SHUTDOWN_FAILED:
                .tls
            case CURLE_GOT_NOTHING, CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_SEND_FAIL_REWIND:
                requestBegan ? .connectionReset : .couldNotConnect
            case CURLE_PARTIAL_FILE: .incompleteResponse
            case CURLE_WEIRD_SERVER_REPLY, CURLE_BAD_CONTENT_ENCODING: .malformedResponse
            case CURLE_FILESIZE_EXCEEDED: .responseTooLarge
            // curl has no other code for a header line above its own bound of 100 KiB.
            case CURLE_OUT_OF_MEMORY: requestBegan ? .responseTooLarge : .internalFailure
            default: .internalFailure
            }
    }

    fileprivate var advice: String? {
        switch self {
        case .couldNotResolve: "Check the host name in the URL and the name server."
        case .couldNotConnect: "Check that the service runs and can be reached from here."
        case .addressRefused: "If this host is meant, allow it by name."
        case .tls: "Check the certificate of the server and the trusted certificate authorities."
        case .responseTooLarge, .downloadTooLarge: "Raise the limit if an answer of this size is meant."
        case .writeFailed: "Check the free space of the disk."
        case .tooManyOpenFiles: OpenFiles.advice
        case .malformedResponse: "Check that an HTTP server answers at this address."
        default: nil
        }
    }
}
