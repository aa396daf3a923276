import Configuration
import Logging
import Support
import Telemetry
import Testing

@testable import Settings

/// A reader over `environment` alone.
func config(_ environment: [String: String]) -> ConfigReader {
    ConfigReader(provider: EnvironmentVariablesProvider(environmentVariables: environment))
}

@Suite struct SettingsTests {
    @Test func `Defaults are those of the table`() throws {
        let settings = try ServiceSettings.load(from: config([:]))
        #expect(
            settings.database.connectionString.value == "postgresql://postgres:postgres@localhost:5432/keep_notion_sync"
        )
        #expect(settings.database.connections == 10)
        #expect(settings.peers.keepExtractorURL == "http://localhost:8003")
        #expect(settings.peers.notionWriterURL == "http://localhost:8004")
        #expect(settings.peers.keepExtractorTimeout == .seconds(1800))
        #expect(settings.peers.modifiedSinceFormat == .naive)
        #expect(settings.peers.maximumNoteBytes == 16_777_216)
        #expect(settings.peers.maximumFetchBytes == 2_147_483_648)
        #expect(settings.worker.concurrency == 4)
        #expect(settings.worker.lease == .seconds(60))
        #expect(settings.worker.jobRetention == .seconds(30 * 86_400))
        #expect(settings.sync.noteLimit == nil)
        #expect(settings.sync.noteBackoffBase == .milliseconds(500))
        #expect(settings.sync.cursorLookback == .seconds(600))
        #expect(settings.sync.unknownCreates == .retry)
        #expect(settings.alerts.isEnabled == false)
        #expect(settings.alerts.channels.webhookURLs.isEmpty)
        #expect(settings.alerts.repeatAfter == .seconds(3600))
        #expect(settings.alerts.userNotSyncedAfter == nil)
        #expect(settings.log.format == .human)
        #expect(settings.log.level == .info)
        #expect(settings.http.host == "127.0.0.1")
        #expect(settings.http.port == 8005)
        #expect(settings.encryption.key == nil)
        #expect(settings.encryption.stateFolder == nil)
    }

    @Test func `Empty and blank are the same as unset`() throws {
        let blanks = Dictionary(uniqueKeysWithValues: SettingsKeys.all.map { ($0.name, $0.isSecret ? "" : "  ") })
        let settings = try ServiceSettings.load(from: config(blanks))
        #expect(settings.worker.concurrency == 4)
        #expect(settings.encryption.key == nil)
        #expect(settings.worker.name.split(separator: "-").count >= 3)
    }

    @Test func `Values are understood`() throws {
        let settings = try ServiceSettings.load(
            from: config([
                "DATABASE_URL": "host=/run/postgresql dbname=x",
                "KEEP_EXTRACTOR_URL": "https://keep.example:8443/base//",
                "NOTION_WRITER_URL": "http://[::1]:8004", "SYNC_LEASE": "1.5min", "SYNC_POLL_INTERVAL": "250ms",
                "SYNC_JOB_RETENTION": "2d", "SYNC_SHUTDOWN_GRACE": " 10 ", "ENABLE_NOTIFICATIONS": "True",
                "NOTIFICATION_WEBHOOK_URL": "https://hooks.slack.com/services/x", "LOG_LEVEL": "WARNING",
                "LOG_FORMAT": "json", "SYNC_NOTE_LIMIT": "5", "SYNC_WORKER_NAME": "replica-1",
                "SYNC_MAX_NOTE_BYTES": "1 MiB", "SYNC_TRASHED_PAGES": "recreate", "AWS_ENCRYPTION_KEY": "k1,k2",
            ])
        )
        #expect(settings.database.connectionString.value == "host=/run/postgresql dbname=x")
        #expect(settings.peers.keepExtractorURL == "https://keep.example:8443/base")
        #expect(settings.peers.notionWriterURL == "http://[::1]:8004")
        #expect(settings.worker.lease == .seconds(90))
        #expect(settings.worker.pollInterval == .milliseconds(250))
        #expect(settings.worker.jobRetention == .seconds(172_800))
        #expect(settings.worker.shutdownGrace == .seconds(10))
        #expect(settings.alerts.isEnabled)
        #expect(settings.alerts.channels.webhookURLs.map(\.value) == ["https://hooks.slack.com/services/x"])
        #expect(settings.log.level == .warning)
        #expect(settings.log.format == .json)
        #expect(settings.sync.noteLimit == 5)
        #expect(settings.worker.name == "replica-1")
        #expect(settings.peers.maximumNoteBytes == 1_048_576)
        #expect(settings.sync.trashedPages == .recreate)
        #expect(settings.encryption.key?.value == "k1,k2")
    }

    @Test(arguments: [
        ("SYNC_LEASE", "soon"), ("SYNC_LEASE", "1s"), ("SYNC_LEASE", "-5"), ("SYNC_LEASE", "1e3"),
        ("SYNC_LEASE", "5 weeks"),
        ("SYNC_WORKER_CONCURRENCY", "0"), ("SYNC_WORKER_CONCURRENCY", "4.5"),
        ("ENABLE_NOTIFICATIONS", "maybe"), ("LOG_LEVEL", "loud"),
        ("LOG_FORMAT", "xml"), ("KEEP_EXTRACTOR_URL", "localhost:8003"), ("KEEP_EXTRACTOR_URL", "ftp://host"),
        ("KEEP_EXTRACTOR_URL", "http://"), ("KEEP_EXTRACTOR_URL", "http://h:99999"),
        ("KEEP_EXTRACTOR_URL", "http://h/?a=b"),
        ("NOTION_WRITER_URL", "http://h h"), ("SYNC_SERVICE_PORT", "tcp://10.0.0.1:8005"),
        ("SYNC_SERVICE_PORT", "65536"),
        ("SYNC_STATE_DIR", "relative"), ("SYNC_MAX_NOTE_BYTES", "1"), ("SYNC_MAX_FETCH_BYTES", "8 parsecs"),
        ("SYNC_UNKNOWN_CREATES", "guess"), ("SYNC_WORKER_NAME", "a b"), ("SYNC_SERVICE_HOST", "a b"),
        ("KEEP_MODIFIED_SINCE_FORMAT", "iso"), ("SYNC_JOB_BACKOFF_BASE", "1h"), ("SYNC_NOTE_BACKOFF_BASE", "31s"),
        ("SYNC_CURSOR_LOOKBACK", "999999999999999999d"),
    ])
    func `A wrong value is named with what is allowed`(name: String, value: String) throws {
        let error = try #require(throws: SettingsError.self) { try ServiceSettings.load(from: config([name: value])) }
        #expect(error.code == .invalidValues)
        #expect(error.problems.map(\.name) == [name])
        #expect(error.description.contains("\(name) is \""))
        #expect(error.description.contains("expected "))
    }

    @Test(arguments: [
        ("KEEP_EXTRACTOR_URL", "http://localhost:8003:"), ("NOTION_WRITER_URL", "http://localhost:8004:"),
    ])
    func `The example of an address is that of the variable`(name: String, example: String) throws {
        let error = try #require(throws: SettingsError.self) { try ServiceSettings.load(from: config([name: "x"])) }
        #expect(error.description.contains("such as \(example)"), "\(error)")
    }

    /// As the service this one replaces read it, by Python's `int`.
    @Test(arguments: [
        ("5", 5), (" 7 ", 7), ("+3", 3), ("1_000", 1000), ("0", nil), ("00", nil),
    ])
    func `A limit of notes is read as Python reads it`(text: String, limit: Int?) throws {
        let settings = try ServiceSettings.load(from: config(["SYNC_NOTE_LIMIT": text]))
        #expect(settings.sync.noteLimit == limit)
        #expect(settings.warnings.isEmpty)
    }

    @Test(arguments: ["five", "5.0", "1__0", "_1", "-1", "5 notes", "99999999999999999999"])
    func `A limit that is no number is passed over with a warning`(text: String) throws {
        let settings = try ServiceSettings.load(from: config(["SYNC_NOTE_LIMIT": text]))
        #expect(settings.sync.noteLimit == nil)
        #expect(settings.warnings.count == 1)
        #expect(settings.warnings.first?.contains("SYNC_NOTE_LIMIT is \"\(text)\"") == true)
    }

    @Test func aBoundThatCannotBeReachedIsSaid() throws {
        #expect(try ServiceSettings.load(from: config(["SYNC_MAX_WORKER_FETCH_BYTES": "2GiB"])).warnings.isEmpty)
        let warnings = try ServiceSettings.load(from: config(["SYNC_MAX_WORKER_FETCH_BYTES": "1GiB"])).warnings
        #expect(warnings.count == 1 && warnings.joined().contains("SYNC_MAX_FETCH_BYTES"))
    }

    @Test(arguments: [
        (
            "postgresql+psycopg2://postgres:postgres@localhost:5432/keep",
            "postgresql://postgres:postgres@localhost:5432/keep"
        ),
        (
            "postgresql+asyncpg://a@db/x?ssl=require&command_timeout=3&application_name=x",
            "postgresql://a@db/x?sslmode=require&application_name=x"
        ),
        ("postgresql+asyncpg://a@db/x?ssl=true", "postgresql://a@db/x?sslmode=require"),
        ("postgresql+asyncpg://db/x?prepared_statement_cache_size=0", "postgresql://db/x"),
        ("postgresql+psycopg://a:p%40ss%2Fw@db/x", "postgresql://a:p%40ss%2Fw@db/x"),
        // SQLAlchemy takes these as they stand; libpq wants them encoded.
        ("postgresql+psycopg2://a:p/s?s#w:d%@db/x", "postgresql://a:p%2Fs%3Fs%23w%3Ad%25@db/x"),
        ("postgresql+psycopg2:///x?host=/run/postgresql&user=a@b", "postgresql:///x?host=/run/postgresql&user=a@b"),
        (
            "postgresql+psycopg2://u@h1:1,h2:2/x?target_session_attrs=read-write",
            "postgresql://u@h1:1,h2:2/x?target_session_attrs=read-write"
        ),
        ("postgres+psycopg2://db", "postgresql://db"),
        ("postgresql+psycopg2://az@corp:p@db/x", "postgresql://az%40corp:p@db/x"),
        ("postgresql+psycopg2://az@corp@db/x", "postgresql://az%40corp@db/x"),
        ("postgresql+psycopg2:///x?host=h1:1&host=h2:2", "postgresql:///x?host=h1,h2&port=1,2"),
        ("postgresql+psycopg2:///x?host=h1,h2", "postgresql:///x?host=h1,h2"),
        ("postgresql+psycopg2://db/x?options=-c+a%3D5", "postgresql://db/x?options=-c%20a%3D5"),
        ("postgresql://a:b@db/x?sslmode=require", "postgresql://a:b@db/x?sslmode=require"),
    ])
    func `A URL of SQLAlchemy is understood`(text: String, libpq: String) throws {
        let settings = try DatabaseSettings.load(from: config(["DATABASE_URL": text]))
        #expect(settings.connectionString.value == libpq)
    }

    @Test(arguments: [
        ("host=db.hidden.example dbname=shop", true), ("host=db2.hidden.example password=hunter22", false),
        ("postgresql://me:hunter23@db3.hidden.example/x", false),
    ])
    func `A DATABASE_URL without a password is not hidden from the log`(text: String, isShown: Bool) throws {
        _ = try DatabaseSettings.load(from: config(["DATABASE_URL": text]))
        #expect(Redactor.processWide.redact("connects to \(text)").contains(text) == isShown)
    }

    @Test(arguments: [
        "mysql+pymysql://db/x", "postgresql+://db", "postgresql+a b://db", "sqlite:///x", "postgresql+a+b://db",
    ])
    func `A URL of another database is refused`(text: String) throws {
        let error = try #require(throws: SettingsError.self) {
            try DatabaseSettings.load(from: config(["DATABASE_URL": text]))
        }
        #expect(error.problems.map(\.name) == ["DATABASE_URL"])
    }

    /// The environment file that the replaced service is shipped with.
    @Test func `The environment of the replaced service is taken as it is`() throws {
        let environment = [
            "DATABASE_URL": "postgresql+psycopg2://postgres:postgres@localhost:5432/keep_notion_sync",
            "AWS_REGION": "us-east-1", "AWS_S3_BUCKET": "bucket", "AWS_ACCESS_KEY_ID": "id",
            "AWS_SECRET_ACCESS_KEY": "secret", "API_GATEWAY_URL": "http://localhost:8001",
            "ADMIN_INTERFACE_URL": "http://localhost:8000", "SYNC_SERVICE_URL": "http://localhost:8002",
            "KEEP_EXTRACTOR_URL": "http://localhost:8003", "NOTION_WRITER_URL": "http://localhost:8004",
            "API_GATEWAY_PORT": "8001", "SYNC_SERVICE_PORT": "8002", "KEEP_EXTRACTOR_PORT": "8003",
            "NOTION_WRITER_PORT": "8004", "SYNC_NOTE_LIMIT": "", "SECRET_KEY": "django", "ENCRYPTION_KEY": "unused",
            "AWS_ENCRYPTION_KEY": "key", "ENABLE_NOTIFICATIONS": "true",
            "NOTIFICATION_WEBHOOK_URL": "http://hooks.inside/alerts?key=s3cr3t", "LOG_LEVEL": "INFO",
        ]
        let settings = try ServiceSettings.load(from: config(environment))
        #expect(settings.http.port == 8002)
        #expect(settings.database.connectionString.value.hasPrefix("postgresql://postgres:"))
        #expect(UnknownSettings.warnings(in: environment).isEmpty)
        #expect(settings.warnings.count == 1)
        let warning = try #require(settings.warnings.first)
        #expect(warning.contains("NOTIFICATION_WEBHOOK_URL") && warning.contains("hooks.inside"))
        #expect(warning.contains("ALERT_ALLOW_PRIVATE_HOSTS"))
        #expect(!warning.contains("s3cr3t"))
    }

    @Test func `A token of the intake is no short word`() throws {
        let error = try #require(throws: SettingsError.self) {
            try IntakeSettings.load(from: config(["SYNC_INTAKE_TOKEN": "short-secret"]))
        }
        #expect(error.problems.map(\.name) == ["SYNC_INTAKE_TOKEN"])
        #expect(!error.description.contains("short-secret"))
    }

    @Test func `Addresses outside that are spoken to in clear are named, one by one`() throws {
        func warnings(_ environment: [String: String], database: [String] = []) throws -> [String] {
            try PeerSettings.load(from: config(environment)).clearTextWarnings(databaseHosts: database)
        }
        #expect(try warnings([:], database: ["localhost", "127.0.0.1", "::1"]).isEmpty)
        let outside = [
            "KEEP_EXTRACTOR_URL": "http://Keep.example:8003", "NOTION_WRITER_URL": "http://127.0.0.1.evil.example",
        ]
        let found = try warnings(outside, database: ["db1", "db2"])
        #expect(found.count == 4)
        for name in ["KEEP_EXTRACTOR_URL", "NOTION_WRITER_URL", "to db1", "to db2"] {
            #expect(found.contains { $0.contains(name) && $0.contains("SYNC_PRIVATE_HOSTS") }, "\(name)")
        }
        let own = ["SYNC_PRIVATE_HOSTS": "keep.example db1"]
        #expect(try warnings(outside.merging(own) { $1 }, database: ["DB1", "db2"]).count == 2)
        let encrypted = ["KEEP_EXTRACTOR_URL": "https://keep", "NOTION_WRITER_URL": "https://writer"]
        #expect(try warnings(encrypted).isEmpty)
    }

    @Test func `All wrong values are shown at once, secrets never`() throws {
        let environment = [
            "DATABASE_URL": "mysql://app:hunter2@db/x", "NOTIFICATION_WEBHOOK_URL": "hooks.example/T0KEN",
            "SYNC_LEASE": "soon", "KEEP_EXTRACTOR_URL": "http://user:hunter2@host",
        ]
        let error = try #require(throws: SettingsError.self) { try ServiceSettings.load(from: config(environment)) }
        #expect(Set(error.problems.map(\.name)) == Set(environment.keys))
        #expect(!error.description.contains("hunter2"))
        #expect(!error.description.contains("T0KEN"))
        #expect(error.description.contains("SYNC_LEASE is \"soon\""))
    }

    @Test func `A group reads only its own variables`() throws {
        #expect(try DatabaseSettings.load(from: config(["SYNC_LEASE": "soon"])).connections == 10)
    }

    @Test func `The state folder comes from the first of three places`() throws {
        func folder(_ environment: [String: String]) throws -> String? {
            try EncryptionSettings.load(from: config(environment)).stateFolder
        }
        var environment = ["HOME": "/h"]
        #expect(try folder(environment) == "/h/.local/state/sync-service")
        environment["XDG_STATE_HOME"] = "relative"
        #expect(try folder(environment) == "/h/.local/state/sync-service")
        environment["XDG_STATE_HOME"] = "/x"
        #expect(try folder(environment) == "/x/sync-service")
        environment["STATE_DIRECTORY"] = "/var/lib/a:/var/lib/b"
        #expect(try folder(environment) == "/var/lib/a")
        environment["SYNC_STATE_DIR"] = "/s"
        #expect(try folder(environment) == "/s")
    }

    @Test func `The table lists exactly the variables that are read`() throws {
        let reporter = KeyRecorder()
        let reader = ConfigReader(
            provider: EnvironmentVariablesProvider(environmentVariables: [:]),
            accessReporter: reporter
        )
        _ = try ServiceSettings.load(from: reader)
        let names = SettingsKeys.all.map(\.name)
        #expect(Set(names).count == names.count)
        #expect(reporter.names.withLock { $0 } == Set(names))
    }

    @Test func `Every default in the table is accepted as a value`() throws {
        let words = ["none", "generated", "HOST-PID-RANDOM"]
        let environment = SettingsKeys.all.filter { !words.contains($0.defaultText) && !$0.defaultText.hasPrefix("$") }
            .map { ($0.name, $0.defaultText) }
        let settings = try ServiceSettings.load(from: config(Dictionary(uniqueKeysWithValues: environment)))
        #expect(settings.worker.jobRetention == .seconds(30 * 86_400))
        #expect(SettingsKeys.all.first { $0.name == "SYNC_JOB_RETENTION" }?.defaultText == "30d")
    }

    @Test func `The tables name every variable`() {
        let text = SettingsTable.text(width: 80)
        let markdown = SettingsTable.markdown()
        for setting in SettingsKeys.all {
            #expect(text.contains("  \(setting.name)\n"))
            #expect(markdown.contains("| `\(setting.name)` |"))
        }
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 90 })
    }

    @Test func `Typing errors are pointed out`() {
        let warnings = UnknownSettings.warnings(in: [
            "SYNC_LAESE": "60", "SYNC_WORKER_CONCURENCY": "4", "SYNC_LEASE": "60s",
            "SYNC_TEAPOT_COLOUR_OF_THE_DAY": "red",
            "SYNC_SERVICE_SERVICE_HOST": "10.0.0.1", "SYNC_SERVICE_PORT_8005_TCP_ADDR": "10.0.0.1", "PATH": "/bin",
            "SYNC_WARNINGS_AS_ERRORS": "1",
        ])
        #expect(
            warnings == [
                "unknown setting SYNC_LAESE: did you mean SYNC_LEASE?",
                "unknown setting SYNC_TEAPOT_COLOUR_OF_THE_DAY: --help lists the settings",
                "unknown setting SYNC_WORKER_CONCURENCY: did you mean SYNC_WORKER_CONCURRENCY?",
            ]
        )
    }
}

/// The names of all variables that were asked for.
private final class KeyRecorder: AccessReporter {
    let names = Mutex(Set<String>())

    func report(_ event: AccessEvent) {
        names.withLock { names in
            _ = names.insert(event.metadata.key.components.joined(separator: "_").uppercased())
        }
    }
}

@Suite struct DurationTextTests {
    @Test(arguments: [
        ("500ms", 500), ("90s", 90_000), ("90", 90_000), ("10min", 600_000), ("10m", 600_000), ("2h", 7_200_000),
        ("30d", 2_592_000_000), ("1.5h", 5_400_000), ("0.25", 250), ("0", 0), ("10 s", 10_000), ("2H", 7_200_000),
    ])
    func `Durations are read and written back`(text: String, milliseconds: Int) throws {
        let duration = try #require(DurationText.parse(text))
        #expect(duration == .milliseconds(milliseconds))
        #expect(DurationText.parse(DurationText.format(duration)) == duration)
    }

    @Test(arguments: [
        "", "s", "-1", "+1", "1.", ".5", "1.2.3", "1,5", "1y", "٣s", "nan", "inf", "0x10", "9223372036854775807d",
    ])
    func `What is no duration is refused`(text: String) {
        #expect(DurationText.parse(text) == nil)
    }

    @Test(arguments: [
        (90, "90s"), (60, "60s"), (900, "15min"), (3600, "1h"), (86_400, "24h"), (2_592_000, "30d"), (0, "0s"),
    ])
    func `Durations are shown in the unit one would use`(seconds: Int, text: String) {
        #expect(DurationText.format(.seconds(seconds)) == text)
    }
}
