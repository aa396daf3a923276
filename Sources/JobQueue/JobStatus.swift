/// Public state of a job. The readers of `sync_jobs` know five words and workers write no other; a job that waits for a
/// retry is `queued` with a later due time.
///
/// The column takes any word, and other programs write to it. A word that is none of the five is kept as it stands.
public enum JobStatus: Hashable, Sendable, CaseIterable {
    case queued, running, completed, failed, cancelled
    /// A word that somebody else wrote. No worker runs such a job.
    case unknown(String)

    /// The five known words.
    public static let allCases: [JobStatus] = [.queued, .running, .completed, .failed, .cancelled]

    /// Any word of the column.
    public init(word: String) {
        self = JobStatus(rawValue: word) ?? .unknown(word)
    }

    /// Whether nothing more will happen to the job by itself.
    public var isFinal: Bool {
        switch self {
        case .queued, .running: false
        case .completed, .failed, .cancelled, .unknown: true
        }
    }
}

extension JobStatus: RawRepresentable {
    /// One of the five known words; nil for any other.
    public init?(rawValue: String) {
        guard let known = Self.allCases.first(where: { $0.rawValue == rawValue }) else { return nil }
        self = known
    }

    /// The word in the column.
    public var rawValue: String {
        switch self {
        case .queued: "queued"
        case .running: "running"
        case .completed: "completed"
        case .failed: "failed"
        case .cancelled: "cancelled"
        case .unknown(let word): word
        }
    }
}
