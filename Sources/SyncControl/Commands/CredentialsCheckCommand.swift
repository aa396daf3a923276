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
        let neverBound = try await store.usersNeverBound()
        if json.isWanted {
            try Self.json(check, neverBound, isKeyMissing: isKeyMissing).print()
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
            if !neverBound.isEmpty { try StandardStream.output.line(Self.text(neverBound)) }
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

    /// An installation that was taken over has as many as users.
    private static let namesShown = 20

    private static func text(_ neverBound: [UserID]) -> String {
        let names = neverBound.prefix(namesShown).map(\.rawValue).joined(separator: ", ")
        let rest = neverBound.count - namesShown
        let others = rest > 0 ? " and \(Count.of(rest, "other")), which --json lists" : ""
        let bind = "syncctl credentials bind"
        let command = neverBound.count == 1 ? neverBound[0].shellCommand(bind) : "\(bind) --all"
        let text =
            "The credentials of \(Count.of(neverBound.count, "user")) were never bound: \(names)\(others). With "
            + "SYNC_CREDENTIALS_BINDING=require their jobs fail. Make sure whose they are, then run: \(command)"
        return text.singleLine
    }

    private static func json(
        _ check: CredentialStore.KeyCheck,
        _ neverBound: [UserID],
        isKeyMissing: Bool
    ) -> JSONValue {
        [
            "opened": .int(check.opened), "opened_installation_keys": .int(check.openedInstallationKeys),
            "bound": .int(check.bound), "changed_outside": .array(check.changedOutside.map { .string($0.rawValue) }),
            "never_bound": .array(neverBound.map { .string($0.rawValue) }),
            "unopened": .array(check.unopened.map { .string($0.rawValue) }),
            "missing_installation_keys": .array(isKeyMissing ? [.string("content_hash")] : []),
            "unopened_installation_keys": .array(check.unopenedInstallationKeys.map { .string($0) }),
        ]
    }
}
