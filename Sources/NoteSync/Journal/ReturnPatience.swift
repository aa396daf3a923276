/// Whether a batch waits for half of the requests that the last one has let go: where the peer answers sooner than the
/// database commits, they are back in a moment, and a batch of more notes costs hardly more than one of fewer. Not for
/// all of them, so that some are at the peer while others are recorded. Where the peer takes longer, which is found out
/// by trying, nobody waits.
struct ReturnPatience {
    /// Longest wait; less than anybody notices beside a commit.
    private static let limit = Duration.milliseconds(1)
    /// Longest pause between two tries, in batches.
    private static let longestPause = 512

    private var pause = 0
    private var left = 0

    /// How long to wait; nil: not at all.
    ///
    /// - Parameter lastFlush: how long the last batch took.
    mutating func wait(after lastFlush: Duration) -> Duration? {
        guard left == 0 else {
            left -= 1
            return nil
        }
        return min(lastFlush, Self.limit)
    }

    /// - Parameter areBack: whether they were back in time.
    mutating func learned(areBack: Bool) {
        pause = areBack ? 0 : min(pause * 2 + 1, Self.longestPause)
        left = pause
    }
}
