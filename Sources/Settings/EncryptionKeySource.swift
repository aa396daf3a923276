public import Logging
public import Telemetry

/// The origin of the key that encrypts stored tokens: the variable `AWS_ENCRYPTION_KEY` or the file that
/// `AWS_ENCRYPTION_KEY_FILE` names, else the file `encryption.key` of the state folder, which is made with a fresh key
/// if it is not there.
public struct EncryptionKeySource: Sendable {
    /// Where a key came from.
    public enum Origin: Sendable, Hashable {
        /// The variable `AWS_ENCRYPTION_KEY`.
        case variable
        /// The file that `AWS_ENCRYPTION_KEY_FILE` names.
        case namedFile(String)
        /// A file of the state folder that was there, at a path.
        case file(String)
        /// A file that was made just now, at a path.
        case generated(String)
    }

    /// A key, or several separated by commas, and its origin.
    public struct Key: Sendable {
        public let value: Sensitive<String>
        public let origin: Origin
    }

    private let settings: EncryptionSettings

    /// The source that `settings` describe.
    public init(settings: EncryptionSettings) {
        self.settings = settings
    }

    /// The key. Its parts are registered with ``Redactor``, and a key made just now is announced by a WARNING.
    ///
    /// Of several processes that find no file at the same time, one makes the key and all use it.
    ///
    /// - Parameters:
    ///   - generate: a fresh key; called only when there is neither variable nor file.
    /// - Throws: ``SettingsError`` when the file cannot be used, and what `generate` throws.
    public func resolve(logger: Logger, generate: () throws -> String) throws -> Key {
        let key = try find(generate: generate)
        key.value.value.split(separator: ",").forEach { Redactor.register($0.trimmingBlanks) }
        switch key.origin {
        case .variable, .namedFile: break
        case .file(let path):
            logger.info("encryption key read from a file", metadata: ["file": "\(path)"])
        case .generated(let path):
            logger.warning(
                """
                \(SettingsKeys.encryptionKey.name) is not set: a new encryption key was written to \(path). \
                Keep a copy of that file, for stored credentials cannot be read without it, and give its content to all \
                replicas and programs as \(SettingsKeys.encryptionKey.name)
                """
            )
        }
        return key
    }

    private func find(generate: () throws -> String) throws -> Key {
        if let key = settings.key { return Key(value: key, origin: .variable) }
        if let path = settings.keyFile {
            let file = KeyFile(named: path)
            guard let text = try file.read() else { throw file.missing() }
            return Key(value: Sensitive(text), origin: .namedFile(path))
        }
        guard let folder = settings.stateFolder else {
            throw SettingsError(
                .stateFolder,
                "neither \(SettingsKeys.encryptionKey.name) nor \(SettingsKeys.stateFolder.name) nor HOME is set, "
                    + "so there is no place for a generated key: set \(SettingsKeys.encryptionKey.name)"
            )
        }
        let file = KeyFile(folder: folder)
        if let text = try file.read() { return Key(value: Sensitive(text), origin: .file(file.path)) }
        if try file.create(holding: generate()) {
            // Read back, so that what is used is what the next start will find.
            guard let text = try file.read() else { throw file.vanished() }
            return Key(value: Sensitive(text), origin: .generated(file.path))
        }
        guard let text = try file.read() else { throw file.vanished() }
        return Key(value: Sensitive(text), origin: .file(file.path))
    }
}
