import Fernet
import JobQueue
import NoteSync
import Postgres

extension CredentialStore {
    /// A store to see who has credentials and to delete them, for which no key is needed: the one it gets is nobody's.
    init(pool: PostgresPool) throws {
        self.init(pool: pool, keys: FernetKeyRing(try FernetKey.generate()))
    }

    /// The command that stores a user's credentials again as they stand in the table now.
    func setCommand(of user: UserID) async throws -> String {
        // Who has none needs a database too.
        let isChanged = try await database(of: user)?.isChangedOutside ?? true
        return Self.setCommand(of: user, isChangedOutside: isChanged)
    }
}
