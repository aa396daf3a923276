import ArgumentParser
import Foundation
import JobQueue
import NoteSync

/// `syncctl credentials list`.
struct CredentialsListCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Show who has credentials. Tokens are never shown.",
        discussion: """
            BINDING says whether something binds the credentials to their user: set, none, or changed, by something other than \
            syncctl. Whether what is set is right takes the key: syncctl credentials check.

            Examples:
              syncctl credentials list
              syncctl credentials list --json | jq -r '.[].user_id'
            """
    )

    @OptionGroup var json: JSONOption

    func run(_ session: DatabaseSession) async throws {
        let owners = try await CredentialStore(pool: session.pool).owners()
        if json.isWanted {
            try JSONValue.array(owners.map(Self.json)).print()
        } else if owners.isEmpty {
            StandardStream.error.note(
                "Nobody has credentials. Store some with: syncctl credentials set USER --database-id ID"
            )
        } else {
            try StandardStream.output.write(Self.table(owners).text(on: .output))
        }
    }

    private static func json(_ owner: CredentialStore.Owner) -> JSONValue {
        [
            "user_id": .string(owner.userID.rawValue), "notion_database_id": .string(owner.databaseID),
            "updated_at": .time(owner.updatedAt), "binding": .string(word(owner)),
        ]
    }

    private static func table(_ owners: [CredentialStore.Owner]) -> TextTable {
        var table = TextTable([
            .init(title: "USER"), .init(title: "DATABASE"), .init(title: "UPDATED"),
            .init(title: "BINDING"),
        ])
        for owner in owners {
            table.add(owner.userID.rawValue, owner.databaseID, TimeText.full(owner.updatedAt), word(owner))
        }
        return table
    }

    /// Without a key, whether a binding is there can be told, but not whether it is right.
    private static func word(_ owner: CredentialStore.Owner) -> String {
        if owner.isBound { return "set" }
        return owner.isBindingCleared ? "changed" : "none"
    }
}
