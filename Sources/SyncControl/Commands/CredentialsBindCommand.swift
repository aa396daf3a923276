import ArgumentParser
import JobQueue
import NoteSync
import Support

/// `syncctl credentials bind`.
struct CredentialsBindCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "bind",
        abstract: "Declare that the stored credentials of users are their own.",
        discussion: """
            What syncctl credentials set stores is bound to its user already. What other programs store, such as the admin interface, is \
            not; what they change in bound credentials is bound no more, and an alert tells of it. Make sure whose they are first: from \
            then on the workers take them for the user's. Workers with SYNC_CREDENTIALS_BINDING=require use no others. Reads the \
            tokens: connect as the owner of the tables.

            Examples:
              syncctl credentials bind anna@example.org
              syncctl credentials bind --all     # those that were never bound
            """
    )

    @Argument(help: "The users.", transform: UserID.argument)
    var users: [UserID] = []
    @Flag(
        name: .customLong("all"),
        help: "All users whose credentials were never bound; none whose were changed since."
    )
    var bindsAll = false
    @OptionGroup var json: JSONOption

    static let rightsAdvice = Failure.ownersAdvice
    var outcomeCheck: String? { "syncctl credentials check" }

    func validate() throws {
        guard bindsAll || !users.isEmpty else { throw ValidationError("Name users, or use --all.") }
        guard !bindsAll || users.isEmpty else { throw ValidationError("--all finds the users: leave out their names.") }
    }

    func run(_ session: DatabaseSession) async throws {
        let store = try await session.credentialStore()
        let chosen = bindsAll ? try await store.usersNeverBound() : users
        let owners = try await store.tokenOwners()
        var refusals: [UserID] = []
        var bound: [UserID] = []
        var outputFailure: (any Error)?
        for user in chosen {
            let result = try await store.bind(user, owners)
            if let refusal = try await Self.refusal(result, user, store) {
                refusals.append(user)
                StandardStream.error.note("\(user.rawValue.singleLine): \(refusal)")
            } else {
                bound.append(user)
                guard !bindsAll, !json.isWanted else { continue }
                let word = result == .wasBound ? "were bound already" : "are bound to this user"
                do {
                    try StandardStream.report("The credentials of \(user.rawValue.singleLine) \(word).")
                } catch {
                    outputFailure = error
                }
            }
        }
        if bindsAll || json.isWanted {
            try json.report(
                "Bound the credentials of \(Count.of(bound.count, "user")).",
                as: [
                    "bound": .array(bound.map { .string($0.rawValue) }),
                    "refused": .array(refusals.map { .string($0.rawValue) }),
                ]
            )
        }
        if let outputFailure { throw outputFailure }
        if !refusals.isEmpty { throw ExitStatus.failed.code }
    }

    /// Why a user's credentials were not bound; nil if they are.
    private static func refusal(
        _ result: CredentialStore.BindingResult,
        _ user: UserID,
        _ store: CredentialStore
    ) async throws -> String? {
        switch result {
        case .bound, .wasBound: nil
        case .noCredentials: "there are no credentials. See who has some with: syncctl credentials list"
        case .unopened: "the keys do not open the tokens. See: syncctl credentials check"
        case .copied(let other):
            "a token was copied from the row of \(other.rawValue.singleLine), or the other way round. Store both users' credentials "
                + "again with: \(try await store.setCommand(of: user)); and with: \(try await store.setCommand(of: other))"
        case .overtaken: "they were changed meanwhile. Make sure whose they are, and try again"
        }
    }
}
