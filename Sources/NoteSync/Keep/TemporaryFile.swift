internal import Foundation
internal import Support

/// A file without a name: gone when it is closed, whatever ends the process.
final class TemporaryFile: Sendable {
    let descriptor: Int32
    private let space: FetchSpace
    /// Bytes of ``space`` that are this file's.
    private let taken = Atomic<Int64>(0)

    /// - Throws: `NoteSyncError` with code `localFault`.
    init(in space: FetchSpace) throws {
        self.space = space
        let path = FileManager.default.temporaryDirectory.appending(path: "keep-notes-XXXXXX").path
        var template = path.utf8CString.map { $0 }
        descriptor = mkstemp(&template)
        guard descriptor >= 0 else {
            throw Self.fault("create a temporary file in \(TemporaryFolder.path)")
        }
        guard fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0, unlink(template) == 0 else {
            let error = Self.fault("unlink a temporary file")
            close(descriptor)
            throw error
        }
    }

    deinit {
        close(descriptor)
        space.give(back: taken.load(ordering: .relaxed))
    }

    /// Takes room for so many more bytes.
    ///
    /// - Returns: why there is none; nil if there is.
    func refusal(of bytes: Int) -> String? {
        if let refusal = space.take(Int64(bytes), descriptor) { return refusal }
        taken.add(Int64(bytes), ordering: .relaxed)
        return nil
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
            throw Self.fault("write to a temporary file in \(TemporaryFolder.path)")
        }
    }

    private static func fault(_ action: String) -> NoteSyncError {
        let number = errno
        if OpenFiles.isExhaustion(number) {
            return .tooManyOpenFiles("This machine can't \(action): \(OpenFiles.exhaustion). \(OpenFiles.advice)")
        }
        let reason = String(cString: strerror(number))
        return .machineFault("This machine can't \(action): \(reason). \(TemporaryFolder.advice(number)).")
    }
}

/// The folder in which fetched lists of notes are kept while they are read.
public enum TemporaryFolder {
    static var path: String { FileManager.default.temporaryDirectory.path }

    /// What to do about a file that can't be made or written there, without the full stop.
    ///
    /// - Parameter number: the system's, as `errno`.
    static func advice(_ number: Int32) -> String {
        switch number {
        case ENOENT, ENOTDIR: "Make that folder, or set TMPDIR to one that is there"
        case EACCES, EPERM, EROFS: "Let this program write there, or set TMPDIR to a folder where it may"
        case ENOSPC, EDQUOT: "Free space there, or set TMPDIR to a folder that has some"
        default: "See to that folder, or set TMPDIR to another"
        }
    }

    /// Makes a file in it, writes to it and deletes it.
    ///
    /// - Parameter maximumFetchBytes: the largest list of notes that is to be kept there.
    /// - Returns: a warning if there is less room than that; nil if there is enough.
    /// - Throws: `NoteSyncError` with code `localFault` that names the folder.
    public static func check(maximumFetchBytes: Int) throws -> String? {
        let file = try TemporaryFile(in: FetchSpace(maximumBytes: .max))
        try file.write([UInt8](repeating: 0, count: 4096), at: 0)
        guard let room = FetchSpace.room(file.descriptor), room < maximumFetchBytes else { return nil }
        return
            "The temporary folder \(path) has room for \(room >> 10) KiB of fetched lists, and one may take up to "
            + "\(maximumFetchBytes >> 10) KiB (SYNC_MAX_FETCH_BYTES): jobs with a larger list wait. Free space there, set TMPDIR to a "
            + "folder that has it, or lower the setting"
    }
}
