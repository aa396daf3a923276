internal import Fernet
internal import Foundation
public import JobQueue
internal import Postgres

extension CredentialStore {
    /// What keys open of what is stored.
    public struct KeyCheck: Sendable {
        /// Users whose tokens are opened by the keys.
        public internal(set) var opened = 0
        /// Installation keys that are opened.
        public internal(set) var openedInstallationKeys = 0
        /// Whether a token of any user is opened, be it one of two.
        var opensToken = false
        /// Users of whom a token is not.
        public internal(set) var unopened: [UserID] = []
        /// Installation keys that are not opened, by name.
        public internal(set) var unopenedInstallationKeys: [String] = []

        /// Whether the keys are those of what is stored; true where nothing is. The installation keys decide, where there are
        /// any: all workers use them.
        public var areKeysRight: Bool { isDecided ? unopenedInstallationKeys.isEmpty : unopened.isEmpty }

        /// Whether something of what was tried decides it, whatever the rest is.
        var isDecided: Bool { !unopenedInstallationKeys.isEmpty || openedInstallationKeys > 0 || opensToken }
    }

    private static let batch = 500

    /// Whether anything is stored that needs a key.
    public func isAnythingEncrypted() async throws -> Bool {
        try await pool.query(.isAnythingEncrypted()).first?.decode("found") ?? false
    }

    /// Tries the keys on the installation keys alone, which an operator's role may read.
    public func checkInstallationKeys() async throws -> KeyCheck {
        var check = KeyCheck()
        for row in try await pool.query(.installationKeys()) {
            if opens(try row.decode("value")) {
                check.openedInstallationKeys += 1
            } else {
                check.unopenedInstallationKeys.append(try row.decode("name"))
            }
        }
        return check
    }

    /// Whether the keys are those of what is stored, for somebody who is about to store a user's tokens with them. What is to be
    /// replaced proves nothing. Reads the tokens of others where no installation key decides.
    public func areKeysRight(toStore user: UserID) async throws -> Bool {
        let check = try await checkInstallationKeys()
        guard check.areKeysRight else { return false }
        if check.openedInstallationKeys > 0 { return true }
        guard try await pool.query(.areThereOthers(than: user)).first?.decode("found") ?? true else { return true }
        return try await checkKeys(stopsAtFirst: true, except: user).areKeysRight
    }

    /// Whether something is stored, and neither an installation key nor, where there is none, the tokens of any user are opened.
    public func areKeysLost() async throws -> Bool {
        try await !checkKeys(stopsAtFirst: true).areKeysRight
    }

    /// Deletes the installation keys that are not opened and makes a new one under the first of the keys, which shows from then
    /// on which key is right. Hashes of contents say nothing any more: the next sync of each user goes by the notes' times.
    ///
    /// - Returns: the names of those deleted.
    public func forgetInstallationKeys() async throws -> [String] {
        var deletions: [PostgresQuery] = []
        var names: [String] = []
        for row in try await pool.query(.installationKeys()) {
            let value: String = try row.decode("value")
            guard !opens(value) else { continue }
            names.append(try row.decode("name"))
            deletions.append(.deleteInstallationKey(try row.decode("name"), value: value))
        }
        let fresh = try secrets.encrypt(try InstallationKeys.freshKey())
        _ = try await pool.batch(deletions + [.addInstallationKey(InstallationKeys.contentHash, value: fresh)])
        return names
    }

    /// Tries the keys on everything stored. Needs SELECT on the tokens, as a worker has it.
    ///
    /// - Parameters:
    ///   - stopsAtFirst: end with the first that decides whether the keys are right.
    ///   - exception: a user whose tokens are passed over.
    public func checkKeys(stopsAtFirst: Bool = false, except exception: UserID? = nil) async throws -> KeyCheck {
        var check = try await checkInstallationKeys()
        if stopsAtFirst, check.isDecided { return check }
        var last = ""
        while true {
            let rows = try await pool.query(.storedCredentials(after: last, limit: Self.batch))
            for row in rows {
                let user: String = try row.decode("user_id")
                last = user
                guard user != exception?.rawValue else { continue }
                let tokens: [String] = [try row.decode("google_oauth_token"), try row.decode("notion_api_token")]
                // An empty token is opened by any key.
                let proofs = tokens.filter { !$0.isEmpty }
                let opened = proofs.count(where: opens)
                if opened > 0 { check.opensToken = true }
                if opened < proofs.count {
                    check.unopened.append(UserID(user))
                } else if opened > 0 {
                    check.opened += 1
                }
                if stopsAtFirst, check.isDecided { return check }
            }
            if rows.count < Self.batch { return check }
        }
    }

    private func opens(_ stored: String) -> Bool {
        do {
            _ = try secrets.decrypt(stored)
            return true
        } catch {
            return false
        }
    }

    /// What became of encrypting everything with the first key.
    public struct Reencryption: Sendable {
        public internal(set) var users = 0
        public internal(set) var installationKeys = 0
        /// Users whose tokens none of the keys opens; they are left as they are.
        public internal(set) var unopened: [UserID] = []
        public internal(set) var unopenedInstallationKeys: [String] = []
    }

    /// Encrypts everything stored with the first key, so that the others can be dropped. What somebody stores meanwhile stays as
    /// stored.
    public func reencrypt() async throws -> Reencryption {
        var result = Reencryption()
        for row in try await pool.query(.installationKeys()) {
            let name: String = try row.decode("name")
            let old: String = try row.decode("value")
            guard let new = try reencrypted(old) else {
                result.unopenedInstallationKeys.append(name)
                continue
            }
            result.installationKeys += try await pool.execute(.replaceInstallationKey(name, old: old, new: new))
        }
        var last = ""
        while true {
            let rows = try await pool.query(.storedCredentials(after: last, limit: Self.batch))
            for row in rows {
                let user: String = try row.decode("user_id")
                last = user
                let google: String = try row.decode("google_oauth_token")
                let notion: String = try row.decode("notion_api_token")
                guard let newGoogle = try reencrypted(google), let newNotion = try reencrypted(notion) else {
                    result.unopened.append(UserID(user))
                    continue
                }
                result.users += try await pool.execute(
                    .replaceCredentials(of: user, google: (google, newGoogle), notion: (notion, newNotion))
                )
            }
            if rows.count < Self.batch { return result }
        }
    }

    /// - Returns: nil if none of the keys opens it.
    private func reencrypted(_ stored: String) throws -> String? {
        guard opens(stored) else { return nil }
        return try secrets.encrypt(try secrets.decrypt(stored))
    }
}
