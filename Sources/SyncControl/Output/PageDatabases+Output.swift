import JobQueue
import NoteSync

extension PageDatabases {
    /// What it means for a user's pages that the credentials name a database; nil: nothing, and nothing is to be said.
    ///
    /// - Parameter isMoved: whether they have named another until now.
    func consequence(of user: UserID, naming database: String, isMoved: Bool) -> String? {
        let elsewhere = others(than: database)
        if !accept(database) { return whereTheyLie(than: database) + refusal(of: user, naming: database) }
        let rest =
            elsewhere.isEmpty
            ? nil
            : "Some of the user's pages lie in \(Self.list(elsewhere)): a sync that finds their notes creates those anew in "
                + "\(database.singleLine)."
        guard isMoved, !compared.isEmpty else { return rest }
        return rest ?? "The user's pages lie in \(database.singleLine): there is nothing else to do."
    }

    /// What becomes of the jobs of a user whose credentials name a database that they do not ``accept(_:)``.
    func refusal(of user: UserID, naming database: String) -> String {
        let clear = user.shellCommand("syncctl clear-state").singleLine
        let twice =
            others(than: database).count < ofPages.count
            ? "; pages of the user that lie there already are then there twice" : ""
        let right = compared.count == 1 ? ShellWord.quoted(compared[0]) : "ID"
        let back =
            " If that database is a mistake, run: "
            + user.shellCommand("syncctl credentials set", "--database-id \(right)").singleLine
        return
            " SYNC_DATABASE_CHANGED of the workers decides: with stop, the default, this user's jobs fail until you run: \(clear) — "
            + "the next sync then creates every page in \(database.singleLine)\(twice). With recreate it does so by itself.\(back)"
    }

    private func whereTheyLie(than database: String) -> String {
        let elsewhere = others(than: database)
        if elsewhere.isEmpty {
            return
                "The last sync of the user was to the database \((home ?? "").singleLine), not to \(database.singleLine)."
        }
        return "The user's pages lie in \(Self.list(elsewhere)), not in \(database.singleLine), and stay as they are."
    }

    private static func list(_ databases: [String]) -> String {
        databases.map(\.singleLine).joined(separator: ", ")
    }
}
