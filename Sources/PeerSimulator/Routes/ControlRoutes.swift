import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

/// The control API, the same on both ports: what a person would do in Keep and in Notion, and what goes wrong.
struct ControlRoutes: Sendable {
    let simulator: Simulator

    func add(to router: Router<SimulatorRequestContext>) {
        let group = router.group("/simulator")
        addPages(to: group)
        addSharing(to: group)
        addNotes(to: group)
        addFaults(to: group)
        addSettings(to: group)
        group.get("/requests") { _, _ in try Self.json(report) }
        group.get("/calls") { _, _ in try Self.json(simulator.calls.all) }
        group.post("/requests/reset") { _, _ in
            simulator.requests.reset()
            simulator.notion.reset()
            return try Self.json(report)
        }
        group.post("/sessions/forget") { _, _ in try Self.json(["forgotten": simulator.noteLibrary.forgetSessions()]) }
    }

    private var report: RequestLog.Report {
        var report = simulator.requests.report
        let notion = simulator.notion.report
        report.notionRequests = notion.requests
        report.notionRefusals = notion.refusals
        report.peakNotionRequestsPerTenSeconds = notion.peak
        return report
    }

    // MARK: - Pages, databases, tokens

    private struct PageList: Encodable {
        let count: Int
        let pages: [NotionPageView]
    }

    private struct TokenChange: Decodable {
        let token: String
    }

    private func addPages(to group: RouterGroup<SimulatorRequestContext>) {
        group.get("/pages") { request, _ in
            let query = FormQuery(request.uri.query ?? "")
            let pages = simulator.pages.pages(databaseID: query["database"], title: query["title"])
            let offset = query["offset"].flatMap { Int($0) } ?? 0
            let limit = query["limit"].flatMap { Int($0) } ?? pages.count
            let shown = pages.dropFirst(max(0, offset)).prefix(max(0, limit)).map {
                NotionPageView(page: $0, withContent: query["content"] != "false")
            }
            return try Self.json(PageList(count: pages.count, pages: shown))
        }
        group.delete("/pages") { _, _ in
            simulator.pages.removeAll()
            return try Self.json(PageList(count: 0, pages: []))
        }
        group.get("/pages/{id}") { _, context in
            try Self.found(simulator.pages.page(id: context.parameters.require("id")), "page")
        }
        group.post("/pages/{id}/{change}") { request, context in
            let id = try context.parameters.require("id")
            let asBlock = FormQuery(request.uri.query ?? "")["as"] == "block"
            let presence: NotionPage.Presence
            switch try context.parameters.require("change") {
            case "trash": presence = .trashed
            case "remove": presence = asBlock ? .removedBlock : .removed
            case "restore": presence = .live
            default: return try Self.notFound("A page can be changed by trash, remove, restore")
            }
            return try Self.found(simulator.pages.setPresence(presence, id: id), "page")
        }
    }

    private func addSharing(to group: RouterGroup<SimulatorRequestContext>) {
        group.post("/databases/{id}/{change}") { _, context in
            let id = try context.parameters.require("id")
            switch try context.parameters.require("change") {
            case "share": simulator.pages.setShared(true, databaseID: id)
            case "unshare": simulator.pages.setShared(false, databaseID: id)
            default: return try Self.notFound("A database can be changed by share, unshare")
            }
            return try Self.json(["database_id": id])
        }
        group.post("/tokens/{change}") { request, context in
            let token = try await Self.decode(TokenChange.self, from: request).token
            switch try context.parameters.require("change") {
            case "revoke": simulator.pages.setRevoked(true, token: token)
            case "restore": simulator.pages.setRevoked(false, token: token)
            default: return try Self.notFound("A token can be changed by revoke, restore")
            }
            return try Self.json(["changed": true])
        }
    }

    private static func found(_ page: NotionPage?, _ kind: String) throws -> Response {
        guard let page else { return try notFound("No such \(kind)") }
        return try json(NotionPageView(page: page, withContent: true))
    }

    // MARK: - Notes

    private struct NoteView: Encodable {
        let note: KeepNote

        private enum CodingKeys: String, CodingKey {
            case id, title, labels, images
            case createdAt = "created_at"
            case modifiedAt = "modified_at"
            case isTrashed = "trashed"
            case isArchived = "archived"
            case isListed = "listed"
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(note.id, forKey: .id)
            try container.encode(note.title, forKey: .title)
            try container.encode(note.labels, forKey: .labels)
            try container.encode(note.images.count, forKey: .images)
            try container.encode(note.created.text(.naive), forKey: .createdAt)
            try container.encode(note.modified.text(.naive), forKey: .modifiedAt)
            try container.encode(note.isTrashed, forKey: .isTrashed)
            try container.encode(note.isArchived, forKey: .isArchived)
            try container.encode(note.isListed, forKey: .isListed)
        }
    }

    private struct NoteList: Encodable {
        /// All notes.
        let count: Int
        /// Those the extractor lists: neither trashed nor archived.
        let listed: Int
        let notes: [NoteView]
    }

    private struct Touched: Encodable {
        let ids: [String]
        let notes: [NoteView]
    }

    private func addNotes(to group: RouterGroup<SimulatorRequestContext>) {
        group.get("/notes") { _, _ in
            let notes = simulator.noteLibrary.notes
            let listed = notes.count(where: \.isListed)
            return try Self.json(NoteList(count: notes.count, listed: listed, notes: notes.map(NoteView.init)))
        }
        group.post("/notes") { request, _ in
            let edit = try await Self.decode(NoteLibrary.Edit.self, from: request)
            return try Self.json(NoteView(note: simulator.noteLibrary.create(edit)), status: .created)
        }
        group.post("/notes/touch") { request, _ in
            let count = FormQuery(request.uri.query ?? "")["count"].flatMap { Int($0) } ?? 1
            let notes = simulator.noteLibrary.touch(count: count)
            return try Self.json(Touched(ids: notes.map(\.id), notes: notes.map(NoteView.init)))
        }
        group.put("/notes/{id}") { request, context in
            let edit = try await Self.decode(NoteLibrary.Edit.self, from: request)
            return try Self.found(simulator.noteLibrary.edit(id: context.parameters.require("id"), edit))
        }
        group.delete("/notes/{id}") { _, context in
            try Self.found(simulator.noteLibrary.trash(id: context.parameters.require("id")))
        }
    }

    private static func found(_ note: KeepNote?) throws -> Response {
        guard let note else { return try notFound("No such note") }
        return try json(NoteView(note: note))
    }

    // MARK: - Faults and settings

    private struct FaultList: Encodable {
        let rules: [FaultInjector.RuleReport]
    }

    private func addFaults(to group: RouterGroup<SimulatorRequestContext>) {
        group.get("/faults") { _, _ in try Self.json(FaultList(rules: simulator.faults.report)) }
        group.delete("/faults") { _, _ in
            simulator.faults.replace(with: [])
            return try Self.json(FaultList(rules: []))
        }
        group.put("/faults") { request, _ in
            let body = try await request.body.collect(upTo: 16 << 20)
            do {
                simulator.faults.replace(with: try FaultRule.plan(json: body.data))
            } catch let error as PeerSimulatorError {
                return try Self.json(["detail": error.message], status: .badRequest)
            }
            return try Self.json(FaultList(rules: simulator.faults.report))
        }
    }

    private func addSettings(to group: RouterGroup<SimulatorRequestContext>) {
        group.get("/settings") { _, _ in try Self.json(simulator.settings) }
        group.put("/settings") { request, _ in
            let change = try await Self.decode(PeerSettings.Change.self, from: request)
            simulator.settings = change.applied(to: simulator.settings)
            return try Self.json(simulator.settings)
        }
    }

    // MARK: - Bodies

    private static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
        try PeerAnswer.json(value, status: status).response
    }

    private static func notFound(_ message: String) throws -> Response {
        try json(["detail": message], status: .notFound)
    }

    /// - Throws: `HTTPError` 400 for a body that is not what it should be.
    private static func decode<Value: Decodable>(_ type: Value.Type, from request: Request) async throws -> Value {
        let body = try await request.body.collect(upTo: 16 << 20)
        do {
            return try JSONDecoder().decode(type, from: body.readableBytes == 0 ? Data("{}".utf8) : body.data)
        } catch {
            throw HTTPError(.badRequest, message: "The body is not the JSON that this call takes")
        }
    }
}
