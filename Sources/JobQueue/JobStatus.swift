/// Public state of a job. The readers of `sync_jobs` know these five and no other; a job that waits for a retry is
/// `queued` with a later due time.
public enum JobStatus: String, Sendable, CaseIterable {
    case queued, running, completed, failed, cancelled

    /// Whether nothing more will happen to the job by itself.
    public var isFinal: Bool {
        switch self {
        case .queued, .running: false
        case .completed, .failed, .cancelled: true
        }
    }
}
