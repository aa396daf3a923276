/// All that is known of one run once it is over: what was arranged, what every process, the simulator and the
/// database's triggers saw, and what the tables and pages hold at the end. Microseconds since 1970, by the one clock of
/// the machine.
public struct History: Sendable, Codable {
    public typealias Instant = Int64

    public var arrangement: Arrangement
    /// What was in Keep: every version of every note.
    public var versions: [NoteVersion] = []
    /// Notes put in Keep's trash, and when.
    public var trashedNotes: [String: Instant] = [:]
    /// What people did to pages.
    public var pageEvents: [PageEvent] = []
    public var changes: [Change] = []
    public var calls: [Call] = []
    public var sends: [Send] = []
    /// What was done to the workers, the database and the wires between them, and how long it went on.
    public var disturbances: [Disturbance] = []
    public var openTransactions: [OpenTransaction] = []
    /// Ends of jobs that the database has refused.
    public var refusals: [Refusal] = []
    /// Servers that were lost.
    public var failovers: [Failover] = []
    /// Jobs whose INSERT was answered.
    public var acknowledgedJobs: Set<String> = []
    /// When a stopped worker was let go on.
    public var continuations: [Continuation] = []
    /// Workers that ended without having been killed, and how.
    public var exits: [Exit] = []
    /// The last job of each user, inserted when all faults were over.
    public var finalJobs: [String: String] = [:]
    public var jobs: [JobRow] = []
    public var states: [StateRow] = []
    public var failedNotes: [FailedNoteRow] = []
    public var pages: [Page] = []
    /// What keeps calls of the peers back when all is over.
    public var gates: [GateRow] = []
    /// Where a secret must not stand.
    public var texts: [Text] = []

    public init(arrangement: Arrangement) { self.arrangement = arrangement }
}

extension History {
    /// What the run was set up with.
    public struct Arrangement: Sendable, Codable {
        public var seed: UInt64
        /// Whether the writer makes one page per Idempotency-Key.
        public var honoursKeys: Bool
        /// Whether a page in Notion's trash is made anew (else it is left there).
        public var recreatesTrashed: Bool
        /// User to the database of the user's pages.
        public var databases: [String: String]
        /// Databases that users had before they were moved to another, and whose they were.
        /// Permits a second of one Notion token, by the workers' settings; 0: they keep to no pace.
        public var pace = 0.0
        public var formerDatabases: [String: String] = [:]
        /// `application_name` of everyone who is no worker.
        public var operators: Set<String>
        /// A part of the title of the notes that the writer refuses for good.
        public var refusedTitle: String
        /// What must be found nowhere: each with a name that may be told.
        public var secrets: [Secret]

        public init(
            seed: UInt64,
            honoursKeys: Bool,
            recreatesTrashed: Bool,
            databases: [String: String],
            operators: Set<String>,
            refusedTitle: String,
            secrets: [Secret]
        ) {
            self.seed = seed
            self.honoursKeys = honoursKeys
            self.recreatesTrashed = recreatesTrashed
            self.databases = databases
            self.operators = operators
            self.refusedTitle = refusedTitle
            self.secrets = secrets
        }
    }

    public struct Secret: Sendable, Codable {
        public var name: String
        public var value: String

        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    public struct NoteVersion: Sendable, Codable {
        public var note: String
        public var at: Instant
        /// Empty for an untitled note.
        public var title: String
        public var content: String

        public init(note: String, at: Instant, title: String, content: String) {
            self.note = note
            self.at = at
            self.title = title
            self.content = content
        }
    }

    /// A change of a page by its owner: `trash`, `remove`.
    public struct PageEvent: Sendable, Codable {
        public var page: String
        public var change: String
        public var at: Instant

        public init(page: String, change: String, at: Instant) {
            self.page = page
            self.change = change
            self.at = at
        }
    }

    /// A call as the simulator saw it.
    public struct Call: Sendable, Codable {
        public var number: Int
        public var peer: String
        /// `auth`, `notes`, `create`, `update`, `health`.
        public var operation: String
        public var receivedAt: Instant
        public var databaseID: String?
        public var pageID: String?
        public var content: String?
        public var idempotencyKey: String?
        public var fault: String?
        public var workedAt: Instant?
        /// `created`, `replayed`, `updated`.
        public var effect: String?
        public var effectPageID: String?
        public var refusal: String?
        public var endedAt: Instant?

        public init(number: Int, operation: String, receivedAt: Instant) {
            self.number = number
            peer = "writer"
            self.operation = operation
            self.receivedAt = receivedAt
        }
    }

    /// A request for a user on its way out of a worker, as the wire before it saw it.
    public struct Send: Sendable, Codable {
        public var worker: String
        public var user: String
        public var at: Instant
        /// How the text begins that it is to write, as far as it was seen.
        public var text: String?

        public init(worker: String, user: String, at: Instant, text: String? = nil) {
            self.worker = worker
            self.user = user
            self.at = at
            self.text = text
        }
    }

    public struct Continuation: Sendable, Codable {
        public var worker: String
        public var at: Instant

        public init(worker: String, at: Instant) {
            self.worker = worker
            self.at = at
        }
    }

    public struct Exit: Sendable, Codable {
        public var worker: String
        /// As `code 0`, `signal 11`.
        public var how: String
        /// Whether it had been asked to stop.
        public var wasAsked: Bool

        public init(worker: String, how: String, wasAsked: Bool) {
            self.worker = worker
            self.how = how
            self.wasAsked = wasAsked
        }
    }

    public struct JobRow: Sendable, Codable {
        public var job: String
        public var user: String
        public var status: String
        public var total: Int
        public var processed: Int
        public var failed: Int
        public var isClosed: Bool
        public var error: String?

        public init(job: String, user: String, status: String) {
            self.job = job
            self.user = user
            self.status = status
            total = 0
            processed = 0
            failed = 0
            isClosed = true
        }
    }

    public struct StateRow: Sendable, Codable {
        public var user: String
        public var note: String
        public var page: String

        public init(user: String, note: String, page: String) {
            self.user = user
            self.note = note
            self.page = page
        }
    }

    /// A gate, as it is when all jobs have ended.
    public struct GateRow: Sendable, Codable {
        public var gate: String
        /// Seconds that it stays closed.
        public var closedFor: Double
        /// Whether it is a peer that is taken to be out of order.
        public var isBroken: Bool
        /// Permits taken and not given back.
        public var permits: Int
        /// Seconds for which permits are given away already.
        public var ahead: Double

        public init(gate: String, closedFor: Double = 0, isBroken: Bool = false, permits: Int = 0, ahead: Double = 0) {
            self.gate = gate
            self.closedFor = closedFor
            self.isBroken = isBroken
            self.permits = permits
            self.ahead = ahead
        }
    }

    public struct FailedNoteRow: Sendable, Codable {
        public var user: String
        public var note: String

        public init(user: String, note: String) {
            self.user = user
            self.note = note
        }
    }

    public struct Page: Sendable, Codable {
        public var id: String
        public var databaseID: String
        public var title: String
        /// Text of the create and of each update, in order.
        public var appended: [String]
        /// `live`, `trashed`, `removed`, `removed_block`.
        public var state: String
        public var idempotencyKeys: [String]

        public init(
            id: String,
            databaseID: String,
            title: String,
            appended: [String],
            state: String = "live",
            idempotencyKeys: [String] = []
        ) {
            self.id = id
            self.databaseID = databaseID
            self.title = title
            self.appended = appended
            self.state = state
            self.idempotencyKeys = idempotencyKeys
        }
    }

    /// A line of a log, a row of a table: somewhere a secret might stand.
    public struct Text: Sendable, Codable {
        public var place: String
        public var text: String

        public init(place: String, text: String) {
            self.place = place
            self.text = text
        }
    }
}
