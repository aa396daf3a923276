internal import Foundation
internal import Support

/// The room on the disk that all lists fetched by a worker may take together.
final class FetchSpace: Sendable {
    private let maximumBytes: Int64
    private let used = Atomic<Int64>(0)
    /// Bytes that were found free and may be taken before the disk is asked again.
    private let granted = Atomic<Int64>(0)

    /// How much is written between two questions.
    private static let step: Int64 = 16 << 20

    init(maximumBytes: Int64) {
        self.maximumBytes = maximumBytes
    }

    /// Takes room.
    ///
    /// - Parameter descriptor: a file on that disk.
    /// - Returns: why there is none; nil if it is taken.
    func take(_ bytes: Int64, _ descriptor: Int32) -> String? {
        guard used.add(bytes, ordering: .relaxed).newValue <= maximumBytes else {
            give(back: bytes)
            return """
                the lists of this worker together are larger than SYNC_MAX_WORKER_FETCH_BYTES (\(maximumBytes)) allows; \
                this one is fetched when others are done
                """
        }
        if granted.subtract(bytes, ordering: .relaxed).newValue >= 0 { return nil }
        guard let disk = Disk(descriptor) else {
            granted.store(Self.step, ordering: .relaxed)
            return nil
        }
        let reserve = disk.reserve
        guard disk.free - bytes >= reserve else {
            give(back: bytes)
            return """
                only \(disk.free >> 10) KiB are free on the disk of the temporary folder \(TemporaryFolder.path), and \
                \(reserve >> 10) KiB are kept free. \(TemporaryFolder.advice(ENOSPC))
                """
        }
        granted.store(min(Self.step, disk.free - bytes - reserve), ordering: .relaxed)
        return nil
    }

    /// Bytes that lists may take on the disk of a file; nil where the system does not say.
    static func room(_ descriptor: Int32) -> Int64? {
        Disk(descriptor).map { max($0.free - $0.reserve, 0) }
    }

    func give(back bytes: Int64) {
        used.subtract(bytes, ordering: .relaxed)
    }
}

/// Bytes of a disk.
private struct Disk {
    let size: Int64
    let free: Int64
    /// What is left to everything else; of a small disk, a tenth.
    var reserve: Int64 { min(256 << 20, size / 10) }

    /// nil where the system does not say: then the write itself fails.
    init?(_ descriptor: Int32) {
        var status = statvfs()
        guard fstatvfs(descriptor, &status) == 0 else { return nil }
        func bytes(_ blocks: fsblkcnt_t) -> Int64 {
            let (bytes, overflow) = Int64(clamping: blocks).multipliedReportingOverflow(
                by: Int64(clamping: status.f_frsize)
            )
            return overflow ? .max : bytes
        }
        size = bytes(status.f_blocks)
        free = bytes(status.f_bavail)
    }
}
