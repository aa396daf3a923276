internal import JobQueue
internal import Logging

/// Jobs whose credentials name another Notion database than the user's pages lie in.
extension SyncOrchestrator {
    /// Compares the database that the credentials name with those that the user's pages lie in.
    ///
    /// - Returns: the latter, without the former.
    func compareDatabases(
        _ position: inout SyncPosition,
        _ credentials: Credentials,
        _ context: JobContext,
        _ journal: NoteJournal
    ) async throws -> [NotionDatabaseID] {
        let named = NotionDatabaseID(credentials.databaseID)
        let elsewhere = position.databases.compared.map(NotionDatabaseID.init(stored:)).filter { $0 != named }
        if !position.databases.accept(named.text) {
            try await databaseHasChanged(from: elsewhere, in: credentials, context, journal)
            // What was settled for the other database is not in this one.
            position.cursor = nil
        } else if !elsewhere.isEmpty {
            await tellOfPages(in: elsewhere, besides: named, context, journal)
        }
        return elsewhere
    }

    /// Tells that the credentials name another database than the user's pages lie in, and does as the policy says.
    private func databaseHasChanged(
        from old: [NotionDatabaseID],
        in credentials: Credentials,
        _ context: JobContext,
        _ journal: NoteJournal
    ) async throws {
        let user = context.job.userID
        let new = NotionDatabaseID(credentials.databaseID)
        // Whoever has changed them may want the user's notes in a database of their own.
        let warning =
            credentials.binding.isChangedOutside
            ? " Something other than syncctl has changed these credentials since they were bound: make sure first that this database is "
                + "the user's own."
            : ""
        let change =
            "The credentials of user \(user) name the Notion database \(new.text); the user's pages lie in \(Self.list(old)).\(warning)"
        switch configuration.databaseChanges {
        case .stop:
            let right = old.count == 1 ? ShellWord.quoted(old[0].text) : "ID"
            throw NoteSyncError(
                .databaseChanged,
                .permanent,
                "\(change) To create every page of this user in the new one, run: \(user.shellCommand("syncctl clear-state")). If it is "
                    + "a mistake, store \(old.count == 1 ? "the old one" : "the right one of these") with: "
                    + "\(user.shellCommand("syncctl credentials set", "--database-id \(right)")). "
                    + "With SYNC_DATABASE_CHANGED=recreate the workers do the former for every user by themselves."
            )
        case .recreate:
            await journal.note(.log(.warning, "\(change) Every page is created in the new one."))
            context.logger.warning("\(change) Every page is created in the new one.")
        }
    }

    /// Tells that some of the user's pages lie in other databases than the credentials name.
    private func tellOfPages(
        in others: [NotionDatabaseID],
        besides named: NotionDatabaseID,
        _ context: JobContext,
        _ journal: NoteJournal
    ) async {
        let text =
            "Some pages of user \(context.job.userID) lie in \(Self.list(others)), others in the Notion database \(named.text), which the "
            + "credentials name. The notes of the former get a page there; their present pages stay as they are."
        context.logger.warning("\(text)")
        await journal.note(.log(.warning, text))
    }

    private static func list(_ databases: [NotionDatabaseID]) -> String {
        let names = databases.map(\.text)
        guard let last = names.last, names.count > 1 else { return names.joined() }
        return "\(names.dropLast().joined(separator: ", ")) and \(last)"
    }
}
