import Fernet
import NoteSync
import Settings
import Telemetry

extension DatabaseSession {
    /// The credentials under the keys of the environment or of the state folder. No key is made where something is
    /// encrypted already.
    ///
    /// - Parameter makesKey: make a key and keep it in the state folder where there is none.
    /// - Throws: `SyncControlError` with code `configuration`; `SettingsError`.
    func credentialStore(_ settings: EncryptionSettings? = nil, makesKey: Bool = false) async throws -> CredentialStore
    {
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
        if case .file(let path) = key.origin {
            StandardStream.error.note("AWS_ENCRYPTION_KEY is not set: the key in \(path) is used.")
        }
        return CredentialStore(pool: pool, keys: keys)
    }
}
