import Foundation
import Postgres
import Support

extension DatabaseChecks {
    /// How long a transaction may be open before it is said, and before it is wrong: until it ends no vacuum takes away
    /// what the queue has done with since, and claims pass over all of it.
    private static let longTransaction = Duration.seconds(600)
    private static let veryLongTransaction = Duration.seconds(7200)

    var oldestTransaction: Check {
        Check("oldest_transaction") { [pool] in
            guard let row = try await pool.query(.oldestTransaction()).first else { return [] }
            let seesAll: Bool = try row.decode("sees_all")
            let hidden = CheckLine.notChecked(
                "oldest_transaction",
                "this role sees no other role's sessions; a member of pg_read_all_stats does"
            )
            guard let since = try row.decode("since", as: Date?.self) else {
                guard let slot = try row.decode("application", as: String?.self) else {
                    return [seesAll ? .ok("oldest_transaction", "No transaction holds vacuum back") : hidden]
                }
                return [try Self.slot(slot, holdingBack: row.decode("xids"))]
            }
            let age = Duration.seconds(Date().timeIntervalSince(since))
            let who: String = try row.decode("who")
            let application: String = try row.decode("application")
            let state = try row.decode("state", as: String?.self) ?? "unknown"
            let pid = try row.decode("pid", as: Int?.self)
            let name =
                (pid.map { "session \($0)" } ?? "a transaction")
                + " of \(who) (\(application.isEmpty ? "no name" : application), \(state))"
            let sentence = "The oldest transaction is of \(name), \(TimeText.rough(age)) old"
            guard age > Self.longTransaction else {
                return seesAll
                    ? [.ok("oldest_transaction", "No transaction of more than 10 min holds vacuum back")] : [hidden]
            }
            return [
                CheckLine(
                    check: "oldest_transaction",
                    outcome: age > Self.veryLongTransaction ? .wrong : .warning,
                    sentence: "\(sentence): it holds vacuum back, and everything gets slower until it ends",
                    since: since,
                    advice: pid == nil ? "Commit it or roll it back" : "Have it ended",
                    command: pid.map { "psql \"$DATABASE_URL\" -c 'SELECT pg_terminate_backend(\($0))'" }
                )
            ]
        }
    }

    /// Who keeps others out of a table.
    var locks: Check {
        Check("locks") { [pool] in
            let rows = try await pool.query(.tableLocks())
            guard !rows.isEmpty else { return [.ok("locks", "No session keeps others out of a table")] }
            return try rows.map { row in
                let pid = try row.decode("pid", as: Int?.self)
                let facts = [
                    try row.decode("who", as: String.self), try row.decode("application", as: String.self),
                    try row.decode("state", as: String.self),
                ].filter { !$0.isEmpty }
                let since = try row.decode("since", as: Date?.self)
                let name = pid.map { "Session \($0)" } ?? "A prepared transaction"
                return CheckLine(
                    check: "locks",
                    outcome: .warning,
                    sentence:
                        "\(name) (\(facts.joined(separator: ", "))) has locked \(try row.decode("tables", as: String.self))"
                        + (since.map { " since \(TimeText.full($0))" } ?? "")
                        + ": what works on that waits until it ends",
                    since: since,
                    advice: pid == nil ? "Commit it or roll it back" : "Have it ended",
                    command: pid.map { "psql \"$DATABASE_URL\" -c 'SELECT pg_terminate_backend(\($0))'" }
                )
            }
        }
    }

    /// A standby that is gone and whose slot was left is as a transaction that never ends.
    private static func slot(_ name: String, holdingBack transactions: Int) -> CheckLine {
        let sentence = "The replication \(name) holds vacuum back by \(transactions) transactions"
        guard transactions > 1_000_000 else { return .ok("oldest_transaction", sentence) }
        return CheckLine(
            check: "oldest_transaction",
            outcome: .warning,
            sentence: sentence,
            advice: "Bring its standby back, or drop the slot where there is none any more"
        )
    }

    var indexes: Check {
        Check("indexes") { [pool] in
            let names = try await pool.query(.invalidIndexes()).map { try $0.decode("name", as: String.self) }
            guard !names.isEmpty else { return [.ok("indexes", "All indexes are valid")] }
            return names.map { name in
                CheckLine(
                    check: "indexes",
                    outcome: .wrong,
                    sentence: "The index \(name) is not valid: statements that rely on it read the whole table",
                    advice: "Build it again, as the owner of the tables",
                    command: "psql \"$ADMIN_URL\" -c 'REINDEX INDEX CONCURRENTLY \(name)'"
                )
            }
        }
    }

    var autovacuum: Check {
        Check("autovacuum") { [pool] in
            let rows = try await pool.query(.neglectedTables())
            guard !rows.isEmpty else {
                return [.ok("autovacuum", "Autovacuum is on, and not far behind on the queue's tables")]
            }
            return try rows.map { row in
                let name: String = try row.decode("name")
                let dead: Int = try row.decode("dead")
                let last =
                    try row.decode("last_at", as: Date?.self).map { ", vacuumed last at \(TimeText.full($0))" } ?? ""
                let isOff: Bool = try row.decode("is_off")
                return CheckLine(
                    check: "autovacuum",
                    outcome: isOff ? .wrong : .warning,
                    sentence: isOff
                        ? "Autovacuum is off for \(name): claims get slower with every job that ends"
                        : "Autovacuum is far behind on \(name): \(dead) dead rows\(last)",
                    advice: isOff
                        ? "Turn it on: the setting autovacuum, and autovacuum_enabled of the table"
                        : "See what holds it back, then vacuum the table",
                    command: isOff
                        ? "psql \"$ADMIN_URL\" -c 'ALTER TABLE \(name) RESET (autovacuum_enabled)'"
                        : "psql \"$ADMIN_URL\" -c 'VACUUM \(name)'"
                )
            }
        }
    }

    // MARK: Who is told

    var channels: Check {
        Check("channels") { [pool] in
            let rows = try await pool.query(.alertChannels())
            let channels = try rows.map { row in
                (
                    name: try row.decode("channel", as: String.self), isOff: try row.decode("is_off", as: Bool.self),
                    reason: try row.decode("reason", as: String?.self) ?? "",
                    since: try row.decode("off_since", as: Date?.self),
                    delivered: try row.decode("delivered_at", as: Date?.self),
                    failed: try row.decode("failed_at", as: Date?.self)
                )
            }
            guard !channels.isEmpty else {
                return [
                    CheckLine(
                        check: "channels",
                        outcome: .warning,
                        sentence: "Nobody is told of anything: no worker has a channel for alerts",
                        advice:
                            "Set one and ENABLE_NOTIFICATIONS=true for the workers; syncctl alerts test --help lists the variables"
                    )
                ]
            }
            return channels.map { channel in
                if channel.isOff {
                    return CheckLine(
                        check: "channels",
                        outcome: .wrong,
                        sentence: "The channel \(channel.name) is off: \(channel.reason.singleLine.withoutFullStop)",
                        since: channel.since,
                        advice: "Fix it, then test it",
                        command: "syncctl alerts test \(channel.name)"
                    )
                }
                if let failed = channel.failed, failed > channel.delivered ?? .distantPast {
                    return CheckLine(
                        check: "channels",
                        outcome: .warning,
                        sentence: "The last message to \(channel.name) was not delivered, at \(TimeText.full(failed))",
                        since: failed,
                        advice: "See why with syncctl alerts list, then test it",
                        command: "syncctl alerts test \(channel.name)"
                    )
                }
                let last =
                    channel.delivered.map { "delivered last at \(TimeText.full($0))" } ?? "has had nothing to deliver"
                return .ok("channels", "The channel \(channel.name) is on and \(last)")
            }
        }
    }
}
