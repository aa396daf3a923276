public import CurlHTTP
internal import Foundation
internal import Support

/// Client of the Notion Writer: creates and updates pages.
public struct NotionWriterClient: Sendable {
    private let http: HTTPClient
    private var configuration: NotionWriterConfiguration

    public init(http: HTTPClient, configuration: NotionWriterConfiguration) {
        self.http = http
        self.configuration = configuration
    }

    /// A call that did not succeed.
    struct Failure: Error {
        var fault: NotionFault
        /// For people; without secrets of ours and without words of the peer's, which may quote anything.
        var message: String
        /// Whether Notion refuses the note because of a property of the database, and every note that has one.
        var isOfProperties = false
        /// Whether Notion says that the limit of the whole workspace is reached.
        var limitsWorkspace = false
        /// Whether the answer is about the writer as a whole.
        var isOfPeer = false
        /// Whether the writer took the call and did not answer.
        var isSilence = false
        /// Whether the writer itself has explained why it could not carry out this call, by nothing that holds for
        /// others too.
        var isExplained = false
    }

    /// Whom a call is for and until when it may be sent.
    struct CallContext: Sendable {
        var apiToken: String
        var databaseID: String
        var traceparent: String
        /// The request is not sent after this instant.
        var notAfter: ContinuousClock.Instant
        /// What cuts the call short: neither the loss of the job nor a request to stop does, only the end of the
        /// process.
        var abort: StopSignal
    }

    /// Creates a page.
    ///
    /// - Parameter idempotencyKey: makes the create happen once with a writer that knows the header.
    /// - Returns: the page's identifier.
    func createPage(_ note: NotionNote, idempotencyKey: UUID, _ context: CallContext) async throws(Failure) -> String {
        let body = CreateBody(apiToken: context.apiToken, databaseID: context.databaseID, note: note)
        let headers: HTTPHeaders = [
            "Content-Type": "application/json",
            "Idempotency-Key": "\"\(idempotencyKey.uuidString.lowercased())\"",
        ]
        let response = try await send(.post, ["internal", "notion", "pages"], headers, body, note, context)
        guard response.status == 201 || response.status == 200,
            let answer = try? JSONDecoder().decode(CreateAnswer.self, from: Data(response.body)),
            Self.isUsable(answer.pageID)
        else {
            throw Self.unreadable(response, "a usable field page_id", response.status == 201 ? Self.pageExists : nil)
        }
        return answer.pageID
    }

    /// Updates a page. The writer in use appends the content to what the page holds.
    func updatePage(_ pageID: String, _ note: NotionNote, _ context: CallContext) async throws(Failure) {
        guard Self.isUsable(pageID) else {
            throw Failure(fault: .rejected, message: "The identifier of its page can't stand in an address.")
        }
        let body = UpdateBody(apiToken: context.apiToken, note: note)
        let path = ["internal", "notion", "pages", pageID]
        let headers: HTTPHeaders = ["Content-Type": "application/json"]
        let response = try await send(.patch, path, headers, body, note, context)
        guard let answer = try? JSONDecoder().decode(UpdateAnswer.self, from: Data(response.body)) else {
            throw Self.unreadable(response, "a field updated")
        }
        guard answer.updated else {
            throw Failure(
                fault: .ambiguous(),
                message: "The Notion Writer answered \(response.status) and that the page is not updated."
            )
        }
        if let named = answer.pageID, !Self.isSame(named, pageID) {
            throw Failure(
                fault: .ambiguous(),
                message: "The Notion Writer answered \(response.status) for another page than the one to be updated."
            )
        }
    }

    /// A create was answered with the page that another create has made.
    static let anothersPage = Failure(
        fault: .ambiguous(),
        message: "The Notion Writer answered with the page of another note. \(pageExists)"
    )

    /// Notion writes an identifier with dashes or without.
    private static func isSame(_ one: String, _ other: String) -> Bool {
        func plain(_ id: String) -> String { id.lowercased().filter { $0 != "-" } }
        return one == other || plain(one) == plain(other)
    }

    /// A well-formed identifier that Notion, whose own are random, has given to nothing.
    private static let nowhere = "00000000-0000-4000-8000-000000000000"

    /// Returns if such calls get through to Notion: asks for a page in a database, or for the update of a page, that
    /// does not exist. That changes nothing, and Notion alone can refuse it.
    func reachNotion(by operation: Intent.Operation, _ context: CallContext) async throws(Failure) {
        do throws(Failure) {
            switch operation {
            case .create:
                var context = context
                context.databaseID = Self.nowhere
                _ = try await createPage(.nothing, idempotencyKey: UUID.random(), context)
            case .update: try await updatePage(Self.nowhere, .nothing, context)
            }
        } catch {
            switch error.fault {
            case .pageGone, .pageTrashed, .rejected, .conflict, .throttled, .tokenInvalid, .databaseGone: return
            case .ambiguous, .unreachable, .wrongEndpoint, .aborted, .tooManyOpenFiles: throw error
            }
        }
    }

    /// What the writer says of itself.
    func condition() async -> PeerCondition {
        await PeerCondition {
            let url = try HTTPRequest.url(base: configuration.url, path: "/health")
            return try await http.execute(HTTPRequest(url: url, timeout: min(configuration.timeout, .seconds(5))))
        }
    }

    /// Longest time of a call that finds out whether a peer is back: a silent one that comes back while it waits is
    /// found with the next.
    static let probeTimeout = Duration.seconds(12)

    /// The same client with the time limit of a probe.
    var probing: NotionWriterClient {
        var copy = self
        copy.configuration.timeout = min(configuration.timeout, Self.probeTimeout)
        return copy
    }

    /// Longest time of one call.
    var timeout: Duration { configuration.timeout }

    /// A status of success with something else than the answer that belongs to it, as a page of a proxy: it may be
    /// true.
    private static func unreadable(_ response: HTTPResponse, _ what: String, _ meaning: String? = nil) -> Failure {
        let message = "The Notion Writer answered \(response.status) without \(what)."
        return Failure(fault: .ambiguous(), message: [message, meaning].compactMap(\.self).joined(separator: " "))
    }

    /// 201 is the writer's word for a page that was made; 200 a proxy says as well.
    static let pageExists = "A page exists whose id is not known."

    /// Whether an identifier fits the tables, a line of a log and one segment of a path.
    private static func isUsable(_ pageID: String) -> Bool {
        let scalars = pageID.unicodeScalars
        // One that nobody can read names no page.
        return scalars.contains { $0.isVisibleLetterOrDigit } && scalars.count <= 255
            && !scalars.contains { $0.properties.generalCategory == .control }
    }

    /// Sends a call and returns its answer if that has a status of success.
    private func send(
        _ method: HTTPMethod,
        _ path: [String],
        _ headers: HTTPHeaders,
        _ body: some Encodable & Sendable,
        _ note: NotionNote,
        _ context: CallContext
    ) async throws(Failure) -> HTTPResponse {
        let response: HTTPResponse
        do {
            let json = try await workThrough(bytes: note.content.utf8.count) { _ in
                let encoder = JSONEncoder()
                encoder.outputFormatting = .withoutEscapingSlashes
                return Array(try encoder.encode(body))
            }
            let request = HTTPRequest(
                method: method,
                url: try HTTPRequest.url(base: configuration.url, path: path),
                headers: headers,
                body: json,
                timeout: configuration.timeout,
                notAfter: context.notAfter,
                traceparent: context.traceparent
            )
            response = try await SyncMetrics.measuring("notion_writer", method == .post ? "create" : "update") {
                try await http.execute(request, until: context.abort)
            }
        } catch let error as CurlHTTPError {
            throw Self.failure(error)
        } catch is CancellationError {
            throw Failure(fault: .aborted, message: "The job ended before the note was sent.")
        } catch {
            throw Failure(fault: .rejected, message: "The note can't be written as JSON.")
        }
        if response.isSuccess { return response }
        throw Self.failure(response, creates: method == .post, NoteWords(note))
    }

    private static func failure(_ response: HTTPResponse, creates: Bool, _ words: NoteWords) -> Failure {
        if (300..<400).contains(response.status) {
            return Failure(
                fault: .wrongEndpoint,
                message:
                    "The Notion Writer's address answers with a redirect (\(response.status)), which is not followed"
            )
        }
        let detail = response.detail
        let fault = NotionFault(
            status: response.status,
            message: detail,
            retryAfter: response.retryAfter,
            creates: creates,
            isExplained: response.hasDetail,
            words: words
        )
        return Failure(
            fault: fault,
            message: "The Notion Writer answered \(response.status): \(PeerExplanation.kept(of: detail))",
            isOfProperties: fault == .rejected && NotionFault.blamesProperty(detail, words),
            limitsWorkspace: response.limitsWorkspace,
            isOfPeer: response.status == 503,
            isExplained: response.explainsCall(PeerMessage.prefixes)
        )
    }

    private static func failure(_ error: CurlHTTPError) -> Failure {
        let message = "The Notion Writer at NOTION_WRITER_URL \(error.whatBecame(of: "called")): \(error)"
        if error.requestMayHaveBeenSent {
            return Failure(fault: .ambiguous(), message: message, isSilence: true)
        }
        switch error.code {
        case .cancelled, .tooLate, .shutDown: return Failure(fault: .aborted, message: message)
        case .tooManyOpenFiles: return Failure(fault: .tooManyOpenFiles, message: message)
        case .invalidRequest: return Failure(fault: .wrongEndpoint, message: message)
        default: return Failure(fault: .unreachable, message: message)
        }
    }
}

extension Unicode.Scalar {
    /// Fillers are letters too, and are not seen.
    fileprivate var isVisibleLetterOrDigit: Bool {
        (properties.isAlphabetic || properties.numericType != nil) && !properties.isDefaultIgnorableCodePoint
    }
}

private struct CreateBody: Encodable, Sendable {
    var apiToken: String
    var databaseID: String
    var note: NotionNote

    private enum CodingKeys: String, CodingKey {
        case apiToken = "api_token"
        case databaseID = "database_id"
        case note
    }
}

private struct UpdateBody: Encodable, Sendable {
    var apiToken: String
    var note: NotionNote

    private enum CodingKeys: String, CodingKey {
        case apiToken = "api_token"
        case note
    }
}

private struct CreateAnswer: Decodable {
    var pageID: String

    private enum CodingKeys: String, CodingKey {
        case pageID = "page_id"
    }
}

private struct UpdateAnswer: Decodable {
    var updated: Bool
    var pageID: String?

    private enum CodingKeys: String, CodingKey {
        case updated
        case pageID = "page_id"
    }
}
