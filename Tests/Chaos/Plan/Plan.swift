/// Everything that is decided beforehand about a run, drawn from its seed.
public struct Plan: Sendable {
    struct Step: Sendable {
        /// After the beginning, in milliseconds.
        var at: Int
        var attack: Attack
    }

    /// Who does something to a run.
    public enum Attackers: String, Sendable, CaseIterable {
        /// No answer is lost then, and no page and no text may be there twice.
        case people
        /// Routers that lose connections which are open: then no worker loses a lease, and none counts as dead.
        case routers
        case all
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
    /// Permits a second of one Notion token; 0: no pace.
    let pace: Double
    let settings: [String: String]
    let attackers: Attackers
    /// Of servers that fail over: whether a commit waits until the standby has it.
    let isSynchronous: Bool
    let steps: [Step]

    /// Who attacks a usual run.
    static func attackers(of seed: UInt64) -> Attackers {
        switch seed % 4 {
        case 1: .people
        case 3: .routers
        default: .all
        }
    }

    /// How long a run is attacked, in milliseconds. A failover and what comes of it take longer.
    private static func length(_ kind: Chaos.Kind) -> Int { kind == .failovers ? 10_000 : 7000 }

    init(seed: UInt64, kind: Chaos.Kind) {
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
        pace = seed % 2 == 0 ? 100 : 0
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
            // What is seen of a peer is shared, and its waits are short beside a run.
            "SYNC_NOTION_RATE": pace > 0 ? "\(Int(pace))/s" : "0",
            "SYNC_KEEP_RATE": "0",
            "SYNC_BREAKER_FAILURES": seed % 4 == 0 ? "0" : "2",
            "SYNC_BREAKER_COOLDOWN": "100ms",
            "SYNC_BREAKER_COOLDOWN_CAP": "1s",
            "LOG_FORMAT": "json",
            "LOG_LEVEL": random.chance(0.5) ? "debug" : "trace",
        ]
        attackers = kind == .failovers ? .all : Self.attackers(of: seed)
        isSynchronous = kind == .failovers && seed % 2 == 1
        let draws = (attackers: attackers, mayAcknowledgeEarly: !isSynchronous)
        var steps = Self.steps(users: users, length: Self.length(kind), using: &random) { random in
            var attack = AttackDraw.attack(by: draws.attackers, using: &random)
            while attack.mayAcknowledgeEarly, !draws.mayAcknowledgeEarly {
                attack = AttackDraw.attack(by: draws.attackers, using: &random)
            }
            return attack
        }
        if kind == .failovers { steps += Self.failovers(isSynchronous: isSynchronous, using: &random) }
        self.steps = steps.sorted { $0.at < $1.at }
    }

    /// One failover early, and mostly another when that is over. Where commits wait for the standby, they wait for as
    /// long as it hears nothing, and nothing is to be lost however long that is; where they don't, it is what is lost.
    private static func failovers(isSynchronous: Bool, using random: inout SplitMix64) -> [Step] {
        let moments = [random.number(800...3000)] + (random.chance(0.6) ? [random.number(5500...7500)] : [])
        return moments.map { at in
            let silence = random.chance(0.3) ? 0 : random.number(isSynchronous ? 0...200 : 20...1000)
            return Step(at: at, attack: .failOver(silence: silence, stale: random.number(100...1500)))
        }
    }

    /// What keeps the workers busy, and what is done to them meanwhile.
    private static func steps(
        users: Int,
        length: Int,
        using random: inout SplitMix64,
        draw: (inout SplitMix64) -> Attack
    ) -> [Step] {
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
            add(draw(&random))
        }
        return steps
    }
}
