internal import Fernet
internal import Foundation
internal import Postgres

/// The random keys of an installation, in the table `sync_installation_keys`, encrypted as credentials are. A key is
/// made where there is none, and never in place of one that can't be decrypted, nor of one that was lost, unless this
/// process has it still.
actor InstallationKeys {
    private let pool: PostgresPool
    private let secrets: StoredSecret
    /// The last one, and the key as it was stored.
    private var last: (stored: String, hasher: ContentHasher)?

    init(pool: PostgresPool, secrets: StoredSecret) {
        self.pool = pool
        self.secrets = secrets
    }

    static let contentHash = "content_hash"

    /// A new random key, as it is before its encryption.
    static func freshKey() throws -> String { try FernetKey.generate().base64 }

    /// The hasher of this installation. Its key is looked at every time, as it may have been replaced: two workers
    /// with keys of their own would take each other's hashes for none.
    ///
    /// - Throws: `NoteSyncError` with code `undecipherableKey` or `noInstallationKey`, which end no job for good:
    ///   another worker's keys may do, or a person brings the key back; `PostgresError`.
    func contentHasher() async throws -> ContentHasher {
        let name = Self.contentHash
        let stored = try await key(name)
        if let last, last.stored == stored { return last.hasher }
        let hasher = ContentHasher(key: try decrypt(stored, name))
        last = (stored, hasher)
        return hasher
    }

    /// The key as it is stored.
    private func key(_ name: String) async throws -> String {
        if let stored = try await stored(name) { return stored }
        let hasHashes = try await pool.query(.hasKeyedHashes()).first?.decode("found") ?? true
        if hasHashes {
            // Another worker may have made the key, and hashes with it, in between.
            if let stored = try await stored(name) { return stored }
            // A server that has taken over may lack what was written last; who has the key still brings it back.
            guard let last else { throw Self.missing(name) }
            try await pool.execute(.addInstallationKey(name, value: last.stored))
            return try await self.stored(name) ?? last.stored
        }
        let fresh = try secrets.encrypt(try Self.freshKey())
        try await pool.execute(.addInstallationKey(name, value: fresh))
        // Of several workers that find none at the same time, one makes it and all use it.
        return try await stored(name) ?? fresh
    }

    static func missing(_ name: String) -> NoteSyncError {
        NoteSyncError(
            .noInstallationKey,
            .snooze(.seconds(60)),
            "The installation key \(name) is missing in sync_installation_keys, though there are hashes that were made with it. Restore that "
                + "row from a backup. If nobody has it: syncctl credentials forget-keys"
        )
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
