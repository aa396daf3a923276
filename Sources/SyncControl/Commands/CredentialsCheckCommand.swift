import ArgumentParser
import JobQueue
import NoteSync

/// `syncctl credentials check`.
struct CredentialsCheckCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Say whether the keys open what is stored. Nothing is changed.",
        discussion: """
            Exit code 0 when they open everything, 1 when they do not. Reads the tokens: connect as the owner of the tables or as \
            a worker does.

            Example:
              AWS_ENCRYPTION_KEY=… syncctl credentials check
            """
    )

    @OptionGroup var json: JSONOption

    func run(_ session: DatabaseSession) async throws {
        let store = try await session.credentialStore()
        let check = try await store.checkKeys()
        if json.isWanted {
            try Self.json(check).print()
        } else {
            let users = check.opened == 1 ? "1 user" : "\(check.opened) users"
            try StandardStream.output.line("The keys open the tokens of \(users).")
            for user in check.unopened {
                try StandardStream.output.line("They do not open the tokens of \(user.rawValue.singleLine).")
            }
            for name in check.unopenedInstallationKeys {
                try StandardStream.output.line("They do not open the installation key \(name).")
            }
        }
        if !check.unopened.isEmpty || !check.unopenedInstallationKeys.isEmpty { throw ExitStatus.failed.code }
    }

    private static func json(_ check: CredentialStore.KeyCheck) -> JSONValue {
        [
            "opened": .int(check.opened), "unopened": .array(check.unopened.map { .string($0.rawValue) }),
            "unopened_installation_keys": .array(check.unopenedInstallationKeys.map { .string($0) }),
        ]
    }
}
