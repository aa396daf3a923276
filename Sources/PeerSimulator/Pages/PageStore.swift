import Foundation
import Support

/// The pages Notion holds, the databases shared with the integration, and the tokens it accepts.
final class PageStore: Sendable {
    private struct State {
        var pages: [String: NotionPage] = [:]
        /// Page ids in the order of creation.
        var order: [String] = []
        /// Idempotency key to the page it made.
        var keys: [String: String] = [:]
        var unsharedDatabases: Set<String> = []
        var revokedTokens: Set<String> = []
    }

    /// Whether the writer of this task dies halfway through a text.
    @TaskLocal static var writesHalf = false

    private let state = Mutex(State())
    private let tokens: Set<String>
    private let databases: Set<String>

    /// - Parameters:
    ///   - tokens: Valid tokens; empty for any but empty ones and those that start with "bad".
    ///   - databases: Shared databases; empty for any but those that start with "unknown", and the one by which a
    ///     caller finds out
    ///     whether calls get through.
    init(tokens: Set<String>, databases: Set<String>) {
        self.tokens = tokens
        self.databases = databases
    }

    // MARK: - Writing as the writer does

    /// A new page, or the one an earlier create with the same key made.
    ///
    /// - Parameter key: Nil where the writer does not honour keys; the page remembers `seenKey` all the same.
    /// - Throws: `NotionMessage`.
    func create(
        _ request: PageRequest,
        key: String?,
        seenKey: String?,
        forgetsContents: Bool
    ) throws(NotionMessage) -> (page: NotionPage, isReplay: Bool) {
        let made: Result<(NotionPage, Bool), NotionMessage> = state.withLock { state in
            if let refusal = refusal(token: request.apiToken, state) { return .failure(refusal) }
            guard isShared(request.databaseID, state) else { return .failure(.databaseNotFound(request.databaseID)) }
            if let key, let id = state.keys[request.databaseID + "\0" + key], let page = state.pages[id] {
                return .success((page, true))
            }
            let now = KeepTimestamp.now
            var page = NotionPage(
                id: UUID().uuidString.lowercased(),
                databaseID: request.databaseID,
                title: request.note.title,
                labels: request.note.labels,
                images: request.note.images,
                noteCreatedAt: request.note.createdAt,
                appended: forgetsContents ? [] : [Self.written(request.note.content)],
                contentBytes: request.note.content.utf8.count,
                created: now,
                updated: now
            )
            if let seenKey { page.idempotencyKeys.append(seenKey) }
            if let key { state.keys[request.databaseID + "\0" + key] = page.id }
            state.pages[page.id] = page
            state.order.append(page.id)
            return .success((page, false))
        }
        let (page, isReplay) = try made.get()
        return (page, isReplay)
    }

    /// Sets the properties anew and appends the content again, as the writer in use does.
    ///
    /// - Throws: `NotionMessage`.
    func update(id: String, with request: PageRequest, forgetsContents: Bool) throws(NotionMessage) {
        let refusal: NotionMessage? = state.withLock { state in
            if let refusal = self.refusal(token: request.apiToken, state) { return refusal }
            guard let page = state.pages[id], isShared(page.databaseID, state), page.presence != .removed else {
                return .pageNotFound(id)
            }
            if page.presence == .removedBlock { return .blockNotFound(id) }
            if page.presence == .trashed { return .archivedBlock }
            state.pages[id]?.title = request.note.title
            state.pages[id]?.labels = request.note.labels
            state.pages[id]?.images = request.note.images
            if !forgetsContents { state.pages[id]?.appended.append(Self.written(request.note.content)) }
            state.pages[id]?.contentBytes += request.note.content.utf8.count
            state.pages[id]?.updates += 1
            state.pages[id]?.updated = KeepTimestamp.now
            return nil
        }
        if let refusal { throw refusal }
    }

    private static func written(_ content: String) -> String {
        writesHalf ? String(content.prefix(content.count / 2)) : content
    }

    private func refusal(token: String, _ state: State) -> NotionMessage? {
        let isKnown = tokens.isEmpty ? !token.isEmpty && !token.hasPrefix("bad") : tokens.contains(token)
        return isKnown && !state.revokedTokens.contains(token) ? nil : .invalidToken
    }

    private static let nowhere = "00000000-0000-4000-8000-000000000000"

    private func isShared(_ databaseID: String, _ state: State) -> Bool {
        let isNone = databaseID.hasPrefix("unknown") || databaseID == Self.nowhere
        let isKnown = databases.isEmpty ? !isNone : databases.contains(databaseID)
        return isKnown && !state.unsharedDatabases.contains(databaseID)
    }

    // MARK: - Looking at it

    func page(id: String) -> NotionPage? { state.withLock { $0.pages[id] } }

    /// Pages in the order of creation, those of one database or one title only where given.
    func pages(databaseID: String? = nil, title: String? = nil) -> [NotionPage] {
        state.withLock { state in
            state.order.compactMap { id in
                guard let page = state.pages[id] else { return nil }
                if let databaseID, page.databaseID != databaseID { return nil }
                if let title, page.title != title { return nil }
                return page
            }
        }
    }

    var count: Int { state.withLock { $0.order.count } }

    // MARK: - Changing as the person does

    /// Moves a page to where it is wanted. Nil where there is no such page.
    func setPresence(_ presence: NotionPage.Presence, id: String) -> NotionPage? {
        state.withLock { state in
            state.pages[id]?.presence = presence
            return state.pages[id]
        }
    }

    func setShared(_ isShared: Bool, databaseID: String) {
        state.withLock { state in
            if isShared {
                state.unsharedDatabases.remove(databaseID)
            } else {
                state.unsharedDatabases.insert(databaseID)
            }
        }
    }

    func setRevoked(_ isRevoked: Bool, token: String) {
        state.withLock { state in
            if isRevoked {
                state.revokedTokens.insert(token)
            } else {
                state.revokedTokens.remove(token)
            }
        }
    }

    /// Forgets all pages and keys.
    func removeAll() {
        state.withLock { state in
            state.pages = [:]
            state.order = []
            state.keys = [:]
        }
    }
}
