/// What one run of the simulator is given.
struct SimulatorConfiguration: Sendable {
    /// Where the Keep notes come from.
    enum NoteSource: Sendable {
        /// A Google Takeout export: the `Keep` folder, `Takeout`, or the folder that holds `Takeout`.
        case takeout(path: String)
        /// As many made-up notes, with a text of about `noteBytes` bytes each.
        case synthetic(count: Int, noteBytes: Int)
    }

    var host = "127.0.0.1"
    /// Port of the Keep Extractor; 0 takes a free one.
    var keepPort = 8003
    /// Port of the Notion Writer; 0 takes a free one.
    var writerPort = 8004
    var notes = NoteSource.synthetic(count: 100, noteBytes: 600)
    /// Seed of note order, synthetic notes and fault probabilities.
    var seed: UInt64 = 1
    /// Keep master tokens that authenticate. Empty: any but empty ones and those that start with "bad".
    var masterTokens: Set<String> = []
    /// Notion tokens that are valid. Empty: any but empty ones and those that start with "bad".
    var notionTokens: Set<String> = []
    /// Databases shared with the integration. Empty: any but those that start with "unknown".
    var databases: Set<String> = []
    var settings = PeerSettings()
    var faults: [FaultRule] = []
    /// Whether every call is kept for `/simulator/calls`.
    var recordsCalls = false
}

/// Traits of the two peers that can be changed while they run.
struct PeerSettings: Sendable, Codable, Equatable {
    /// What the extractor emits, and the only form of `modified_since` it can compare with.
    enum Timestamps: String, Sendable, Codable, CaseIterable { case naive, offset }
    /// What the writer does with an `Idempotency-Key`.
    enum Idempotency: String, Sendable, Codable, CaseIterable { case honour, ignore }

    var timestamps = Timestamps.naive
    var idempotency = Idempotency.ignore
    /// The extractor answers one request at a time, `/health` included.
    var serialised = true
    /// Milliseconds that every call but `/health` takes at least.
    var latencyMilliseconds = 0
    /// Pages keep the size of what was written and not the text: for long benchmarks.
    var forgetsContents = false
    /// The writer serves one call at a time, as the one in use.
    var serialisesWriter = false
    /// Requests a second that Notion lets through for one token; 0: no limit. A page is two, 150 ms apart, and the
    /// writer sleeps where one is refused.
    var notionRate = 0.0
    /// Requests that Notion lets through at once.
    var notionBurst = 3.0

    private enum CodingKeys: String, CodingKey {
        case timestamps, idempotency, serialised
        case serialisesWriter = "serialised_writer"
        case notionRate = "notion_rate"
        case notionBurst = "notion_burst"
        case latencyMilliseconds = "latency_ms"
        case forgetsContents = "forget_contents"
    }
}

extension PeerSettings {
    /// Some of the settings; those left out stay as they are.
    struct Change: Sendable, Codable {
        var timestamps: Timestamps?
        var idempotency: Idempotency?
        var serialised: Bool?
        var latencyMilliseconds: Int?
        var forgetsContents: Bool?
        var serialisesWriter: Bool?
        var notionRate: Double?
        var notionBurst: Double?

        private enum CodingKeys: String, CodingKey {
            case timestamps, idempotency, serialised
            case serialisesWriter = "serialised_writer"
            case notionRate = "notion_rate"
            case notionBurst = "notion_burst"
            case latencyMilliseconds = "latency_ms"
            case forgetsContents = "forget_contents"
        }

        func applied(to settings: PeerSettings) -> PeerSettings {
            PeerSettings(
                timestamps: timestamps ?? settings.timestamps,
                idempotency: idempotency ?? settings.idempotency,
                serialised: serialised ?? settings.serialised,
                latencyMilliseconds: latencyMilliseconds ?? settings.latencyMilliseconds,
                forgetsContents: forgetsContents ?? settings.forgetsContents,
                serialisesWriter: serialisesWriter ?? settings.serialisesWriter,
                notionRate: notionRate ?? settings.notionRate,
                notionBurst: notionBurst ?? settings.notionBurst
            )
        }
    }
}
