#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The file `encryption.key` of the state folder, readable by its owner only; or a file that the operator names, which
/// the system may have put there for this program: it may belong to somebody else, be a link and be readable by a
/// group, but not by everybody.
struct KeyFile {
    private static let maximumBytes = 64 * 1024

    let folder: String
    let path: String
    private let isNamed: Bool

    init(folder: String) {
        self.folder = folder
        path = "\(folder)/encryption.key"
        isNamed = false
    }

    init(named path: String) {
        folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
        self.path = path
        isNamed = true
    }

    /// The content without blanks at its ends; nil if there is no file.
    func read() throws(SettingsError) -> String? {
        let descriptor = open(path, O_RDONLY | (isNamed ? 0 : O_NOFOLLOW) | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw failure(errno, "cannot be opened (it must be a plain file)")
        }
        defer { close(descriptor) }
        try checkOwnership(of: descriptor)
        var bytes = [UInt8](repeating: 0, count: Self.maximumBytes + 1)
        var length = 0
        while length < bytes.count {
            let count = bytes.withUnsafeMutableBytes { buffer in
                systemRead(descriptor, buffer.baseAddress! + length, buffer.count - length)
            }
            if count == 0 { break }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure(errno, "cannot be read") }
            length += count
        }
        let text = String(decoding: bytes[..<length], as: UTF8.self).trimmingBlanks
        guard !text.isEmpty, length <= Self.maximumBytes else {
            throw SettingsError(
                .keyFile,
                "\(path) holds no key: put the key there" + (isNamed ? "" : ", or remove the file to get a new one")
            )
        }
        return text
    }

    private func checkOwnership(of descriptor: Int32) throws(SettingsError) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure(errno, "cannot be examined") }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw SettingsError(.keyFile, "\(path) is not a plain file")
        }
        if isNamed { return try checkNamed(status) }
        guard status.st_uid == geteuid() else {
            throw SettingsError(
                .keyFilePermissions,
                "\(path) belongs to user \(status.st_uid), but this program runs as user \(geteuid()): "
                    + "run `chown \(geteuid()) \(path)`, or set \(SettingsKeys.stateFolder.name)"
            )
        }
        guard status.st_mode & 0o077 == 0 else {
            let mode = String(status.st_mode & 0o777, radix: 8)
            throw SettingsError(
                .keyFilePermissions,
                "\(path) can be used by others (mode \(mode)): run `chmod 600 \(path)`, and if others may have read it, "
                    + "change the key"
            )
        }
    }

    private func checkNamed(_ status: stat) throws(SettingsError) {
        guard status.st_mode & 0o007 == 0 else {
            throw SettingsError(
                .keyFilePermissions,
                "\(path) can be used by everybody (mode \(String(status.st_mode & 0o777, radix: 8))): run `chmod o= \(path)` (defaultMode: "
                    + "0440 of a Kubernetes secret), and if others may have read it, change the key"
            )
        }
    }

    /// The error for a file that the operator names and that is not there.
    func missing() -> SettingsError {
        SettingsError(.keyFile, "\(SettingsKeys.encryptionKeyFile.name) names \(path), which is not there")
    }

    /// Makes the file with `text`, whole or not at all; false if another process has made it first.
    func create(holding text: String) throws(SettingsError) -> Bool {
        try makeFolder()
        // Written under another name and then linked, so that nobody ever sees half a key.
        let draft = "\(path).\(getpid()).\(String(UInt32.random(in: 0 ... .max), radix: 16))"
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure(errno, "cannot be made") }
        defer { unlink(draft) }
        do throws(SettingsError) {
            try write(text + "\n", to: descriptor)
        } catch {
            close(descriptor)
            throw error
        }
        guard close(descriptor) == 0 else { throw failure(errno, "cannot be written") }
        if link(draft, path) != 0 {
            if errno == EEXIST { return false }
            throw failure(errno, "cannot be made")
        }
        try synchronizeFolder()
        return true
    }

    private func write(_ text: String, to descriptor: Int32) throws(SettingsError) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { systemWrite(descriptor, $0.baseAddress!, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure(errno, "cannot be written") }
            rest = rest.dropFirst(count)
        }
        // The umask may have taken the owner's own rights away.
        guard fchmod(descriptor, 0o600) == 0, fsync(descriptor) == 0 else { throw failure(errno, "cannot be written") }
    }

    private func makeFolder() throws(SettingsError) {
        var path = ""
        for part in folder.split(separator: "/") {
            path += folder.hasPrefix("/") || !path.isEmpty ? "/\(part)" : "\(part)"
            guard mkdir(path, 0o700) != 0, errno != EEXIST else { continue }
            let code = errno
            // A read-only parent that exists answers EROFS or EACCES instead of EEXIST.
            if access(path, F_OK) == 0 { continue }
            throw SettingsError(
                .stateFolder,
                "the state folder \(folder) cannot be made: \(String(cString: strerror(code))). "
                    + "Set \(SettingsKeys.encryptionKey.name), or \(SettingsKeys.stateFolder.name) to a folder one can write to"
            )
        }
    }

    /// Makes the new name of the file survive a power failure.
    private func synchronizeFolder() throws(SettingsError) {
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(errno, "cannot be made durable") }
        defer { close(descriptor) }
        // Some network file systems cannot synchronize a folder and say EINVAL.
        guard fsync(descriptor) == 0 || errno == EINVAL else { throw failure(errno, "cannot be made durable") }
    }

    private func failure(_ code: Int32, _ what: String) -> SettingsError {
        SettingsError(
            .keyFile,
            "\(path) \(what): \(String(cString: strerror(code))). Set \(SettingsKeys.encryptionKey.name) to do without the file"
        )
    }

    /// The error for a file that was removed between two looks.
    func vanished() -> SettingsError {
        SettingsError(.keyFile, "\(path) was removed while it was being read: start again")
    }
}

/// `read(2)` and `write(2)`, under names that the methods of ``KeyFile`` do not hide.
private func systemRead(_ descriptor: Int32, _ buffer: UnsafeMutableRawPointer, _ count: Int) -> Int {
    read(descriptor, buffer, count)
}

private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}
