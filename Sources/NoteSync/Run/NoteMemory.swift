internal import Support

/// Room in memory for the notes that all jobs of a worker have read and not done with, in bytes of their JSON; who
/// comes first goes first. Notes in work take several times their size.
///
/// Whoever waits for room has none that another waits for: notes that have been read end without any more of it.
final class NoteMemory: Sendable {
    /// Bytes of small notes that a job reads at once, and that it has in work; what is more is a large note, which is
    /// read alone. As many jobs as there is room for these never wait.
    static let jobBytes = 1 << 20

    private let small = ConcurrencyLimiter(limit: 32 << 20)
    /// Apart from the others, which do not wait behind notes that take long.
    private let large = ConcurrencyLimiter(limit: 16 << 20)

    /// Returns when there is room for notes that are so many bytes together.
    ///
    /// - Throws: `CancellationError` if cancelled while waiting.
    func room(for bytes: Int) async throws -> NoteRoom {
        let limiter = limiter(of: bytes)
        let share = limiter.share(of: bytes)
        guard await limiter.acquire(share) else { throw CancellationError() }
        return NoteRoom(share, of: limiter)
    }

    /// Room for notes, if there is any that nobody waits for.
    func roomAtOnce(for bytes: Int) -> NoteRoom? {
        let limiter = limiter(of: bytes)
        let share = limiter.share(of: bytes)
        return limiter.acquireAtOnce(share) ? NoteRoom(share, of: limiter) : nil
    }

    private func limiter(of bytes: Int) -> ConcurrencyLimiter { bytes > Self.jobBytes ? large : small }
}

/// Room for some notes; given back when the last of those who hold it lets go of it.
final class NoteRoom: Sendable {
    private let limiter: ConcurrencyLimiter
    private let bytes: Mutex<Int>

    fileprivate init(_ bytes: Int, of limiter: ConcurrencyLimiter) {
        self.bytes = Mutex(bytes)
        self.limiter = limiter
    }

    /// The part of it that is one note's, to be given back by itself.
    func part(_ bytes: Int) -> NoteRoom {
        let part = self.bytes.withLock { own in
            let part = min(bytes, own)
            own -= part
            return part
        }
        return NoteRoom(part, of: limiter)
    }

    deinit { limiter.release(bytes.withLock { $0 }) }
}
