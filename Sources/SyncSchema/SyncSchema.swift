public import Postgres

/// The tables of the sync service, as the ordered list of migrations that makes them.
///
/// The single source is the folder `migrations/`; a build tool writes it into this module.
public enum SyncSchema {
    /// Every migration this program knows, oldest first.
    public static var migrations: [Migration] { embeddedMigrations }
}
