import ArgumentParser
import JobQueue
import NoteSync

/// `syncctl credentials forget-keys`.
struct CredentialsForgetKeysCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "forget-keys",
        abstract: "Begin anew with another key, after the key of what is stored was lost for good.",
        discussion: """
            Deletes the installation keys that none of the given keys opens, and makes new ones under the first of them. Refused \
            while the given keys open what is stored and no installation key is missing. Notes are then compared by their time once, \
            not by their content, and tokens that no key opens must be stored again. A worker that still runs was started with the lost key: look at its \
            environment first. Connect as the owner of the tables.

            Example:
              export AWS_ENCRYPTION_KEY="$(syncctl keygen)"
              echo "$AWS_ENCRYPTION_KEY"    # keep it: nothing else opens the tokens
              syncctl credentials forget-keys
            """
    )

    @Flag(name: .customLong("yes"), help: "Do not ask; needed where nobody can answer.")
    var isConfirmed = false
    @OptionGroup var json: JSONOption

    static let rightsAdvice = Failure.ownersAdvice

    var outcomeCheck: String? { "syncctl credentials check" }

    func run(_ session: DatabaseSession) async throws {
        let store = try await session.credentialStore()
        // One that is missing takes nobody's tokens with it.
        let areLost = try await store.areKeysLost()
        let isMissing = try await store.isInstallationKeyMissing()
        guard areLost || isMissing else {
            guard try await store.isAnythingEncrypted() else {
                throw SyncControlError(.refused, "Nothing is stored that needs a key: there is none to forget.")
            }
            throw SyncControlError(
                .refused,
                "These keys are the right ones: they open the installation keys or tokens. Nothing was changed. Whose tokens they do "
                    + "not open says: syncctl credentials check"
            )
        }
        if try await session.jobs.workers().contains(where: \.mayLive) {
            StandardStream.error.note("A worker runs: the key that it was started with stands in its environment.")
        }
        try confirm(areLost)
        let forgotten = try await store.forgetInstallationKeys()
        let names = forgotten.isEmpty ? "There was no installation key" : "Forgot \(forgotten.joined(separator: ", "))"
        let advice = areLost ? " Store the tokens of every user again with: syncctl credentials set USER" : ""
        let words = "\(names); a new one is made under the first of the keys.\(advice)"
        if json.isWanted {
            try (["forgotten": .array(forgotten.map { .string($0) })] as JSONValue).report(inWords: words)
        } else {
            try StandardStream.report(words)
        }
    }

    private func confirm(_ areLost: Bool) throws {
        if isConfirmed { return }
        guard let terminal = Terminal() else {
            throw SyncControlError(
                .usage,
                "Afterwards notes are compared by their time once\(Self.tokens(areLost)). If that is wanted, add --yes."
            )
        }
        let question =
            "Is the key of what is stored lost for good? Notes will be compared by their time once\(Self.tokens(areLost))."
        guard try terminal.confirms(question) else { throw SyncControlError(.refused, "Nothing was changed.") }
    }

    private static func tokens(_ areLost: Bool) -> String {
        areLost ? ", and the tokens of every user must be stored again" : ""
    }
}
