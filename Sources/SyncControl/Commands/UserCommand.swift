import ArgumentParser
import FlowControl
import Foundation
import JobQueue
import NoteSync
import ServiceHealth

/// `syncctl user`.
struct UserCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "user",
        abstract: "Show how a user's sync stands: how fresh, what comes next, and what is in the way.",
        discussion: """
            Fresh is what was edited before the last job that completed began, notes that failed apart. HELD BY lists pauses and \
            gates that keep the user's jobs; those of the user's tokens are known where AWS_ENCRYPTION_KEY is set and the role may \
            read them, or once a job has waited for them.

            Examples:
              syncctl user anna@example.org
              syncctl user anna@example.org --json | jq .failing_notes.count
            """
    )

    @Argument(help: "The user.", transform: UserID.argument)
    var user: UserID
    @OptionGroup var json: JSONOption

    /// Failing notes that are shown.
    private static let notesShown = 5

    func run(_ session: DatabaseSession) async throws {
        let store = try CredentialStore(pool: session.pool)
        let failed = FailedNotes(pool: session.pool)
        let jobs = try await session.jobs.jobs(of: user)
        let owner = try await store.owner(user)
        let notes = try await failed.list(user: user, limit: Self.notesShown)
        if owner == nil, jobs.isOfNobody, notes.isEmpty, try await !session.isKnown(.user(user)) {
            try await session.refuseUnlessKnown(user)
        }
        let standing = UserStanding(
            user: user,
            now: try await session.jobs.databaseTime(),
            jobs: jobs,
            credentials: owner,
            failingNotes: notes,
            failingCount: try await failed.count(user: user).all,
            unknownWrites: try await UnknownWrites(pool: session.pool).count(user: user),
            pauses: try await pauses(session),
            gates: try await session.jobs.closedGates(among: Peer.gates + session.gates(of: user))
        )
        if json.isWanted {
            try standing.json.print()
        } else {
            try StandardStream.output.write(standing.text(on: .output))
        }
    }

    private func pauses(_ session: DatabaseSession) async throws -> [Pause] {
        let list = PauseList(pool: session.pool)
        let own = try await list.current(.user(user))
        return (own.map { [$0] } ?? []) + (try await list.ofEverything())
    }
}

extension UserJobs {
    /// Whether no job of the user is on record.
    fileprivate var isOfNobody: Bool { next == nil && running == nil && lastCompleted == nil && lastFailed == nil }
}
