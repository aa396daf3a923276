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
        /// Users whose credentials are bound to them.
        public internal(set) var bound = 0
        /// Users whose credentials something other than this service's programs has changed since they were bound.
        public internal(set) var changedOutside: [UserID] = []

        /// Whether the keys are those of what is stored; true where nothing is. The installation keys decide, where
        /// there are any: all workers use them.
        public var areKeysRight: Bool { isDecided ? unopenedInstallationKeys.isEmpty : unopened.isEmpty }

        /// Whether there was nothing to try the keys on.
        public var isOfNothing: Bool {
            opened + openedInstallationKeys + unopened.count + unopenedInstallationKeys.count == 0
        }

        /// Whether something of what was tried decides it, whatever the rest is.
        var isDecided: Bool { !unopenedInstallationKeys.isEmpty || openedInstallationKeys > 0 || opensToken }
    }

    static let batch = 500

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

    /// Whether the keys are those of what is stored, for somebody who is about to store a user's tokens with them.
    /// What is to be replaced proves nothing. Reads the tokens of others where no installation key decides.
    public func areKeysRight(toStore user: UserID) async throws -> Bool {
        let check = try await checkInstallationKeys()
        guard check.areKeysRight else { return false }
        if check.openedInstallationKeys > 0 { return true }
        guard try await pool.query(.areThereOthers(than: user)).first?.decode("found") ?? true else { return true }
        return try await checkKeys(stopsAtFirst: true, except: user).areKeysRight
    }

    /// Whether something is stored, and neither an installation key nor, where there is none, the tokens of any user
    /// are opened.
    public func areKeysLost() async throws -> Bool {
        try await !checkKeys(stopsAtFirst: true).areKeysRight
    }

    /// What is wrong where ``isInstallationKeyMissing()``.
    public static var missingInstallationKey: String { InstallationKeys.missing(InstallationKeys.contentHash).message }

    /// Whether the key is missing that hashes of notes were made with.
    public func isInstallationKeyMissing() async throws -> Bool {
        guard try await pool.query(.installationKey(InstallationKeys.contentHash)).isEmpty else { return false }
        return try await pool.query(.hasKeyedHashes()).first?.decode("found") ?? false
    }

    /// Deletes the installation keys that are not opened and makes a new one under the first of the keys, which shows
    /// from then on which key is right. Hashes of contents say nothing any more: the next sync of each user goes by
    /// the notes' times.
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
                let stored = try CredentialRow(row)
                last = stored.userID
                guard last != exception?.rawValue else { continue }
                try add(stored, to: &check)
                if stopsAtFirst, check.isDecided { return check }
            }
            if rows.count < Self.batch { return check }
        }
    }

    private func add(_ stored: CredentialRow, to check: inout KeyCheck) throws {
        let user = UserID(stored.userID)
        // An empty token is opened by any key.
        let proofs = [stored.googleToken, stored.notionToken].filter { !$0.isEmpty }
        let opened = proofs.count(where: opens)
        if opened > 0 { check.opensToken = true }
        if opened < proofs.count {
            check.unopened.append(user)
            // Its binding is of a key that is not here either.
            return
        }
        if opened > 0 { check.opened += 1 }
        let binding = try CredentialBinding(of: stored, keys: keys)
        if binding == .valid { check.bound += 1 }
        if binding.isChangedOutside { check.changedOutside.append(user) }
    }

    func opens(_ stored: String) -> Bool {
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
        /// Users whose tokens, and installation keys that, were encrypted with it already.
        public internal(set) var unchangedUsers = 0
        public internal(set) var unchangedInstallationKeys = 0
        /// Users whose tokens none of the keys opens; they are left as they are.
        public internal(set) var unopened: [UserID] = []
        public internal(set) var unopenedInstallationKeys: [String] = []
        /// Users whose binding is wrong or was taken away by a change; none was renewed.
        public internal(set) var changedOutside: [UserID] = []
    }

    /// Encrypts everything stored with the first key, so that the others can be dropped. What somebody stores
    /// meanwhile stays as stored. A binding by any of the keys is renewed; who has none gets none.
    public func reencrypt() async throws -> Reencryption {
        var result = Reencryption()
        for row in try await pool.query(.installationKeys()) {
            let name: String = try row.decode("name")
            let old: String = try row.decode("value")
            guard let new = try reencrypted(old) else {
                result.unopenedInstallationKeys.append(name)
                continue
            }
            guard new != old else {
                result.unchangedInstallationKeys += 1
                continue
            }
            result.installationKeys += try await pool.execute(.replaceInstallationKey(name, old: old, new: new))
        }
        var last = ""
        while true {
            let rows = try await pool.query(.storedCredentials(after: last, limit: Self.batch))
            for row in rows {
                let stored = try CredentialRow(row)
                last = stored.userID
                try await reencrypt(stored, &result)
            }
            if rows.count < Self.batch { return result }
        }
    }

    private func reencrypt(_ stored: CredentialRow, _ result: inout Reencryption) async throws {
        let user = UserID(stored.userID)
        guard let google = try reencrypted(stored.googleToken), let notion = try reencrypted(stored.notionToken) else {
            result.unopened.append(user)
            return
        }
        var new = stored
        new.googleToken = google
        new.notionToken = notion
        let binding = try CredentialBinding(of: stored, keys: keys)
        if binding == .valid { new.binding = try CredentialBinding.text(of: new, keys: keys) }
        if binding.isChangedOutside { result.changedOutside.append(user) }
        guard new != stored else {
            result.unchangedUsers += 1
            return
        }
        result.users += try await pool.execute(.replaceCredentials(stored, by: new))
    }

    /// - Returns: what is stored if the first key opens it; nil if none of the keys does.
    private func reencrypted(_ stored: String) throws -> String? {
        guard opens(stored) else { return nil }
        guard try !secrets.isFirstKey(of: stored) else { return stored }
        return try secrets.encrypt(try secrets.decrypt(stored))
    }
}
