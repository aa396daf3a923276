import ArgumentParser
import Foundation
import JobQueue
import NoteSync
import Settings

/// `syncctl unknown list`.
struct UnknownListCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the writes whose outcome is unknown, the oldest first, and what becomes of each by itself.",
        discussion: """
            SENT is the number of requests whose outcome is unknown, SINCE the time the first of them was sent. One that was sent to \
            find out whether the writer is well, in vain, is not sent for that again for six hours: NEXT says until when. Sooner it \
            is once anything else of anybody's is written, its note is edited, or by syncctl unknown retry. What the next sync \
            does depends on SYNC_UNKNOWN_CREATES and SYNC_UNKNOWN_LIMIT of the workers. Set them here as they are set there; they \
            have the same defaults.

            Example:
              syncctl unknown list --user anna@example.org
            """
    )

    @Option(help: "Only those of this user.", transform: UserID.argument)
    var user: UserID?
    @OptionGroup var list: ListOptions

    func run(_ session: DatabaseSession) async throws {
        let settings = try UnknownWriteSettings.load()
        let writes = try await UnknownWrites(pool: session.pool).list(
            user: user,
            policy: settings.policy == .hold ? .hold : .retry,
            limit: settings.limit,
            most: list.readLimit
        )
        if writes.isEmpty, !list.json.isWanted {
            try await session.refuseUnlessKnown(user)
            let count = try await UnknownWrites(pool: session.pool).countUnderWay(user: user)
            return StandardStream.error.note(
                "No write of unknown outcome\(user.ofUser) is on record. \(Self.underWay(count))"
            )
        }
        try list.print(writes, ifNone: "", json: Self.json, table: Self.table)
        if !list.json.isWanted, writes.contains(where: \.followsSettings) { Self.tellOf(settings) }
    }

    /// The settings of the workers are theirs alone.
    private static func tellOf(_ settings: UnknownWriteSettings) {
        StandardStream.error.note(
            "What is next is said by \(settings.inWords) of this command; the workers go by their own. It is certain where an operator "
                + "or a worker has recorded it."
        )
    }

    private static func json(_ write: UnknownWrite) -> JSONValue {
        [
            "user_id": .string(write.userID.rawValue), "keep_note_id": .string(write.noteID),
            "operation": .string(write.operation), "notion_page_id": .string(write.pageID),
            "notion_database_id": .string(write.databaseID),
            "idempotency_key": .string(write.idempotencyKey.uuidString.lowercased()),
            "since": .time(write.sentAt.first), "sent_at": .array(write.sentAt.map(JSONValue.time)),
            "next": .string(write.next.rawValue), "follows_settings": .bool(write.followsSettings),
            "waits_until": .time(write.waitsUntil),
            "open_until": write.openUntil.map(JSONValue.time) ?? .null, "count": .int(write.count),
            "unknown_count": .int(write.unknownCount), "resolution": .string(write.resolution?.rawValue),
            "reason": .string(write.reason), "job_id": .string(write.jobID.description),
        ]
    }

    private static func underWay(_ count: Int) -> String {
        switch count {
        case 0: "None is under way."
        case 1: "1 is under way; if its worker has died, it is listed once its lease is over."
        default: "\(count) are under way; those whose worker has died are listed once its lease is over."
        }
    }

    private static func next(_ write: UnknownWrite) -> String {
        switch write.next {
        case .underWay: "under way until \(write.openUntil.map { TimeText.short($0, near: Date()) } ?? "")"
        case .sentAgain where write.resolution == .retry: "sent again by a next sync\(UnknownWrite.Next.retryCondition)"
        case .sentAgain:
            "sent again by a next sync\(UnknownWrite.Next.condition)"
                + (write.waitsUntil.map {
                    " or the note is edited, or after \(TimeText.short($0, near: Date())); sooner: unknown retry"
                } ?? "")
        case .superseded: "taken off by a next sync: the note has another page"
        case .held: "held: look at Notion, then unknown settle or retry"
        }
    }

    private static func table(_ writes: [UnknownWrite]) -> TextTable {
        var table = TextTable([
            .init(title: "USER"), .init(title: "NOTE"), .init(title: "WRITE"),
            .init(title: "DATABASE"),
            .init(title: "SENT", alignment: .right), .init(title: "SINCE"), .init(title: "NEXT", minimumWidth: 24),
        ])
        for write in writes {
            table.add(
                ShellWord.shown(write.userID.rawValue),
                ShellWord.shown(write.noteID),
                write.operation,
                write.databaseID ?? "",
                "\(write.count)",
                write.sentAt.first.map(TimeText.full) ?? "",
                next(write),
                remark: write.reason,
                write.sentAt.count > 1 ? "sent at \(write.sentAt.map(TimeText.full).joined(separator: ", "))" : nil
            )
        }
        return table
    }
}

extension UnknownWrite.Next {
    /// When a write is sent again.
    static let condition = ", once another call has succeeded"
    /// The same, after `syncctl unknown retry`.
    static let retryCondition = ", once another call has succeeded or the writer says that it is well"
}

extension UnknownWriteSettings {
    /// Names and values.
    fileprivate var inWords: String {
        "SYNC_UNKNOWN_CREATES=\(policy.rawValue) and SYNC_UNKNOWN_LIMIT=\(limit)"
    }
}
