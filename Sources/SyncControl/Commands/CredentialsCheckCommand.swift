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

    static let rightsAdvice = "Reading the tokens takes a worker's role or the owner's. \(Failure.ownersAdvice)"

    func run(_ session: DatabaseSession) async throws {
        let store = try await session.credentialStore()
        let check = try await store.checkKeys()
        if json.isWanted {
            try Self.json(check).print()
        } else {
            let users = Count.of(check.opened, "user")
            let keys = Count.of(check.openedInstallationKeys, "installation key")
            try StandardStream.output.line("The keys open the tokens of \(users) and \(keys).")
            for user in check.unopened {
                let command = user.shellCommand("syncctl credentials set")
                let advice = check.areKeysRight ? " Store them again with: \(command)" : ""
                try StandardStream.output.line("They do not open the tokens of \(user.rawValue).\(advice)".singleLine)
            }
            for name in check.unopenedInstallationKeys {
                try StandardStream.output.line("They do not open the installation key \(name).")
            }
        }
        if !check.unopened.isEmpty || !check.unopenedInstallationKeys.isEmpty { throw ExitStatus.failed.code }
    }

    private static func json(_ check: CredentialStore.KeyCheck) -> JSONValue {
        [
            "opened": .int(check.opened), "opened_installation_keys": .int(check.openedInstallationKeys),
            "unopened": .array(check.unopened.map { .string($0.rawValue) }),
            "unopened_installation_keys": .array(check.unopenedInstallationKeys.map { .string($0) }),
        ]
    }
}
