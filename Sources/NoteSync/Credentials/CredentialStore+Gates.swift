internal import Fernet
public import FlowControl
public import JobQueue
internal import Postgres

extension CredentialStore {
    /// The gates that calls for a user pass besides those of the peers, as the workers name them; none where no
    /// installation key has been made. Those of the token and the workspace are left out where the user's tokens can't
    /// be read: an operator's role has no right to.
    ///
    /// - Throws: `FernetError` if these keys are not those of the installation; `PostgresError`.
    public func gates(of user: UserID) async throws -> [GateName] {
        let row = try await pool.query(.installationKey(InstallationKeys.contentHash)).first
        guard let stored: String = try row?.decode("value") else { return [] }
        let hasher = ContentHasher(key: Array(try secrets.decrypt(stored).utf8))
        guard let credentials = try? await load(user) else {
            let none = Credentials(googleToken: "", notionToken: "", databaseID: "")
            return [JobGates(user: user, credentials: none, hasher: hasher).account]
        }
        let gates = JobGates(user: user, credentials: credentials, hasher: hasher)
        return [gates.account, gates.token, gates.workspace]
    }
}
