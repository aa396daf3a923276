import CCurl
import Foundation
import Support

extension Transfer {
    /// The error of a transfer that curl ended with a code, or that a callback ended.
    func failure(_ curlCode: CURLcode) -> CurlHTTPError {
        if let abort { return failure(abort) }
        let code = CurlHTTPError.Code(curl: curlCode, requestBegan: sendAttempts > 0)
        // curl says "Out of memory" of its own bound.
        let isLongHeader = curlCode == CURLE_OUT_OF_MEMORY && code == .responseTooLarge
        let text = isLongHeader ? "a line of the header is longer than 100 KiB" : reason(for: curlCode)
        // curl was about to send again what must not be: the fault to report is that of the first connection.
        let isFaultOfRepetition = sendAttempts > 0 && status == 0 && Self.beforeSending.contains(code)
        if isFaultOfRepetition {
            return error(.connectionReset, "\(whatWasSent(curlCode)); no new connection could be made either (\(text))")
        }
        if code == .connectionReset {
            let why = curlCode == CURLE_SEND_FAIL_REWIND ? "" : " (\(text))"
            return error(.connectionReset, whatWasSent(curlCode) + why)
        }
        if sendAttempts == 0, Self.forWantOfFiles.contains(code), isForWantOfFiles {
            return error(.tooManyOpenFiles, OpenFiles.exhaustion)
        }
        return error(code, text)
    }

    /// How curl fails when it can open no socket, no pipe to the thread that resolves a name, or no file of
    /// certificates.
    private static let forWantOfFiles: Set<CurlHTTPError.Code> = [
        .couldNotConnect, .couldNotResolve, .tls, .internalFailure,
    ]

    private var isForWantOfFiles: Bool {
        OpenFiles.isExhaustion(Int32(truncatingIfNeeded: handle.number(CURLINFO_OS_ERRNO))) || OpenFiles.areExhausted
    }

    /// The error of a transfer that the client ended.
    func failure(_ code: CurlHTTPError.Code, reason: String) -> CurlHTTPError {
        error(code, reason)
    }

    private static let beforeSending: Set<CurlHTTPError.Code> = [.couldNotConnect, .couldNotResolve, .tls]

    private func failure(_ abort: Abort) -> CurlHTTPError {
        switch abort {
        case .bodyTooLarge(let limit): error(.responseTooLarge, "the body is larger than \(limit) bytes")
        case .downloadTooLarge(let limit): error(.downloadTooLarge, "the body is larger than \(limit) bytes")
        case .downloadRefused(let reason): error(.downloadRefused, reason)
        case .headersTooLarge:
            error(
                .responseTooLarge,
                "the header is larger than \(maximumHeaders) fields or \(maximumHeaderBytes) bytes"
            )
        case .writeFailed(let number):
            error(.writeFailed, "the body could not be written to the file: \(String(cString: strerror(number)))")
        case .addressRefused(let address):
            error(.addressRefused, "the host's address \(address) is not a public one")
        case .deadlinePassed:
            error(.timedOut, "its time of \(order.request.timeout) had passed before the whole of it could be sent")
        case .tooLate: error(.tooLate, "the time until which it could be sent had passed")
        case .wouldBeSentTwice:
            error(.connectionReset, whatWasSent(CURLE_OK))
        }
    }

    /// How far the request had gone when the connection ended without an answer.
    private func whatWasSent(_ curlCode: CURLcode) -> String {
        let isWhole = order.request.signature == nil && bodyOffset == order.request.body?.count ?? 0
        return isWhole && curlCode != CURLE_SEND_ERROR
            ? "the request had been sent, and the connection ended without an answer"
            : "the connection ended while the request was being sent"
    }

    private func error(_ code: CurlHTTPError.Code, _ reason: String) -> CurlHTTPError {
        CurlHTTPError(code, of: order, reason: reason, requestMayHaveBeenSent: mayHaveBeenSent)
    }
}
