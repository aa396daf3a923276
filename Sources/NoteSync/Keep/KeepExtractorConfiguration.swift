/// Where the Keep Extractor is and how it wants to be asked.
public struct KeepExtractorConfiguration: Sendable {
    /// Form of `modified_since`.
    public enum ModifiedSince: String, Sendable, CaseIterable {
        /// Without an offset, meaning UTC: what the extractor in use compares with.
        case naive
        /// With `+00:00`, for newer ones.
        case offset
    }

    /// Base URL.
    public var url: String
    public var modifiedSince: ModifiedSince
    public var authenticationTimeout: Duration
    /// For fetching the notes; with their images that may take half an hour.
    public var notesTimeout: Duration
    /// Longest list of notes taken, in bytes.
    public var maximumBytes: Int64
    /// Most notes taken of one list.
    public var maximumNotes: Int
    /// Bytes of all lists that a worker holds at once, and so of each.
    public var maximumWorkerBytes: Int64

    public init(
        url: String = "http://localhost:8003",
        modifiedSince: ModifiedSince = .naive,
        authenticationTimeout: Duration = .seconds(120),
        notesTimeout: Duration = .seconds(1800),
        maximumBytes: Int64 = 2 << 30,
        maximumNotes: Int = 1_000_000,
        maximumWorkerBytes: Int64 = 4 << 30
    ) {
        self.url = url
        self.modifiedSince = modifiedSince
        self.authenticationTimeout = authenticationTimeout
        self.notesTimeout = notesTimeout
        self.maximumBytes = maximumBytes
        self.maximumNotes = maximumNotes
        self.maximumWorkerBytes = maximumWorkerBytes
    }
}
