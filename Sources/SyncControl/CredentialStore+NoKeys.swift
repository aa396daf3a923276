import Fernet
import NoteSync
import Postgres

extension CredentialStore {
    /// A store to see who has credentials and to delete them, for which no key is needed: the one it gets is nobody's.
    init(pool: PostgresPool) throws {
        self.init(pool: pool, keys: FernetKeyRing(try FernetKey.generate()))
    }
}
