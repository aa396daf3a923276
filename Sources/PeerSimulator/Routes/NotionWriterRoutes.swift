import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

/// The Notion Writer.
struct NotionWriterRoutes: Sendable {
    private static let largestBody = 256 << 20
    private static let idempotencyKey = HTTPField.Name("Idempotency-Key")!

    let simulator: Simulator
    private let responder: PeerResponder

    init(simulator: Simulator) {
        self.simulator = simulator
        responder = PeerResponder(simulator: simulator)
    }

    func add(to router: Router<SimulatorRequestContext>) {
        router.get("/health") { _, context in
            try await responder.respond(to: PeerCall(peer: .writer, operation: .health), in: context) {
                try .json(["status": "healthy", "service": "notion_writer"])
            }
        }
        router.post("/internal/notion/pages") { request, context in try await create(request, context) }
        router.patch("/internal/notion/pages/{page_id}") { request, context in try await update(request, context) }
    }

    private struct Created: Encodable {
        let pageID: String
        let url: String

        private enum CodingKeys: String, CodingKey {
            case url
            case pageID = "page_id"
        }
    }

    private struct Updated: Encodable {
        let pageID: String
        let updated = true

        private enum CodingKeys: String, CodingKey {
            case updated
            case pageID = "page_id"
        }
    }

    private func create(_ request: Request, _ context: SimulatorRequestContext) async throws -> Response {
        let key = IdempotencyKey(header: request.headers[Self.idempotencyKey])
        simulator.requests.recordIdempotencyKey(key)
        let body = try await request.body.collect(upTo: Self.largestBody)
        guard let page = Self.decode(body), !page.databaseID.isEmpty else {
            return try await refuse(body, as: .create, in: context)
        }
        let call = PeerCall(
            peer: .writer,
            operation: .create,
            databaseID: page.databaseID,
            title: page.note.title,
            content: page.note.content,
            labels: page.note.labels,
            filenames: page.note.images.map(\.filename),
            idempotencyKey: key.text
        )
        let titleKey = page.databaseID + "\0" + page.note.title
        simulator.requests.beginWriterCall(token: page.apiToken, titleKey: titleKey)
        defer { simulator.requests.endWriterCall(titleKey: titleKey) }
        return try await responder.respond(to: call, in: context) {
            try await throughNotion(page, as: .create) { try create(page, key: key) }
        }
    }

    private func create(_ request: PageRequest, key: IdempotencyKey) throws -> PeerAnswer {
        let settings = simulator.settings
        let honours = settings.idempotency == .honour
        if honours, key == .malformed {
            return try .detail("Idempotency-Key must be a quoted structured-field string", status: .badRequest)
        }
        do {
            let (page, isReplay) = try simulator.pages.create(
                request,
                key: honours ? key.text : nil,
                seenKey: key.text,
                forgetsContents: settings.forgetsContents
            )
            simulator.calls.report(isReplay ? .replayed : .created, page: page.id)
            if isReplay { simulator.requests.recordIdempotentReplay() }
            return try .json(Created(pageID: page.id, url: page.url), status: .created)
        } catch let message as NotionMessage {
            simulator.calls.reportRefusal(message.text)
            return try .detail(Operation.create.failure(message.text), status: .internalServerError)
        }
    }

    private func update(_ request: Request, _ context: SimulatorRequestContext) async throws -> Response {
        let id = try context.parameters.require("page_id")
        let body = try await request.body.collect(upTo: Self.largestBody)
        guard let page = Self.decode(body) else { return try await refuse(body, as: .update, pageID: id, in: context) }
        let existing = simulator.pages.page(id: id)
        let call = PeerCall(
            peer: .writer,
            operation: .update,
            databaseID: existing?.databaseID,
            pageID: id,
            title: page.note.title,
            content: page.note.content,
            labels: page.note.labels,
            filenames: page.note.images.map(\.filename)
        )
        let titleKey = existing.map { $0.databaseID + "\0" + $0.title } ?? id
        simulator.requests.beginWriterCall(token: page.apiToken, titleKey: titleKey)
        defer { simulator.requests.endWriterCall(titleKey: titleKey) }
        return try await responder.respond(to: call, in: context) {
            try await throughNotion(page, as: .update) { try update(id, with: page) }
        }
    }

    private func update(_ id: String, with request: PageRequest) throws -> PeerAnswer {
        do {
            try simulator.pages.update(id: id, with: request, forgetsContents: simulator.settings.forgetsContents)
            simulator.calls.report(.updated, page: id)
            return try .json(Updated(pageID: id))
        } catch let message as NotionMessage {
            simulator.calls.reportRefusal(message.text)
            return try .detail(Operation.update.failure(message.text), status: .internalServerError)
        }
    }

    /// Does what a call is for when its requests have got through to Notion; others wait meanwhile where the writer
    /// serves one at a time.
    private func throughNotion(
        _ page: PageRequest,
        as operation: Operation,
        _ work: () throws -> PeerAnswer
    ) async throws -> PeerAnswer {
        let settings = simulator.settings
        let pass = settings.serialisesWriter ? await simulator.writerGate.enter() : nil
        defer { pass?.release() }
        guard settings.notionRate > 0 else { return try work() }
        do {
            try await simulator.notion.write(
                token: page.apiToken,
                rate: settings.notionRate,
                burst: settings.notionBurst,
                sleep: responder.pause
            )
        } catch let message as NotionMessage {
            return try .detail(operation.failure(message.text), status: .internalServerError)
        }
        return try work()
    }

    /// Nil for a body that fails validation; `refuse` then finds out all that is wrong with it.
    private static func decode(_ body: ByteBuffer) -> PageRequest? {
        try? JSONDecoder().decode(PageRequest.self, from: body.data)
    }

    private func refuse(
        _ body: ByteBuffer,
        as operation: Operation,
        pageID: String? = nil,
        in context: SimulatorRequestContext
    ) async throws -> Response {
        // `try?`: what is no JSON at all has an answer of its own.
        let json = try? JSONDecoder().decode(JSONValue.self, from: body.data)
        let call = PeerCall(
            peer: .writer,
            operation: operation,
            databaseID: json?["database_id"]?.stringValue,
            pageID: pageID,
            title: json?["note"]?["title"]?.stringValue,
            content: json?["note"]?["content"]?.stringValue
        )
        return try await responder.respond(to: call, in: context) {
            guard let json else { return try .detail([ValidationIssue.invalidJSON], status: .unprocessableContent) }
            let issues = PageRequestValidation(body: json, needsDatabase: operation == .create).issues
            if issues.isEmpty, let databaseID = json["database_id"]?.stringValue {
                // Well-formed but empty: FastAPI lets it through and Notion does not know it.
                let message = NotionMessage.databaseNotFound(databaseID)
                return try .detail(operation.failure(message.text), status: .internalServerError)
            }
            return try .detail(issues, status: .unprocessableContent)
        }
    }
}
