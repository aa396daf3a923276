import JobQueue
import NoteSync

extension DatabaseSession {
    /// Refuses the name of a user of whom nothing is known. An empty list would be believed, though the name was
    /// mistyped.
    ///
    /// - Throws: `SyncControlError` with code `notFound`.
    func refuseUnlessKnown(_ user: UserID?) async throws {
        guard let user else { return }
        if try await CredentialStore(pool: pool).exists(user) { return }
        guard try await jobs.jobs(user: user, limit: 1).isEmpty else { return }
        throw SyncControlError(
            .notFound,
            "There is no user \(user.rawValue.singleLine): neither credentials nor a job. See: syncctl credentials list"
        )
    }
}

extension DatabaseSession {
    /// Whether anything is stored of the user that is paused: credentials, a job, or a page.
    func isKnown(_ scope: PauseScope) async throws -> Bool {
        guard case .user(let user) = scope else { return true }
        if try await CredentialStore(pool: pool).exists(user) { return true }
        if try await !jobs.jobs(user: user, limit: 1).isEmpty { return true }
        return try await SyncStateStore(pool: pool).hasPages(of: user)
    }
}

extension UserID? {
    /// Whose the entries of a list are, as it follows a noun; empty for a list of everybody's.
    var ofUser: String { map { " of user \($0.rawValue.singleLine)" } ?? "" }
}
