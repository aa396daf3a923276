public import CurlHTTP
internal import Foundation
internal import JobQueue
internal import Support

/// Client of the Keep Extractor: logs a user in and fetches the user's notes.
public struct KeepExtractorClient: Sendable {
    private let http: HTTPClient
    private var configuration: KeepExtractorConfiguration
    private let space: FetchSpace

    public init(http: HTTPClient, configuration: KeepExtractorConfiguration) {
        self.http = http
        self.configuration = configuration
        space = FetchSpace(maximumBytes: configuration.maximumWorkerBytes)
    }

    /// Logs the user in. What a fetch finds is as fresh as this.
    ///
    /// - Throws: `NoteSyncError`. A refusal is transient: a bad token and a passing fault of Google read the same.
    func authenticate(username: String, credentials: Credentials, traceparent: String) async throws {
        let body = try JSONEncoder().encode(["username": username, "master_token": credentials.googleToken])
        let response = try await send("log in", "auth") {
            try await http.execute(
                HTTPRequest(
                    method: .post,
                    url: try HTTPRequest.url(base: configuration.url, path: "/internal/keep/auth"),
                    headers: ["Content-Type": "application/json"],
                    body: Array(body),
                    timeout: configuration.authenticationTimeout,
                    traceparent: traceparent
                )
            )
        }
        guard response.status == 200 else { throw fault(response, doing: "log in") }
        struct Answer: Decodable {
            var status: String
            var error: String?
        }
        guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(response.body)) else {
            throw malformed("its answer to the login is not the JSON object expected")
        }
        guard answer.status == "authenticated" else {
            throw NoteSyncError(
                .loginFailed,
                .transient(),
                "Google Keep refused the login of user \(username) (\(answer.error.map(PeerExplanation.kept) ?? "it gave no reason")). If it "
                    + "goes on, store a new master token with: \(credentials.setCommand(of: UserID(username)))"
            )
        }
    }

    /// What came of asking for the notes.
    enum Fetch {
        /// The list was received.
        case notes(NoteListFile)
        /// The extractor does not know the session any more; log in again.
        case notAuthenticated
    }

    /// Fetches the notes modified at or after `since`, all of them if nil, into a temporary file.
    func fetchNotes(
        username: String,
        since: KeepTimestamp?,
        limit: Int?,
        traceparent: String,
        progress: AnswerProgress = AnswerProgress()
    ) async throws -> Fetch {
        var query = [("username", username), ("upload_images", "true")]
        if let since {
            query.append(
                ("modified_since", configuration.modifiedSince == .naive ? since.naiveText : since.offsetText)
            )
        }
        if let limit { query.append(("limit", String(limit))) }
        let file = try TemporaryFile(in: space)
        let response = try await send("fetch the notes", "notes") {
            try await http.download(
                HTTPRequest(
                    url: try HTTPRequest.url(base: configuration.url, path: "/internal/keep/notes", query: query),
                    timeout: configuration.notesTimeout,
                    maximumDownloadBytes: min(configuration.maximumBytes, configuration.maximumWorkerBytes),
                    downloadRefusal: { bytes in
                        progress.bytesCame()
                        return file.refusal(of: bytes)
                    },
                    traceparent: traceparent
                ),
                to: file.descriptor
            )
        }
        if response.status == 401 { return .notAuthenticated }
        guard response.status == 200 else { throw fault(response, doing: "fetch the notes") }
        do {
            return .notes(try await NoteListFile.scan(file, maximumNotes: configuration.maximumNotes))
        } catch NoteListScanner.Failure.truncated {
            throw malformed("its list of notes is cut off after \(response.bytesReceived) bytes")
        } catch NoteListScanner.Failure.tooMany(let count) {
            throw NoteSyncError(
                .malformedAnswer,
                .permanent,
                "The Keep Extractor lists more than \(Count.of(count, "note")). Raise SYNC_MAX_FETCH_NOTES if they are real."
            )
        } catch NoteListScanner.Failure.unexpected(let what, let offset) {
            throw malformed("its list of notes can't be read: \(what), at byte \(offset)")
        }
    }

    /// The same client with the time limits of a probe.
    var probing: KeepExtractorClient {
        var copy = self
        copy.configuration.authenticationTimeout = min(
            configuration.authenticationTimeout,
            NotionWriterClient.probeTimeout
        )
        return copy
    }

    /// What the extractor says of itself.
    func condition() async -> PeerCondition {
        await PeerCondition {
            let url = try HTTPRequest.url(base: configuration.url, path: "/health")
            return try await http.execute(HTTPRequest(url: url, timeout: .seconds(5)))
        }
    }

    /// What the answer to a login shows of the extractor, be it that it refuses the user.
    ///
    /// - Throws: `CancellationError`.
    func condition(byLoginOf username: String, credentials: Credentials, traceparent: String) async throws
        -> PeerCondition
    {
        do {
            try await authenticate(username: username, credentials: credentials, traceparent: traceparent)
            return .well
        } catch let error as NoteSyncError {
            switch error.code {
            // It has read what this user is, and does not like it.
            case .loginFailed, .refusedRequest: return .well
            case .throttled where error.pauseRequest?.isOfPeer == false: return .well
            case .unreachable: return .unreached
            case .peerFailed where error.isSilence: return .silent
            // One call is enough to see that.
            case .peerFailed where error.isUnavailability: return .ill
            // It may fail this one account.
            default: return await condition()
            }
        }
    }

    private func send(
        _ action: String,
        _ operation: String,
        _ request: () async throws -> HTTPResponse
    ) async throws -> HTTPResponse {
        do {
            return try await SyncMetrics.measuring("keep_extractor", operation, request)
        } catch let error as CurlHTTPError {
            if error.code == .cancelled { throw CancellationError() }
            if error.code == .tooManyOpenFiles {
                throw NoteSyncError.tooManyOpenFiles("The Keep Extractor can't be asked to \(action): \(error)")
            }
            if error.code == .downloadRefused {
                throw NoteSyncError.machineFault("The list of notes can't be kept now: \(error)")
            }
            if error.code == .writeFailed {
                throw NoteSyncError.machineFault(
                    "The notes can't be kept in the folder \(TemporaryFolder.path) of this machine: \(error) \(TemporaryFolder.advice(ENOSPC))."
                )
            }
            if error.code == .internalFailure {
                throw NoteSyncError(.localFault, .transient(), "The notes can't be kept on this machine: \(error)")
            }
            if error.code == .downloadTooLarge {
                let isOfWorker = configuration.maximumWorkerBytes < configuration.maximumBytes
                throw NoteSyncError(
                    .malformedAnswer,
                    .permanent,
                    """
                    The Keep Extractor sent more than allowed to \(action): \(error) The limit is \
                    \(isOfWorker ? "SYNC_MAX_WORKER_FETCH_BYTES" : "SYNC_MAX_FETCH_BYTES").
                    """
                )
            }
            throw NoteSyncError(
                error.requestMayHaveBeenSent ? .peerFailed : .unreachable,
                .transient(),
                "The Keep Extractor at KEEP_EXTRACTOR_URL \(error.whatBecame(of: "asked")) to \(action): \(error)",
                isSilence: error.requestMayHaveBeenSent
            )
        }
    }

    private func malformed(_ what: String) -> NoteSyncError {
        NoteSyncError(.malformedAnswer, .transient(), "The Keep Extractor answered something unusable: \(what).")
    }

    private func fault(_ response: HTTPResponse, doing action: String) -> NoteSyncError {
        let said = PeerExplanation.kept(of: response.detail)
        let message = "The Keep Extractor failed to \(action) (\(response.status)): \(said)"
        let pause = response.retryAfter.map { min($0, NoteSyncError.longestPause) }
        switch response.status {
        case 300..<400:
            return NoteSyncError(
                .refusedRequest,
                .transient(),
                "KEEP_EXTRACTOR_URL answers with a redirect (\(response.status)), which is not followed. Set it to the address of the "
                    + "Keep Extractor itself."
            )
        case 429, 529:
            // "Retry-After: 0" spends no attempt either: without a floor the job would come back at once, without end.
            let wait = max(response.retryAfter ?? .seconds(60), .seconds(5))
            let request = NoteSyncError.PauseRequest(isOfPeer: false, wait: wait)
            return NoteSyncError(.throttled, .snooze(wait), message, pauseRequest: request)
        case 503 where response.retryAfter.map { $0 > .zero } ?? false:
            let request = NoteSyncError.PauseRequest(isOfPeer: true, wait: response.retryAfter)
            return NoteSyncError(.throttled, .snooze(response.retryAfter ?? .zero), message, pauseRequest: request)
        case 400 where response.detail.contains("modified_since"):
            return NoteSyncError(.refusedRequest, .permanent, "\(message). Check KEEP_MODIFIED_SINCE_FORMAT.")
        case 500 where said.contains("offset-naive"):
            let other = configuration.modifiedSince == .naive ? "offset" : "naive"
            return NoteSyncError(.refusedRequest, .permanent, "\(message). Set KEEP_MODIFIED_SINCE_FORMAT=\(other).")
        case 403, 404, 405:
            // An ingress answers so while the extractor behind it is deployed.
            return NoteSyncError(
                .peerFailed,
                .transient(notBefore: pause),
                "\(message). If it goes on, check KEEP_EXTRACTOR_URL."
            )
        case 400, 413, 422:
            return NoteSyncError(.refusedRequest, .permanent, "\(message). Check KEEP_EXTRACTOR_URL and its version.")
        default:
            return NoteSyncError(
                .peerFailed,
                .transient(notBefore: pause),
                message,
                isUnavailability: (502...504).contains(response.status),
                isExplained: response.explainsCall(["Failed to extract notes:"])
            )
        }
    }
}
