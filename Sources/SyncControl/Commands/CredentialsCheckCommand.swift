import ArgumentParser
import JobQueue
import NoteSync
import Support

/// `syncctl credentials check`.
struct CredentialsCheckCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Say whether the keys open what is stored. Nothing is changed.",
        discussion: """
            Exit code 0 when they open everything, no installation key is missing and nothing but this service has changed bound \
            credentials, otherwise 1. Reads the tokens: connect as the owner of the tables or as \
            a worker does.

            Example:
              AWS_ENCRYPTION_KEY=… syncctl credentials check
            """
    )

    @OptionGroup var json: JSONOption

    static let rightsAdvice =
        "Reading the tokens takes a worker's role or the owner's. With the roles of deploy/roles.sql: sync_worker, or "
        + "PGOPTIONS='-c role=sync_owner' and, in DATABASE_URL, a role that is a member of it."

    func run(_ session: DatabaseSession) async throws {
        let store = try await session.credentialStore()
        let check = try await store.checkKeys()
        let isKeyMissing = try await store.isInstallationKeyMissing()
        if json.isWanted {
            try Self.json(check, isKeyMissing: isKeyMissing).print()
        } else if check.isOfNothing {
            StandardStream.error.note(
                "Nothing is stored that needs a key: nothing says whether these are the right ones."
            )
        } else {
            let users = Count.of(check.opened, "user")
            let keys = Count.of(check.openedInstallationKeys, "installation key")
            if check.opened + check.openedInstallationKeys > 0 {
                try StandardStream.output.line("The keys open the tokens of \(users) and \(keys).")
                try StandardStream.output.line(
                    "The credentials of \(Count.of(check.bound, "user")) are bound to their user."
                )
            } else {
                try StandardStream.output.line("The keys open nothing of what is stored.")
            }
            for user in check.changedOutside {
                let command = user.shellCommand("syncctl credentials bind")
                let advice = "Make sure whose they are, then run: \(command)"
                try StandardStream.output.line(
                    "Something other than syncctl has changed the credentials of \(user.rawValue). \(advice)".singleLine
                )
            }
            for user in check.unopened {
                let command = try await store.setCommand(of: user)
                let advice = check.areKeysRight ? " Store them again with: \(command)" : ""
                try StandardStream.output.line("They do not open the tokens of \(user.rawValue).\(advice)".singleLine)
            }
            for name in check.unopenedInstallationKeys {
                try StandardStream.output.line("They do not open the installation key \(name).")
            }
            if isKeyMissing { try StandardStream.output.line(CredentialStore.missingInstallationKey) }
        }
        let faults = [check.unopened.count, check.unopenedInstallationKeys.count, check.changedOutside.count]
        if isKeyMissing || faults.contains(where: { $0 > 0 }) { throw ExitStatus.failed.code }
    }

    private static func json(_ check: CredentialStore.KeyCheck, isKeyMissing: Bool) -> JSONValue {
        [
            "opened": .int(check.opened), "opened_installation_keys": .int(check.openedInstallationKeys),
            "bound": .int(check.bound), "changed_outside": .array(check.changedOutside.map { .string($0.rawValue) }),
            "unopened": .array(check.unopened.map { .string($0.rawValue) }),
            "missing_installation_keys": .array(isKeyMissing ? [.string("content_hash")] : []),
            "unopened_installation_keys": .array(check.unopenedInstallationKeys.map { .string($0) }),
        ]
    }
}
