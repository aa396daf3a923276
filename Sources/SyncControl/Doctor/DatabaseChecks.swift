import Foundation
import JobQueue
import Postgres
import ServiceHealth
import Settings
import Support
import SyncSchema

/// What can be checked of the database beside what the verdict goes by.
struct DatabaseChecks: Sendable {
    let pool: PostgresPool
    let settings: DoctorSettings

    /// Those that need the database, by name.
    static let names = [
        "schema", "workers", "gates", "pauses", "failures", "writes", "alerts", "key", "credentials", "queue", "roles",
        "clock", "connections", "locks", "oldest_transaction", "notification_queue", "indexes", "autovacuum",
        "channels",
    ]

    var all: [Check] {
        [
            credentials, queue, leases, roles, clock, connections, locks, oldestTransaction, indexes, autovacuum,
            channels,
        ]
    }

    /// Whether it can be asked at all.
    func connection() async -> CheckLine {
        let pool = pool
        do {
            let row = try await within(.seconds(10)) { try await pool.query(.serverIdentity()).first }
            guard let row else { return .notChecked("database", "the server did not say what it is") }
            let size = try row.decode("size", as: Int64?.self).map { ", which takes \($0 >> 20) MiB" } ?? ""
            let name: String = try row.decode("name")
            let sentence =
                "PostgreSQL \(try row.decode("version", as: String.self)) answers; database \(name)\(size), role "
                + "\(try row.decode("role", as: String.self))"
            guard try row.decode("is_standby") else { return .ok("database", sentence) }
            return CheckLine(
                check: "database",
                outcome: .warning,
                sentence: "\(sentence). It is a standby, which takes no writes",
                advice: "Where it is to be the primary, promote it; workers need one"
            )
        } catch {
            let failure =
                error is TimeLimitPassed
                ? "The database does not answer within 10 s. See to it and to the network between, or set DATABASE_URL"
                : Failure(error).message
            return CheckLine(
                check: "database",
                outcome: .wrong,
                sentence: failure,
                code: Finding.Code.databaseAway.rawValue
            )
        }
    }

    // MARK: The queue

    private var credentials: Check {
        Check("credentials") { [pool] in
            guard let row = try await pool.query(.queuedWithoutCredentials()).first else {
                return [.ok("credentials", "Every user with a job in the queue has credentials")]
            }
            let user = UserID(try row.decode("user_id"))
            let users: Int = try row.decode("users")
            let who =
                users == 1
                ? "User \(user.rawValue) has"
                : "\(users) users with jobs among the first thousand in the queue, \(user.rawValue) among them, have"
            return [
                CheckLine(
                    check: "credentials",
                    outcome: .wrong,
                    sentence: "\(who) no credentials: such a job fails as soon as a worker takes it",
                    advice: "Store them",
                    command: user.shellCommand("syncctl credentials set", "--database-id ID")
                )
            ]
        }
    }

    private var queue: Check {
        Check("queue") { [pool] in
            let rows = try await pool.query(.disagreements())
            guard !rows.isEmpty else { return [.ok("queue", "Record and queue agree")] }
            let words = try rows.map { row in
                "\(try row.decode("jobs", as: Int.self)) \(try row.decode("problem", as: String.self)) (job \(try row.decode("job_id", as: String.self)))"
            }
            return [
                CheckLine(
                    check: "queue",
                    outcome: .wrong,
                    sentence:
                        "Record and queue do not agree: \(words.joined(separator: ", ")), as where rows were changed while triggers were off",
                    advice: "Workers repair it as they walk through the records; of one job at once",
                    command: try rows.first.map { "syncctl retry \(try $0.decode("job_id", as: String.self))" }
                )
            ]
        }
    }

    private var leases: Check {
        Check("leases") { [pool] in
            let row = try await pool.query(.overdueLeases()).first
            let jobs: Int = try row?.decode("jobs") ?? 0
            guard jobs > 0 else {
                return [.ok("leases", "No job's lease has ended without another worker taking it over")]
            }
            return [
                CheckLine(
                    check: "leases",
                    outcome: .wrong,
                    sentence: "The leases of \(Count.of(jobs, "job")) have ended, and no worker takes the jobs over",
                    since: try row?.decode("since"),
                    advice: "Start a worker",
                    command: "sync-worker"
                )
            ]
        }
    }

    // MARK: Roles

    private var roles: Check {
        Check("roles") { [pool] in
            var lines: [CheckLine] = []
            var known: [String] = []
            for role in DatabaseRole.programs {
                guard let lacking = try await role.missingRightsOfDefaultRole(on: pool) else { continue }
                known.append(role.defaultName)
                guard !lacking.isEmpty else { continue }
                lines.append(
                    CheckLine(
                        check: "roles",
                        outcome: .wrong,
                        sentence: "The role \(role.defaultName) lacks \(lacking.joined(separator: ", "))",
                        advice: "Run deploy/roles.sql again, as after each syncctl migrate",
                        command: "psql -X \"$ADMIN_URL\" -f deploy/roles.sql"
                    )
                )
            }
            lines += try await publicRights(areRolesThere: !known.isEmpty)
            guard lines.isEmpty else { return lines }
            return known.isEmpty
                ? [
                    .notChecked(
                        "roles",
                        "none of the roles of deploy/roles.sql has its rights here under its default name"
                    )
                ]
                : [.ok("roles", "\(known.joined(separator: ", ")) have what their programs need")]
        }
    }

    /// Where there are no roles, whoever may connect is trusted anyway.
    private func publicRights(areRolesThere: Bool) async throws -> [CheckLine] {
        guard areRolesThere, let row = try await pool.query(.publicRights()).first else { return [] }
        if try row.decode("creates") {
            return [
                CheckLine(
                    check: "roles",
                    outcome: .wrong,
                    sentence:
                        "Everybody may create objects in the schema of the tables, which can run with the owner's rights",
                    advice: "Run deploy/roles.sql as the owner of the database",
                    command: "psql -X \"$ADMIN_URL\" -f deploy/roles.sql"
                )
            ]
        }
        let rights = [
            try row.decode("connects") ? "CONNECT" : nil, try row.decode("makes_temporary") ? "TEMP" : nil,
        ].compactMap(\.self)
        guard !rights.isEmpty else { return [] }
        return [
            CheckLine(
                check: "roles",
                outcome: .warning,
                sentence:
                    "PUBLIC has \(rights.joined(separator: " and ")) on the database, and so has every role of the server",
                advice: "Where others share the server, revoke it",
                command: "psql -X \"$ADMIN_URL\" -v revoke_public=yes -f deploy/roles.sql"
            )
        ]
    }

    // MARK: This machine against the server

    private var clock: Check {
        Check("clock") { [pool] in
            let before = Date()
            let began = ContinuousClock.now
            guard let now = try await pool.query(.server()).first?.decode("now", as: Date.self) else { return [] }
            // Half of the way there and back is what the answer is older, about.
            let took = (ContinuousClock.now - began) / 2
            let apart = abs(now.timeIntervalSince(before.addingTimeInterval(took.seconds)))
            let isUncertain = took > .seconds(1)
            guard apart > 5 + took.seconds else {
                return [
                    .ok(
                        "clock",
                        "This machine's clock and the database's agree within \(isUncertain ? "the time of an answer" : "5 s")"
                    )
                ]
            }
            return [
                CheckLine(
                    check: "clock",
                    outcome: .warning,
                    sentence:
                        "This machine's clock and the database's are \(Int(apart.rounded())) s apart. The queue goes by the database's alone; "
                        + "logs, signed webhooks and SNS by the machine's",
                    advice: "Set the clock by NTP"
                )
            ]
        }
    }

    private var connections: Check {
        let needed = settings.database.connections
        return Check("connections") { [pool] in
            guard let row = try await pool.query(.connections()).first else { return [] }
            let used: Int = try row.decode("used")
            let most: Int = try row.decode("most")
            var left = most - used
            if let here = try row.decode("most_here", as: Int?.self) {
                left = min(left, here - (try row.decode("used_here", as: Int?.self) ?? 0))
            }
            let sentence = "\(max(left, 0)) of \(most) connections are left"
            guard left < needed else { return [.ok("connections", sentence)] }
            return [
                CheckLine(
                    check: "connections",
                    outcome: left < 2 ? .wrong : .warning,
                    sentence: "\(sentence), and one more worker takes up to \(needed) (SYNC_DATABASE_CONNECTIONS)",
                    advice: "Raise max_connections, or the limit of the database; or lower that setting of the workers"
                )
            ]
        }
    }
}
