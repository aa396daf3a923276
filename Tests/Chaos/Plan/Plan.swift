/// Everything that is decided beforehand about a run, drawn from its seed.
struct Plan: Sendable {
    struct Step: Sendable {
        /// After the beginning, in milliseconds.
        var at: Int
        var attack: Attack
    }

    let seed: UInt64
    let workers: Int
    let users: Int
    let notes: Int
    /// Whether there is a note that the writer refuses for good.
    let hasRefusedNote: Bool
    let honoursKeys: Bool
    let holdsUnknown: Bool
    let recreatesTrashed: Bool
    /// Whether the extractor serves one request at a time, as the one in use does.
    let serialisesExtractor: Bool
    /// Every call of a peer takes so long, in milliseconds.
    let latency: Int
    let settings: [String: String]
    /// Whether all that is done to it is done by people: then no answer is lost, and no page and no text may be there twice.
    let isByPeople: Bool
    let steps: [Step]

    /// How long a run is attacked, in milliseconds.
    static let length = 7000

    init(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        self.seed = seed
        workers = random.number(2...4)
        users = random.number(3...5)
        notes = random.number(8...14)
        hasRefusedNote = random.chance(0.3)
        honoursKeys = random.chance(0.5)
        holdsUnknown = random.chance(0.15)
        recreatesTrashed = random.chance(0.25)
        serialisesExtractor = random.chance(0.3)
        latency = random.number(20...140)
        settings = [
            "SYNC_LEASE": "3s",
            "SYNC_POLL_INTERVAL": "500ms",
            "SYNC_JOB_BACKOFF_BASE": "50ms",
            "SYNC_JOB_BACKOFF_CAP": "300ms",
            "SYNC_NOTE_BACKOFF_BASE": "20ms",
            "SYNC_NOTE_BACKOFF_CAP": "100ms",
            "SYNC_SHUTDOWN_GRACE": "3s",
            "NOTION_WRITER_TIMEOUT": "2s",
            "KEEP_AUTH_TIMEOUT": "2s",
            "KEEP_EXTRACTOR_TIMEOUT": "3s",
            // Mostly nothing that would hide a cursor which is too far ahead.
            "SYNC_CURSOR_LOOKBACK": random.chance(0.85) ? "0s" : "600s",
            "SYNC_WORKER_CONCURRENCY": "\(random.number(1...4))",
            "SYNC_NOTE_CONCURRENCY": "\(random.number(1...4))",
            "SYNC_NOTE_ATTEMPTS": "\(random.number(1...4))",
            "SYNC_UNKNOWN_CREATES": holdsUnknown ? "hold" : "retry",
            "SYNC_UNKNOWN_COOLDOWN": "200ms",
            "SYNC_UNKNOWN_LIMIT": "\(random.number(1...3))",
            "SYNC_DATABASE_CHANGED": "recreate",
            "SYNC_TRASHED_PAGES": recreatesTrashed ? "recreate" : "leave",
            "LOG_FORMAT": "json",
            "LOG_LEVEL": random.chance(0.5) ? "debug" : "trace",
        ]
        isByPeople = seed % 4 == 1
        steps = Self.steps(users: users, isByPeople: isByPeople, using: &random)
    }

    /// What keeps the workers busy, and what is done to them meanwhile.
    private static func steps(users: Int, isByPeople: Bool, using random: inout SplitMix64) -> [Step] {
        var steps: [Step] = []
        func add(_ attack: Attack) {
            // What lasts is over soon after the end.
            let latest = max(300, min(length, length + 500 - attack.length))
            steps.append(Step(at: random.number(200...latest), attack: attack))
        }
        for user in 0..<users {
            steps.append(Step(at: random.number(0...200), attack: .insertJob(user: user, full: random.chance(0.3))))
        }
        for _ in 0..<random.number(20...36) {
            add(.insertJob(user: random.number(0...1000), full: random.chance(0.2)))
        }
        for _ in 0..<random.number(10...20) {
            add(.editNote(choice: random.number(0...1000), changesTitle: random.chance(0.3)))
        }
        for _ in 0..<random.number(0...3) { add(.createNote) }
        if random.chance(0.3) { add(.trashNote(choice: random.number(0...1000))) }
        for _ in 0..<random.number(14...26) {
            add(AttackDraw.attack(onlyByPeople: isByPeople, using: &random))
        }
        return steps.sorted { $0.at < $1.at }
    }
}
