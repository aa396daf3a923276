import ArgumentParser
import JobQueue
import NoteSync

/// `syncctl credentials reencrypt`.
struct CredentialsReencryptCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "reencrypt",
        abstract: "Encrypt everything stored with the first of the keys, so that the others can be dropped.",
        discussion: """
            To replace a key: put the new one first in AWS_ENCRYPTION_KEY of all programs, the old one after a comma; run this; then \
            drop the old one. Exit code 1 when none of the keys opens something; that is left as it is. Reads and writes the tokens: \
            connect as the owner of the tables.

            Example:
              AWS_ENCRYPTION_KEY=NEW,OLD syncctl credentials reencrypt
            """
    )

    @OptionGroup var json: JSONOption

    func run(_ session: DatabaseSession) async throws {
        let result = try await session.credentialStore().reencrypt()
        if json.isWanted {
            try Self.json(result).print()
        } else {
            try StandardStream.output.line(
                "Encrypted the tokens of \(result.users) users and \(result.installationKeys) installation keys with the first key."
            )
            for user in result.unopened {
                try StandardStream.output.line("None of the keys opens the tokens of \(user.rawValue.singleLine).")
            }
            for name in result.unopenedInstallationKeys {
                try StandardStream.output.line("None of the keys opens the installation key \(name).")
            }
        }
        if !result.unopened.isEmpty || !result.unopenedInstallationKeys.isEmpty { throw ExitStatus.failed.code }
    }

    private static func json(_ result: CredentialStore.Reencryption) -> JSONValue {
        [
            "users": .int(result.users), "installation_keys": .int(result.installationKeys),
            "unopened": .array(result.unopened.map { .string($0.rawValue) }),
            "unopened_installation_keys": .array(result.unopenedInstallationKeys.map { .string($0) }),
        ]
    }
}
