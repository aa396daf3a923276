import Fernet
import FlowControl
import JobQueue
import NoteSync
import Postgres
import Settings
import Telemetry

extension DatabaseSession {
    /// The credentials under the keys of the environment or of the state folder. No key is made where something is
    /// encrypted already.
    ///
    /// - Parameters:
    ///   - makesKey: make a key and keep it in the state folder where there is none.
    ///   - tellsOrigin: say that the key of the state folder is used.
    /// - Throws: `SyncControlError` with code `configuration`; `SettingsError`.
    func credentialStore(
        _ settings: EncryptionSettings? = nil,
        makesKey: Bool = false,
        tellsOrigin: Bool = true
    ) async throws -> CredentialStore {
        let settings = try settings ?? EncryptionSettings.load()
        let isAnythingEncrypted = try await CredentialStore(pool: pool).isAnythingEncrypted()
        let key = try EncryptionKeySource(settings: settings).resolve(logger: logger) {
            guard !isAnythingEncrypted else {
                throw SyncControlError(
                    .configuration,
                    "AWS_ENCRYPTION_KEY is not set, and credentials are stored already. Set it to the key they were stored with. If "
                        + "nobody has that any more, set it to a new one and see: syncctl credentials forget-keys --help"
                )
            }
            guard makesKey else {
                throw SyncControlError(
                    .configuration,
                    "AWS_ENCRYPTION_KEY is not set, and nothing is stored that needs it. Make one with: syncctl keygen"
                )
            }
            return try FernetKey.generate().base64
        }
        let keys: FernetKeyRing
        do {
            keys = try FernetKeyRing(key.value.value)
        } catch {
            throw SyncControlError(
                .configuration,
                "AWS_ENCRYPTION_KEY can't be used: \(error) Make one with: syncctl keygen",
                cause: error
            )
        }
        if case .file(let path) = key.origin, tellsOrigin {
            StandardStream.error.note("AWS_ENCRYPTION_KEY is not set: the key in \(path) is used.")
        }
        return CredentialStore(pool: pool, keys: keys)
    }
}

extension DatabaseSession {
    /// Whether the keys that this command has open what is stored. nil: it has none, nothing is stored that tells, or
    /// only tokens would, which its role may not read.
    ///
    /// - Throws: `PostgresError`.
    func opensWhatIsStored() async throws -> Bool? {
        let store: CredentialStore
        do {
            store = try await credentialStore(tellsOrigin: false)
        } catch is SyncControlError, is SettingsError {
            // Who asks about a job need not have a key.
            return nil
        }
        let check = try await store.checkInstallationKeys()
        if !check.isOfNothing { return check.areKeysRight }
        do {
            let tokens = try await store.checkKeys(stopsAtFirst: true)
            return tokens.isOfNothing ? nil : tokens.areKeysRight
        } catch let error as PostgresError where error.sqlState == .insufficientPrivilege {
            return nil
        }
    }

    /// The gates that a user's jobs pass besides the peers', by name: those that some have been snoozed for, and those
    /// of the user's token, workspace and account.
    ///
    /// What can't be found out is left out: the key may not be here, and an operator's role may read no tokens. The
    /// command does not depend on it.
    func gates(of user: UserID) async -> [String] {
        let awaited = (try? await jobs.gatesAwaited(by: user)) ?? []
        let own = (try? await credentialStore(tellsOrigin: false).gates(of: user).map(\.rawValue)) ?? []
        return awaited + own.filter { !awaited.contains($0) }
    }
}
