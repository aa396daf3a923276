import ArgumentParser
import JobQueue
import NoteSync

/// `syncctl credentials delete`.
struct CredentialsDeleteCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Delete a user's credentials. Jobs of the user fail from then on.",
        discussion: """
            Example:
              syncctl credentials delete anna@example.org
            """
    )

    @Argument(help: "The user.", transform: UserID.argument)
    var user: UserID
    @OptionGroup var json: JSONOption

    var outcomeCheck: String? { "syncctl credentials list" }

    func run(_ session: DatabaseSession) async throws {
        guard try await CredentialStore(pool: session.pool).delete(user) else {
            throw SyncControlError(
                .notFound,
                "There are no credentials for user \(user). See who has some with: syncctl credentials list"
            )
        }
        try json.report(
            "Deleted the credentials of \(user.rawValue.singleLine).",
            as: ["user_id": .string(user.rawValue), "is_deleted": .bool(true)]
        )
    }
}
