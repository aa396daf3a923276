internal import Fernet
internal import Foundation
internal import Postgres

/// The random keys of an installation, in the table `sync_installation_keys`, encrypted as credentials are. A key is made
/// where there is none, and never in place of one that can't be decrypted.
actor InstallationKeys {
    private let pool: PostgresPool
    private let secrets: StoredSecret
    private var hasher: ContentHasher?

    init(pool: PostgresPool, secrets: StoredSecret) {
        self.pool = pool
        self.secrets = secrets
    }

    static let contentHash = "content_hash"

    /// A new random key, as it is before its encryption.
    static func freshKey() throws -> String { try FernetKey.generate().base64 }

    /// The hasher of this installation.
    ///
    /// - Throws: `NoteSyncError` with code `undecipherableKey`, which ends no job for good: another worker's keys may do;
    ///   `PostgresError`.
    func contentHasher() async throws -> ContentHasher {
        if let hasher { return hasher }
        let made = ContentHasher(key: try await key(Self.contentHash))
        hasher = made
        return made
    }

    private func key(_ name: String) async throws -> [UInt8] {
        if let stored = try await stored(name) { return try decrypt(stored, name) }
        let fresh = try Self.freshKey()
        try await pool.execute(.addInstallationKey(name, value: try secrets.encrypt(fresh)))
        // Of several workers that find none at the same time, one makes it and all use it.
        guard let stored = try await stored(name) else { return Array(fresh.utf8) }
        return try decrypt(stored, name)
    }

    private func stored(_ name: String) async throws -> String? {
        try await pool.query(.installationKey(name)).first?.decode("value")
    }

    private func decrypt(_ stored: String, _ name: String) throws -> [UInt8] {
        do {
            return Array(try secrets.decrypt(stored).utf8)
        } catch {
            throw NoteSyncError(
                .undecipherableKey,
                .snooze(.seconds(60)),
                "None of this worker's keys opens the installation key \(name) in sync_installation_keys. Set AWS_ENCRYPTION_KEY to "
                    + "the keys that the other workers use. If nobody has them any more: syncctl credentials forget-keys"
            )
        }
    }
}
