internal import Foundation
internal import Support

/// A file without a name: gone when it is closed, whatever ends the process.
final class TemporaryFile: Sendable {
    let descriptor: Int32

    /// - Throws: `NoteSyncError` with code `localFault`.
    init() throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "keep-notes-XXXXXX").path
        var template = path.utf8CString.map { $0 }
        descriptor = mkstemp(&template)
        guard descriptor >= 0 else {
            throw Self.fault("create a temporary file in \(FileManager.default.temporaryDirectory.path)")
        }
        guard fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0, unlink(template) == 0 else {
            let error = Self.fault("unlink a temporary file")
            close(descriptor)
            throw error
        }
    }

    deinit {
        close(descriptor)
    }

    /// Reads up to `buffer.count` bytes at an offset.
    ///
    /// - Returns: how many; 0 at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int {
        while true {
            let count = pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset))
            if count >= 0 { return count }
            guard errno == EINTR else { throw Self.fault("read a temporary file") }
        }
    }

    /// Its bytes so far.
    func size() throws -> Int {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Self.fault("read a temporary file") }
        return Int(status.st_size)
    }

    /// Writes at an offset.
    ///
    /// - Throws: `NoteSyncError` with code `localFault`.
    fileprivate func write(_ bytes: [UInt8], at offset: Int) throws {
        guard pwrite(descriptor, bytes, bytes.count, off_t(offset)) == bytes.count else {
            throw Self.fault("write to a temporary file in \(FileManager.default.temporaryDirectory.path)")
        }
    }

    private static func fault(_ action: String) -> NoteSyncError {
        let number = errno
        if OpenFiles.isExhaustion(number) {
            return .tooManyOpenFiles("This machine can't \(action): \(OpenFiles.exhaustion). \(OpenFiles.advice)")
        }
        let reason = String(cString: strerror(number))
        return NoteSyncError(
            .localFault,
            .transient(),
            "This machine can't \(action): \(reason). Free space or set TMPDIR."
        )
    }
}

/// The folder in which fetched lists of notes are kept while they are read.
public enum TemporaryFolder {
    /// Makes a file in it, writes to it and deletes it.
    ///
    /// - Throws: `NoteSyncError` with code `localFault` that names the folder.
    public static func check() throws {
        try TemporaryFile().write([UInt8](repeating: 0, count: 4096), at: 0)
    }
}
