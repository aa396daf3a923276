internal import Postgres

extension PostgresQuery {
    /// The encrypted value of a key. By primary key.
    static func installationKey(_ name: String) -> PostgresQuery {
        .byIndexGivingWay("SELECT value FROM sync_installation_keys WHERE name = \(name)")
    }

    /// Whether there are hashes of notes that were made with a key. A scan that ends with the first; asked only where
    /// there is no key.
    static func hasKeyedHashes() -> PostgresQuery {
        "SELECT EXISTS (SELECT FROM sync_state WHERE content_hash LIKE \(ContentHasher.version + "%")) AS found"
    }

    /// All keys, encrypted.
    static func installationKeys() -> PostgresQuery {
        "SELECT name, value FROM sync_installation_keys ORDER BY name"
    }

    /// Replaces a key by the same under another key of the credentials. By primary key.
    static func replaceInstallationKey(_ name: String, old: String, new: String) -> PostgresQuery {
        "UPDATE sync_installation_keys SET value = \(new) WHERE name = \(name) AND value = \(old)"
    }

    /// Deletes a key, unless somebody has replaced it meanwhile. By primary key.
    static func deleteInstallationKey(_ name: String, value: String) -> PostgresQuery {
        "DELETE FROM sync_installation_keys WHERE name = \(name) AND value = \(value)"
    }

    /// Stores a key where there is none yet.
    static func addInstallationKey(_ name: String, value: String) -> PostgresQuery {
        .byIndex(
            "INSERT INTO sync_installation_keys (name, value) VALUES (\(name), \(value)) ON CONFLICT (name) DO NOTHING"
        )
    }
}
