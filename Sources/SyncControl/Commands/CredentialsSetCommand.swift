import ArgumentParser
import Fernet
import Foundation
import JobQueue
import Logging
import NoteSync
import Postgres
import Settings
import Telemetry

/// `syncctl credentials set`.
struct CredentialsSetCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "set",
        abstract: "Store a user's tokens, encrypted, in place of those there.",
        discussion: """
            On a terminal the tokens are asked for and not shown. Otherwise they are read from stdin: the Google master token on \
            line 1, the Notion API token on line 2; or a JSON object with google_oauth_token, notion_api_token and, if wanted, \
            notion_database_id. They are never taken from an argument, which everybody on the machine could see.

            Examples:
              syncctl credentials set anna@example.org --database-id ID
              syncctl credentials set anna@example.org < tokens.txt    # database stays
              vault read -format=json … | syncctl credentials set anna@example.org
            """
    )

    @Argument(help: "The user, as the gateway names it: the Google account.", transform: UserID.newArgument)
    var user: UserID
    @Option(
        name: .customLong("database-id"),
        help:
            "The Notion database to create pages in: its id or its address. Left out, the one that is stored stays, unless something other than syncctl has changed it."
    )
    var databaseID: String?
    @OptionGroup var json: JSONOption

    var outcomeCheck: String? { "syncctl credentials list" }

    func run(_ session: DatabaseSession) async throws {
        for warning in UnknownSettings.warnings(in: ProcessInfo.processInfo.environment) {
            session.logger.warning("\(warning)")
        }
        // Whatever stands in the way is said before the person types anything.
        let encryption = try EncryptionSettings.load()
        let known = try await CredentialStore(pool: session.pool).database(of: user)
        let stored = known?.id
        if let known, known.isChangedOutside, databaseID == nil, Terminal() != nil {
            throw Self.changedOutside(known.id)
        }
        if Terminal() != nil || databaseID != nil { _ = try database(nil, stored) }
        let store = try await session.credentialStore(encryption, makesKey: true)
        try await checkKeys(store)
        let tokens = try TokenInput.read()
        Redactor.register(tokens.googleToken)
        Redactor.register(tokens.notionToken)
        if let known, known.isChangedOutside, databaseID == nil, tokens.databaseID == nil {
            throw Self.changedOutside(known.id)
        }
        let database = try database(tokens.databaseID, stored)
        try await store.store(
            Credentials(googleToken: tokens.googleToken, notionToken: tokens.notionToken, databaseID: database),
            of: user
        )
        if case .word? = NotionID.database(database) {
            StandardStream.error.note(
                "\"\(database)\" is no id as Notion gives one, which has 32 hexadecimal digits. It is stored all the same."
            )
        }
        let verb = stored == nil ? "Stored" : "Replaced"
        try json.report(
            "\(verb) the credentials of \(user.rawValue.singleLine) (database \(database.singleLine)).",
            as: [
                "user_id": .string(user.rawValue), "notion_database_id": .string(database),
                "is_replaced": .bool(stored != nil),
            ]
        )
        let pages = try await SyncStateStore(pool: session.pool).databases(of: user)
        let isMoved = stored.map { !$0.isEmpty && !CredentialStore.isSameDatabase($0, database) } ?? false
        if let text = pages.consequence(of: user, naming: database, isMoved: isMoved) {
            StandardStream.error.note(text)
        }
    }

    /// What is set is bound to the user, the database too: so a person must have named it.
    private static func changedOutside(_ database: String) -> SyncControlError {
        SyncControlError(
            .usage,
            "Something other than syncctl has changed these credentials since they were bound, the database perhaps, which is "
                + "\(database.singleLine) now. Name the user's own: --database-id ID"
        )
    }

    private func checkKeys(_ store: CredentialStore) async throws {
        do {
            guard try await store.areKeysRight(toStore: user) else {
                throw SyncControlError(
                    .configuration,
                    "This key opens nothing of what is stored: the workers use another. Set AWS_ENCRYPTION_KEY to theirs, or see: "
                        + "syncctl credentials check. If nobody has theirs any more: syncctl credentials forget-keys"
                )
            }
        } catch let error as PostgresError where error.sqlState == .insufficientPrivilege {
            // An operator's role may not read tokens, and no worker has made an installation key yet.
            StandardStream.error.note(
                "This role can't check whether this is the key of the other users' credentials. With a worker's role or the owner's: "
                    + "syncctl credentials check"
            )
        }
    }

    /// - Parameter stored: what is there already, which stays if no other is named.
    private func database(_ fromInput: String?, _ stored: String?) throws -> String {
        if databaseID == nil, fromInput == nil, let stored, !stored.isEmpty { return stored }
        let database = (databaseID ?? fromInput ?? "").trimmingCharacters(in: .whitespacesAndNewlines)
        guard !database.isEmpty else {
            throw SyncControlError(.usage, "The Notion database is missing. Add: --database-id ID")
        }
        guard database.unicodeScalars.count <= 255 else {
            throw SyncControlError(.usage, "The id of the Notion database is longer than 255 characters.")
        }
        switch NotionID.database(database) {
        case .id(let id): return id
        case .word(let word): return word
        case nil:
            throw SyncControlError(
                .usage,
                "\"\(database.singleLine)\" names no Notion database. Give its id, 32 hexadecimal digits, or its address at notion.so."
            )
        }
    }
}
