import ArgumentParser
import JobQueue
import NoteSync
import Support

/// `syncctl credentials reencrypt`.
struct CredentialsReencryptCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "reencrypt",
        abstract: "Encrypt everything stored with the first of the keys, so that the others can be dropped.",
        discussion: """
            To replace a key: put the new one first in AWS_ENCRYPTION_KEY of all programs, the old one after a comma; run this; then \
            drop the old one. Exit code 1 when none of the keys opens something; that is left as it is. \
            A binding is renewed if it is by one of the keys; who has none gets none. Reads and writes the tokens: \
            connect as the owner of the tables.

            Example:
              AWS_ENCRYPTION_KEY=NEW,OLD syncctl credentials reencrypt
            """
    )

    @OptionGroup var json: JSONOption

    static let rightsAdvice = Failure.ownersAdvice

    var outcomeCheck: String? { "run it again, what is done is left as it is" }

    func run(_ session: DatabaseSession) async throws {
        let store = try await session.credentialStore()
        // Those that start from now on read the keys of their environment as it is now.
        let workers = try await session.jobs.workers().filter(\.mayLive)
        let result = try await store.reencrypt()
        if json.isWanted {
            try Self.json(result, workers).report(inWords: Self.summary(result))
        } else {
            try StandardStream.report(Self.summary(result))
            for user in result.unopened {
                try StandardStream.output.line("None of the keys opens the tokens of \(user.rawValue.singleLine).")
            }
            for user in result.changedOutside {
                try StandardStream.output.line(
                    "Something other than syncctl has changed the credentials of \(user.rawValue.singleLine): they are not bound anew."
                )
            }
            for name in result.unopenedInstallationKeys {
                try StandardStream.output.line("None of the keys opens the installation key \(name).")
            }
        }
        if result.hasChanged, !workers.isEmpty {
            let names = workers.map { "\($0.name.singleLine) (since \(TimeText.full($0.startedAt)))" }.joined(
                separator: ", "
            )
            StandardStream.error.note(
                "Workers that were started before and need the new key, or they end with exit status 78: \(names). Restart each that "
                    + "was started without it."
            )
        }
        if result.hasUnopened { throw ExitStatus.failed.code }
    }

    private static func summary(_ result: CredentialStore.Reencryption) -> String {
        func text(_ users: Int, _ keys: Int) -> String {
            "the tokens of \(Count.of(users, "user")) and \(Count.of(keys, "installation key"))"
        }
        let unchanged = text(result.unchangedUsers, result.unchangedInstallationKeys)
        let isAll = result.unchangedUsers + result.unchangedInstallationKeys == 0
        guard result.hasChanged else {
            if !result.hasUnopened { return "Nothing to do: the first key opens \(unchanged)." }
            return isAll
                ? "Nothing was changed: the keys open nothing of what is stored."
                : "Nothing was changed: the first key opens \(unchanged) already."
        }
        return "Encrypted \(text(result.users, result.installationKeys)) with the first key."
            + (isAll ? "" : " It opened \(unchanged) already.")
    }

    private static func json(_ result: CredentialStore.Reencryption, _ workers: [WorkerRecord]) -> JSONValue {
        [
            "users": .int(result.users), "installation_keys": .int(result.installationKeys),
            "unchanged_users": .int(result.unchangedUsers),
            "unchanged_installation_keys": .int(result.unchangedInstallationKeys),
            "changed_outside": .array(result.changedOutside.map { .string($0.rawValue) }),
            "unopened": .array(result.unopened.map { .string($0.rawValue) }),
            "unopened_installation_keys": .array(result.unopenedInstallationKeys.map { .string($0) }),
            "workers_started_before": .array(workers.map { .string($0.name) }),
        ]
    }
}

extension CredentialStore.Reencryption {
    /// Whether anything is encrypted with another key than before.
    fileprivate var hasChanged: Bool { users + installationKeys > 0 }

    /// Whether none of the keys opens something that is stored.
    fileprivate var hasUnopened: Bool { !unopened.isEmpty || !unopenedInstallationKeys.isEmpty }
}
