import Logging
import Telemetry

/// Every environment variable that the programs read: name, type, default, meaning. `--help` and README print
/// ``all``. Unset and empty are the same everywhere.
public enum SettingsKeys {
    // MARK: Database

    static let databaseURL = Setting(
        .database,
        "DATABASE_URL",
        .connectionString,
        default: Sensitive("postgresql://postgres:postgres@localhost:5432/keep_notion_sync"),
        secret: true,
        "PostgreSQL connection string, anything libpq takes (TLS options included)"
    )
    static let databaseConnections = Setting(
        .database,
        "SYNC_DATABASE_CONNECTIONS",
        .integer(1...1000),
        default: 10,
        "Connections to PostgreSQL a program holds at most; a worker at least 4, one each for LISTEN and its leases among them"
    )
    static let databaseConnectionAge = Setting(
        .database,
        "SYNC_DATABASE_CONNECTION_AGE",
        .duration(.seconds(1) ... .seconds(86_400)),
        default: .seconds(1800),
        "How long a connection is used, a fifth more or less, before a new one takes its place"
    )

    // MARK: Worker and queue

    static let workerName = Setting(
        .worker,
        "SYNC_WORKER_NAME",
        .text("name", "at most 100 letters, digits and . _ - : @", where: WorkerName.isValid),
        unset: "HOST-PID-RANDOM",
        "Name of this worker in the tables and logs; should differ between replicas"
    )
    static let workerConcurrency = Setting(
        .worker,
        "SYNC_WORKER_CONCURRENCY",
        .integer(1...1000),
        default: 4,
        "Jobs a worker runs at the same time (slots)"
    )
    static let lease = Setting(
        .worker,
        "SYNC_LEASE",
        .duration(.seconds(3) ... .seconds(3600)),
        default: .seconds(60),
        "Time after which the job of a silent worker is given to another; renewed every third of it"
    )
    static let pollInterval = Setting(
        .worker,
        "SYNC_POLL_INTERVAL",
        .duration(.milliseconds(100) ... .seconds(3600)),
        default: .seconds(5),
        "Longest time a due job waits when its notification got lost"
    )
    static let shutdownGrace = Setting(
        .worker,
        "SYNC_SHUTDOWN_GRACE",
        .duration(.seconds(1) ... .seconds(3600)),
        default: .seconds(25),
        "Time to finish the notes in flight after SIGTERM; keep it below the platform's own (30 s)"
    )
    static let jobRetention = Setting(
        .worker,
        "SYNC_JOB_RETENTION",
        SettingType.duration(.seconds(3600) ... .seconds(86_400 * 3650)),
        unset: "30d",
        "Age at which finished jobs and their logs are deleted; unless it is set, what ended before a take-over is kept"
    )
    static let jobBackoffBase = Setting(
        .worker,
        "SYNC_JOB_BACKOFF_BASE",
        .duration(.milliseconds(1) ... .seconds(86_400)),
        default: .seconds(60),
        "First bound of the random wait before a job is tried again; it doubles each time"
    )
    static let jobBackoffCap = Setting(
        .worker,
        "SYNC_JOB_BACKOFF_CAP",
        .duration(.milliseconds(1) ... .seconds(86_400 * 7)),
        default: .seconds(900),
        "Largest bound of that wait"
    )

    // MARK: Sync

    static let noteConcurrency = Setting(
        .sync,
        "SYNC_NOTE_CONCURRENCY",
        .integer(1...1000),
        default: 4,
        "Notes of one job written at the same time"
    )
    static let workerNoteConcurrency = Setting(
        .sync,
        "SYNC_WORKER_NOTE_CONCURRENCY",
        .integer(1...10_000),
        default: 16,
        "Notes of all jobs of a worker written at the same time"
    )
    static let noteLimit = Setting(
        .sync,
        "SYNC_NOTE_LIMIT",
        SettingType<NoteLimit>.noteLimit,
        unset: "none",
        "Fetch at most so many notes (for testing); 0 is no limit; a limited fetch never moves the cursor"
    )
    static let noteAttempts = Setting(
        .sync,
        "SYNC_NOTE_ATTEMPTS",
        .integer(1...100),
        default: 3,
        "Times a note is tried within one job"
    )
    static let noteBackoffBase = Setting(
        .sync,
        "SYNC_NOTE_BACKOFF_BASE",
        .duration(.milliseconds(1) ... .seconds(3600)),
        default: .milliseconds(500),
        "First bound of the random wait before a note is tried again; it doubles each time"
    )
    static let noteBackoffCap = Setting(
        .sync,
        "SYNC_NOTE_BACKOFF_CAP",
        .duration(.milliseconds(1) ... .seconds(3600)),
        default: .seconds(30),
        "Largest bound of that wait"
    )
    static let cursorLookback = Setting(
        .sync,
        "SYNC_CURSOR_LOOKBACK",
        .duration(.zero ... .seconds(86_400 * 30)),
        default: .seconds(600),
        "How far before the cursor an incremental sync asks; unchanged notes are skipped"
    )
    static let unknownCreates = Setting(
        .sync,
        "SYNC_UNKNOWN_CREATES",
        SettingType<UnknownCreatePolicy>.choice,
        default: .retry,
        "A write whose outcome is unknown: retry (a create with the same key), or hold for an operator"
    )
    static let unknownLimit = Setting(
        .sync,
        "SYNC_UNKNOWN_LIMIT",
        .integer(1...100),
        default: 2,
        "Unknown outcomes of one note after which it is held for an operator, whatever the policy"
    )
    static let unknownCooldown = Setting(
        .sync,
        "SYNC_UNKNOWN_COOLDOWN",
        .duration(.milliseconds(1) ... .seconds(86_400)),
        default: .seconds(30),
        "How old the last unknown outcome is at least when the Notion Writer is asked whether it is well again"
    )
    static let databaseChanges = Setting(
        .sync,
        "SYNC_DATABASE_CHANGED",
        SettingType<DatabaseChangePolicy>.choice,
        default: .stop,
        "Credentials that name another Notion database than the user's pages lie in: stop, or recreate every page there"
    )
    static let trashedPages = Setting(
        .sync,
        "SYNC_TRASHED_PAGES",
        SettingType<TrashedPagePolicy>.choice,
        default: .leave,
        "A page that its owner put in Notion's trash: leave it there and defer the edit, or recreate it"
    )

    static let notionRate = Setting(
        .sync,
        "SYNC_NOTION_RATE",
        .rate,
        default: Rate(perSecond: 3),
        "Requests to Notion for one token, a page being two of them, as all workers together keep to it; a second's worth may come at once"
    )
    static let keepRate = Setting(
        .sync,
        "SYNC_KEEP_RATE",
        .rate,
        default: Rate(perSecond: 2),
        "Logins and fetches for one Keep account, as all workers together keep to it; ten may come at once"
    )

    static let breakerFailures = Setting(
        .sync,
        "SYNC_BREAKER_FAILURES",
        .integer(0...1000),
        default: 3,
        "Failed calls of a peer in a row, of two users and two workers at least, after which it is out of order for all workers; one of each "
            + "worker is enough where nothing listens; 0: never"
    )
    static let breakerCooldown = Setting(
        .sync,
        "SYNC_BREAKER_COOLDOWN",
        .duration(.milliseconds(1) ... .seconds(3600)),
        default: .seconds(2),
        "Time until a peer that is out of order is called again, by one worker; doubled each time"
    )
    static let breakerCooldownCap = Setting(
        .sync,
        "SYNC_BREAKER_COOLDOWN_CAP",
        .duration(.milliseconds(1) ... .seconds(3600)),
        default: .seconds(13),
        "Largest such time, and for how long a whole peer is left alone that asks for it"
    )

    // MARK: Credentials

    static let encryptionKey = Setting(
        .credentials,
        "AWS_ENCRYPTION_KEY",
        .secret(.text("key", "one Fernet key, or several separated by commas; `syncctl keygen` makes one")),
        unset: "generated",
        secret: true,
        "Key of the stored tokens; of several separated by commas the first encrypts, all are tried to decrypt. "
            + "Generated if not provided and kept in encryption.key of SYNC_STATE_DIR"
    )
    static let encryptionKeyFile = Setting(
        .credentials,
        "AWS_ENCRYPTION_KEY_FILE",
        .text("path", "an absolute path", where: { $0.hasPrefix("/") }),
        unset: "none",
        "File that holds the key or keys in place of AWS_ENCRYPTION_KEY: a credential of systemd, a mounted secret"
    )
    static let stateFolder = Setting(
        .credentials,
        "SYNC_STATE_DIR",
        .text("path", "an absolute path", where: { $0.hasPrefix("/") }),
        unset: "$STATE_DIRECTORY, else $XDG_STATE_HOME/sync-service, else ~/.local/state/sync-service",
        "Folder of a generated key"
    )

    static let credentialsBinding = Setting(
        .credentials,
        "SYNC_CREDENTIALS_BINDING",
        SettingType<CredentialsBindingPolicy>.choice,
        default: .accept,
        "Credentials that syncctl has not bound to their user, or that were changed since: accept (the latter with an alert), or require"
    )

    // MARK: Logs

    static let logFormat = Setting(
        .logs,
        "LOG_FORMAT",
        SettingType<LogFormat>.choice,
        default: .human,
        "Lines on standard output for people (human) or programs (json)"
    )
    static let logLevel = Setting(
        .logs,
        "LOG_LEVEL",
        SettingType<Logger.Level>.choice,
        default: .info,
        "Least severe level that is logged"
    )

    // MARK: HTTP

    static let serviceHost = Setting(
        .http,
        "SYNC_SERVICE_HOST",
        .text("host", "a host name or an address without port", where: HostName.isValid),
        default: "127.0.0.1",
        "Address that sync-sidecar or sync-intake listens on; 0.0.0.0 for all"
    )
    static let servicePort = Setting(
        .http,
        "SYNC_SERVICE_PORT",
        .port,
        default: 8005,
        "Port that sync-sidecar or sync-intake listens on"
    )
    static let serviceHosts = Setting(
        .http,
        "SYNC_SERVICE_HOSTS",
        .list(.text("host", "a host name or an address without port, or * for all", where: HostName.isValid)),
        default: [],
        "Names by which people call for the page and the lists, beside loopback names and the address listened on; others get 421"
    )
    static let serviceToken = Setting(
        .http,
        "SYNC_SERVICE_TOKEN",
        .secret(.bearerToken),
        unset: "none",
        secret: true,
        "Token that the page and the lists ask for, as a bearer token or, in a browser, as the password"
    )
    static let intakeToken = Setting(
        .intake,
        "SYNC_INTAKE_TOKEN",
        .secret(.bearerToken),
        unset: "none",
        secret: true,
        "Bearer token that the POST routes ask for; neither the gateway nor the admin interface sends one, a proxy may"
    )

    // MARK: Set by the system

    static let stateDirectory = Setting(
        .system,
        "STATE_DIRECTORY",
        .text("path", "a path"),
        unset: "none",
        "State folder that systemd made for the service"
    )
    static let stateHome = Setting(
        .system,
        "XDG_STATE_HOME",
        .text("path", "a path"),
        unset: "none",
        "The user's folder for state"
    )
    static let home = Setting(.system, "HOME", .text("path", "a path"), unset: "none", "The user's home folder")
}
