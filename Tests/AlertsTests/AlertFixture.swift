import CurlHTTP
import Foundation
import JobQueue
import Logging
import Postgres
import Support
import SyncSchema
import Telemetry
import TestSupport
import Testing

@testable import Alerts

extension Trait where Self == DatabaseTrait {
    /// A migrated database of the test's own.
    static var migrated: Self { .database(migrations: SyncSchema.migrations) }
}

/// The parts of the service on a database of the test's own, one step at a time.
struct AlertFixture {
    let database: TestDatabase
    let log = LogLines()
    var configuration = NotificationConfiguration(isEnabled: true, channels: [])

    var pool: PostgresPool { database.pool }
    var logger: Logger { Logger(label: "alerts") { [log] _ in LineLogHandler(lines: log) } }

    init() throws {
        database = try TestDatabase.current
        configuration.groupWait = .zero
        configuration.backoff = Backoff(base: .milliseconds(1), cap: .milliseconds(5))
        configuration.timeout = .seconds(5)
        configuration.allowedPrivateHosts = ["127.0.0.1"]
        configuration.checkInterval = .milliseconds(100)
        configuration.pollInterval = .milliseconds(50)
    }

    // MARK: Parts

    /// Takes what happened into alerts and notices.
    func gather() async throws {
        let gatherer = AlertGatherer(
            pool: pool,
            configuration: configuration,
            stop: StopSignal(),
            wake: Wakeup(),
            logger: logger,
            onNotice: {}
        )
        while let taken = try await gatherer.gather(), taken > 0 {}
    }

    func evaluator(
        schemaFault: @escaping @Sendable () async throws -> String? = { nil },
        keyFault: @escaping @Sendable () async throws -> String? = { nil }
    ) -> ConditionEvaluator {
        ConditionEvaluator(
            pool: pool,
            configuration: configuration,
            checks: ConditionChecks(
                pool: pool,
                rules: configuration.rules,
                kindsOff: configuration.kindsOff,
                probe: PeerProbe(http: HTTPClient()),
                schemaFault: schemaFault,
                keyFault: keyFault
            ),
            stop: StopSignal(),
            wake: Wakeup(),
            logger: logger,
            onChange: {}
        )
    }

    func lanes(worker: String = "w1") -> [ChannelLane] {
        let sender = AlertSender(
            configuration: configuration,
            http: HTTPClientConfiguration(usesProxyFromEnvironment: false)
        )
        return ChannelList.make(configuration.channels).map { channel in
            ChannelLane(
                pool: pool,
                configuration: configuration,
                channel: channel,
                sender: sender,
                worker: worker,
                stop: StopSignal(),
                wake: Wakeup(),
                logger: logger
            )
        }
    }

    /// Sends what is due, until nothing waits any more.
    func deliverAll() async throws {
        let lanes = lanes()
        try await eventually(within: .seconds(20), "the end of all deliveries") {
            for lane in lanes { try await lane.deliverOnce() }
            return try await count("SELECT count(*) FROM sync_alert_deliveries WHERE state = 'pending'") == 0
        }
    }

    // MARK: Jobs

    @discardableResult
    func insertJob(_ user: String) async throws -> UUID {
        let id = UUID()
        try await pool.execute(
            "INSERT INTO sync_jobs (job_id, user_id, status) VALUES (\(id), \(user), 'queued')"
        )
        return id
    }

    func end(_ id: UUID, _ status: String, error: String? = nil) async throws {
        try await pool.execute("UPDATE sync_jobs SET status = 'running', started_at = now() WHERE job_id = \(id)")
        try await pool.execute(
            "UPDATE sync_jobs SET status = \(status), error_message = \(error) WHERE job_id = \(id)"
        )
    }

    @discardableResult
    func failJob(_ user: String, _ error: String = "API token is invalid") async throws -> UUID {
        let id = try await insertJob(user)
        try await end(id, "failed", error: error)
        return id
    }

    // MARK: Looking

    func count(_ query: PostgresQuery) async throws -> Int {
        try await pool.query(query).first?.decode(at: 0) ?? -1
    }

    func openAlerts() async throws -> [AlertRecord] {
        try await AlertRegister(pool: pool).alerts()
    }

    func onlyAlert() async throws -> AlertRecord {
        let alerts = try await openAlerts()
        #expect(alerts.count == 1, "\(alerts.map(\.key))")
        return try #require(alerts.first)
    }

    func notices() async throws -> [String] {
        try await pool.query("SELECT event || ' ' || count AS text FROM sync_alert_notices ORDER BY created_at, id").map
        {
            try $0.decode("text")
        }
    }

    /// As if all that stands in the tables had happened so long before.
    func age(by seconds: Int) async throws {
        try await pool.execute(
            """
            UPDATE sync_alerts SET first_at = first_at - make_interval(secs => \(Double(seconds))),
                last_at = last_at - make_interval(secs => \(Double(seconds))),
                notified_at = notified_at - make_interval(secs => \(Double(seconds)))
            """
        )
    }

    static func webhook(_ server: ScriptedServer, secrets: [String] = []) -> ChannelConfiguration {
        .webhook(url: Sensitive(server.url + "/hook?token=hidden-in-logs"), secrets: Sensitive(secrets))
    }

    static func slack(_ server: ScriptedServer) -> ChannelConfiguration {
        .slack(url: Sensitive(server.url + "/services/T0/B0/hidden-in-logs"))
    }

    static func pagerDuty(_ server: ScriptedServer) -> ChannelConfiguration {
        .pagerDuty(routingKey: Sensitive("R0UTINGKEY-hidden-in-logs"), url: server.url)
    }

    static func access(_ server: ScriptedServer) -> AWSAccess {
        AWSAccess(
            region: "eu-central-1",
            endpoint: server.url,
            accessKeyID: "AKIDEXAMPLE",
            secretAccessKey: Sensitive("secret-hidden-in-logs"),
            sessionToken: Sensitive("token-hidden-in-logs")
        )
    }

    static func sns(_ server: ScriptedServer) -> ChannelConfiguration {
        .sns(topicARN: "arn:aws:sns:eu-central-1:123456789012:alerts", access: access(server))
    }

    static func email(_ server: ScriptedServer) -> ChannelConfiguration {
        .email(to: "ops@example.org", from: "sync@example.org", access: access(server))
    }
}
