import Foundation

/// A file of an export.
enum TakeoutFile {
    /// - Throws: `PeerSimulatorError` (`takeoutNotFound`) that says in a few words why it cannot be read. What is no
    ///   file is not opened: a pipe would never end.
    static func contents(_ path: String) throws -> Data {
        var status = stat()
        guard stat(path, &status) == 0 else { throw unreadable(errno) }
        switch status.st_mode & S_IFMT {
        case S_IFREG: break
        case S_IFDIR: throw PeerSimulatorError(.takeoutNotFound, "it is a folder")
        default: throw PeerSimulatorError(.takeoutNotFound, "it is no file")
        }
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw unreadable(errno) }
        let handle = FileHandle(fileDescriptor: file, closeOnDealloc: true)
        let data: Data
        do {
            data = try handle.readToEnd() ?? Data()
        } catch {
            throw PeerSimulatorError(.takeoutNotFound, "reading it fails", cause: error)
        }
        if data.isEmpty { throw PeerSimulatorError(.takeoutNotFound, "it is empty") }
        return data
    }

    private static func unreadable(_ code: Int32) -> PeerSimulatorError {
        switch code {
        case ENOENT: PeerSimulatorError(.takeoutNotFound, "it is a link to a file that is not there")
        case ELOOP: PeerSimulatorError(.takeoutNotFound, "it is a link to itself")
        case EACCES, EPERM: PeerSimulatorError(.takeoutNotFound, "the rights to read it are missing")
        default: PeerSimulatorError(.takeoutNotFound, "it cannot be read: \(String(cString: strerror(code)))")
        }
    }
}
