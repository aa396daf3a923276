import Foundation
import JobQueue
import Postgres
import SyncSchema
import TestSupport
import Testing

@testable import SyncControl

@Suite("What a person sees when something is wrong", .database())
struct FailureTests {
    private static let commands: [[String]] = [
        ["migrate"], ["migrate", "--status"], ["keygen"], ["credentials"], ["credentials", "set"],
        ["credentials", "list"],
        ["credentials", "delete"], ["enqueue"], ["jobs"], ["watch"], ["cancel"], ["retry"], ["clear-state"],
        ["workers"], ["credentials", "forget-keys"], ["failed"], ["failed", "list"], ["failed", "retry"], [],
    ]

    @Test("Every --help shows an example", arguments: commands)
    func help(command: [String]) async throws {
        let control = try ControlFixture()
        let result = try await control.result(of: control.start(command + ["--help"]))
        #expect(result.code == 0 && result.output.contains("Example"), "\(result)")
        #expect(result.output.contains("syncctl "))
    }

    @Test("The exit codes stand in the help")
    func exitCodes() async throws {
        let help = try await ControlFixture().run("--help").output
        for status in ExitStatus.allCases { #expect(help.contains("  \(status.rawValue)  \(status.meaning)")) }
    }

    private static let databaseCommands: [[String]] = [
        ["jobs"], ["jobs", JobID().description], ["workers"], ["enqueue", "anna"], ["credentials", "list"],
        ["credentials", "delete", "anna"], ["credentials", "set", "anna", "--database-id", "d"],
        ["clear-state", "anna", "--yes"], ["cancel", JobID().description], ["retry", JobID().description],
        ["watch", JobID().description],
    ]

    @Test("Without tables: run syncctl migrate", arguments: databaseCommands)
    func noTables(command: [String]) async throws {
        try await expect(command, code: 78, "Run: syncctl migrate")
    }

    @Test("Without a database: start it, or set DATABASE_URL", arguments: databaseCommands + [["migrate"]])
    func databaseAway(command: [String]) async throws {
        let url = "postgresql://postgres:sesame@127.0.0.1:1/sync"
        try await expect(command, ["DATABASE_URL": url], code: 69, "Start the database, or set DATABASE_URL.")
    }

    @Test("Without the database of that name: create it")
    func noDatabase() async throws {
        let url = try PrivateURL.of("no_such_database")
        try await expect(
            ["jobs"],
            ["DATABASE_URL": url],
            code: 69,
            "Create it with createdb, then run: syncctl migrate."
        )
    }

    @Test("Where sessions only read by a setting, the role is named, not a standby")
    func readOnly() async throws {
        let url = try TestDatabase.current.connectionString
        let separator = url.contains("?") ? "&" : "?"
        let reading = "\(url)\(separator)options=-c%20default_transaction_read_only%3Don"
        for command in [["migrate"], ["jobs"]] {
            let words = "Sessions of role postgres only read here"
            try await expect(command, ["DATABASE_URL": reading], code: 78, words)
        }
    }

    @Test("A standby: name the primary")
    func standby() async throws {
        let primary = try await PrivateCluster.start()
        let standby = try await PrivateCluster.startStandby(of: primary, port: primary.port)
        let url = standby.connectionString(database: "postgres")
        for command in [["migrate"], ["jobs"]] {
            let words = "This server is a standby: name the primary in DATABASE_URL."
            try await expect(command, ["DATABASE_URL": url], code: 78, words)
        }
        try await standby.stop(mode: .immediate)
        try await primary.stop(mode: .immediate)
    }

    @Test("A role without a right is sent to the file of roles, and has nothing to migrate where all is done")
    func missingRight() async throws {
        let control = try ControlFixture()
        #expect(try await control.run("migrate").code == 0)
        let roles = try await control.database.runRolesFile()
        #expect(roles.exit == .code(0), "\(roles.transcript)")
        let limited = ["DATABASE_URL": control.database.connectionString(of: "sync_operator")]
        let done = try await control.run("migrate", environment: limited)
        #expect(done.code == 0 && done.output.contains("Nothing to do"), "\(done)")
        try await expect(
            ["jobs"],
            ["DATABASE_URL": control.database.connectionString(of: "sync_gateway")],
            code: 78,
            "deploy/roles.sql gives the rights that syncctl needs to one role, sync_operator or what -v operator=ROLE names"
        )
    }

    @Test("Where no run of the file of roles helps, the role that has the right is named")
    func ownersRights() async throws {
        let control = try ControlFixture()
        #expect(try await control.run("migrate").code == 0)
        try await control.storeCredentials("anna")
        let roles = try await control.database.runRolesFile()
        #expect(roles.exit == .code(0), "\(roles.transcript)")
        let key = ["AWS_ENCRYPTION_KEY": control.environment["AWS_ENCRYPTION_KEY"] ?? ""]
        let commands = [
            ("sync_operator", ["credentials", "check"]), ("sync_operator", ["credentials", "reencrypt"]),
            ("sync_operator", ["credentials", "forget-keys", "--yes"]), ("sync_worker", ["migrate", "--take-over"]),
        ]
        for (role, command) in commands {
            let limited = ["DATABASE_URL": control.database.connectionString(of: role)].merging(key) { $1 }
            try await expect(command, limited, code: 78, "PGOPTIONS='-c role=sync_owner'")
        }
    }

    @Test("A role that is not there: where roles come from")
    func noRole() async throws {
        let url = try TestDatabase.current.connectionString(of: "nobody_there")
        try await expect(["jobs"], ["DATABASE_URL": url], code: 69, "deploy/roles.sql creates the role sync_operator")
    }

    @Test(
        "Where nothing is stored, no key is called right or lost; a database that is none is said before any token is asked for"
    )
    func nothingStored() async throws {
        let control = try ControlFixture()
        #expect(try await control.run("migrate").code == 0)
        try await expect(["credentials", "check"], code: 0, "Nothing is stored that needs a key")
        try await expect(["credentials", "forget-keys", "--yes"], code: 1, "there is none to forget")
        let set = ["credentials", "set", "anna", "--database-id", "x y"]
        try await expect(set, code: 64, "names no Notion database")
    }

    @Test("A server without TLS, and a host that is not there, are not asked to be started")
    func unreachable() async throws {
        let url = try TestDatabase.current.connectionString
        let tls = url + (url.contains("?") ? "&" : "?") + "sslmode=require"
        try await expect(
            ["jobs"],
            ["DATABASE_URL": tls],
            code: 69,
            "Check sslmode in DATABASE_URL, and ssl on the server."
        )
        let host = "postgresql://sync@no-such-host.invalid/x"
        try await expect(
            ["jobs"],
            ["DATABASE_URL": host],
            code: 69,
            "Check the host in DATABASE_URL and the name server."
        )
    }

    @Test("A password that is refused")
    func wrongPassword() async throws {
        let cluster = try await PrivateCluster.start(PrivateCluster.Options(password: "right"))
        let url = "postgresql://postgres:sesame@127.0.0.1:\(cluster.port)/postgres"
        try await expect(["jobs"], ["DATABASE_URL": url], code: 69, "Check user and password in DATABASE_URL.")
        try await cluster.remove()
    }

    @Test(
        "A variable that can't be understood is named",
        arguments: [("DATABASE_URL", "mysql://root:sesame@db/x"), ("LOG_LEVEL", "loud"), ("LOG_FORMAT", "xml")]
    )
    func variable(name: String, value: String) async throws {
        try await expect(["jobs"], [name: value], code: 78, name)
    }

    @Test(
        "Wrong arguments",
        arguments: [
            (["jobs", "12"], "expected a UUID"), (["cancel", "x"], "expected a UUID"),
            (["watch", "x"], "expected a UUID"),
            (["cancel"], "Missing"), (["enqueue"], "Missing"),
            (["enqueue", "anna", "--at", "noon"], "expected an ISO 8601"),
            (["enqueue", "anna", "--timeout", "5s"], "--wait"),
            (["enqueue", "anna", "--priority", "101"], "-100 to 100"),
            (["enqueue", "anna", "--wait", "--timeout", "0"], "duration"),
            (["jobs", "--limit", "0"], "1 or more"), (["jobs", "--limit", "-1"], "1 or more"),
            (["retry"], "Missing"), (["retry", JobID().description, "--failed-since", "1h"], "leave out"),
            (["frobnicate"], "There is no command \"syncctl frobnicate\". There are: migrate, keygen, "),
            (["surplus", "--forget", "x"], "Did you mean: syncctl unknown surplus?"),
            (
                ["failed", "settle", "anna"],
                "There is no command \"syncctl failed settle\". Did you mean: syncctl unknown settle?"
            ),
            (["list"], "Did you mean: syncctl credentials list, syncctl failed list, "),
            (["help", "surplus"], "There is no command \"syncctl surplus\"."),
            (["alerts", "silence", "x", "--for", "-1h"], "\"-1h\" is no duration"),
            (["enqueue", "anna", "--at", "-5m"], "\"-5m\" is no time"),
            (["retry", "--failed-since", "-2h"], "\"-2h\" is no duration"),
            (["credentials", "bind", "anna", "--all"], "leave out their names"),
            (["migrate", "--dry-run", "--take-over"], "leave out --status and --take-over"),
            (["unknown", "settle", "anna", "n1"], "<note> --written [--page <page>]"),
            (["jobs", JobID().description, "--user", "anna"], "leave them out"),
        ] as [([String], String)]
    )
    func usage(arguments: [String], message: String) async throws {
        let result = try await ControlFixture().result(of: ControlFixture().start(arguments))
        #expect(result.code == 64 && result.errors.contains(message), "\(result)")
    }

    @Test("An unknown job", arguments: [["jobs"], ["watch"]])
    func unknownJob(command: [String]) async throws {
        let control = try ControlFixture()
        #expect(try await control.run("migrate").code == 0)
        try await expect(command + [JobID().description], code: 66, "There is no job")
    }

    @Test("Output that can't be written is an error")
    func fullDisk() async throws {
        let control = try ControlFixture()
        let program = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        let run = try ProgramRun(
            executable: "/bin/sh",
            ["-c", "exec \"$0\" keygen > /dev/full", program.appending(path: "syncctl").path],
            environment: control.environment
        )
        let result = try await control.result(of: run)
        #expect(result.code == 74 && result.errors.contains("can't be written"), "\(result)")
    }

    /// One clear line, without anything secret.
    private func expect(_ command: [String], _ changes: [String: String] = [:], code: Int32, _ message: String)
        async throws
    {
        let control = try ControlFixture(changes)
        let run = try control.start(command)
        run.closeInput()
        let result = try await control.result(of: run)
        #expect(result.code == code, "\(result)")
        #expect(result.errors.contains(message), "\(result)")
        #expect(result.errors.split(separator: "\n").count == 1, "\(result)")
        #expect(!result.description.contains("sesame"))
    }
}

@Suite("syncctl migrate", .database())
struct MigrateTests {
    @Test("Applies what is missing, says what, and knows where it stands")
    func migrate() async throws {
        let control = try ControlFixture()
        let files = SyncSchema.migrations.map(\.fileName)
        let before = try await control.run("migrate", "--status")
        #expect(before.code == 1 && before.output.contains("pending"), "\(before)")
        let plan = try await control.run("migrate", "--dry-run", "--json")
        #expect(plan.code == 0 && files.allSatisfy(plan.output.contains), "\(plan)")
        let applied = try await control.run("migrate")
        #expect(
            applied.code == 0 && applied.output == files.map { "Applied \($0)" }.joined(separator: "\n"),
            "\(applied)"
        )
        #expect(try await control.run("migrate").output.contains("up to date"))
        let dry = try await control.run("migrate", "--dry-run")
        #expect(dry.code == 0 && dry.output.contains("Nothing to do"), "\(dry)")
        #expect(try await control.run("migrate", "--dry-run", "--json").output == #"{"pending":[]}"#)
        let empty = try await control.run("migrate", "--take-over")
        #expect(empty.code == 0 && empty.output.contains("There is nothing to take over"))
        let both = try await control.run("migrate", "--take-over", "--status")
        #expect(both.code == 64 && both.errors.contains("leave out --status or --take-over"))
        #expect(try await control.run("migrate", "--json").output == #"{"applied":[],"take_over":null}"#)
        let after = try await control.run("migrate", "--status")
        #expect(after.code == 0 && files.allSatisfy(after.output.contains), "\(after)")
        #expect(try await control.run("migrate", "--status", "--json").output.contains(#""state":"applied""#))
    }

    @Test("Where a migration is missing below others, --status does not advise what is refused")
    func missingMigration() async throws {
        let control = try ControlFixture()
        try await Migrator(migrations: SyncSchema.migrations).migrate(on: control.database.pool)
        try await control.execute("DELETE FROM sync_schema_migrations WHERE version = 4")
        let status = try await control.run("migrate", "--status")
        #expect(status.code == 1 && status.errors.contains("was not applied but the later"), "\(status)")
        #expect(!status.errors.contains("Run: syncctl migrate"), "\(status)")
        try await control.execute("DELETE FROM sync_schema_migrations WHERE version > 4")
        let pending = try await control.run("migrate", "--status")
        #expect(pending.code == 1 && pending.errors.contains("Run: syncctl migrate"), "\(pending)")
        try await control.execute("UPDATE sync_schema_migrations SET checksum = 'other' WHERE version = 2")
        let changed = try await control.run("migrate", "--status")
        #expect(changed.code == 1 && changed.errors.contains("applied with another text"), "\(changed)")
    }

    @Test("The plan names the lock of each statement that takes one")
    func plan() async throws {
        let control = try ControlFixture()
        let plan = try await control.run("migrate", "--dry-run").output
        for text in [
            "-- locks: ACCESS EXCLUSIVE on sync_state, then sync_logs, for a moment, where the new column is\nDO $$",
            "-- locks: SHARE UPDATE EXCLUSIVE on sync_logs\nCREATE UNIQUE INDEX CONCURRENTLY",
            "-- locks: ROW EXCLUSIVE on sync_state\nDO $$",
        ] {
            #expect(plan.contains(text), "\(text)")
        }
        #expect(plan.contains("-- only where: EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'sync_logs'"))
    }

    @Test("Who holds the lock that migrating waits for is said")
    func lockedTables() async throws {
        let control = try ControlFixture()
        // The next one is applied step by step, which waits for as long as it must.
        let next = try #require(SyncSchema.migrations.firstIndex { $0.name == "page_databases_online" })
        try await Migrator(migrations: Array(SyncSchema.migrations[..<next])).migrate(on: control.database.pool)
        let holder = try await control.database.connect()
        try await holder.runScript("BEGIN; LOCK TABLE sync_schema_migrations IN SHARE ROW EXCLUSIVE MODE")
        let pid = try #require(await holder.backendProcessID)
        let run = try control.start(["migrate"])
        run.closeInput()
        try await eventually(within: .seconds(20), "the word on the lock") {
            run.standardError.contains { $0.contains("held by pid \(pid)") }
        }
        try await holder.execute("ROLLBACK")
        #expect(try await control.result(of: run).code == 0)
        await holder.close()
    }

    @Test("An applied migration that was changed, or is not known, is refused")
    func misfits() async throws {
        let control = try ControlFixture()
        #expect(try await control.run("migrate").code == 0)
        try await control.execute("UPDATE sync_schema_migrations SET checksum = 'other' WHERE version = 1")
        let changed = try await control.run("migrate", "--status")
        #expect(changed.code == 1 && changed.output.contains("changed"), "\(changed)")
        let refused = try await control.run("migrate")
        #expect(
            refused.code == 78 && refused.errors.contains("with another text")
                && refused.errors.contains("use the release"),
            "\(refused)"
        )
        for command in [["enqueue", "anna", "--force"], ["jobs"], ["clear-state", "anna", "--yes"]] {
            let result = try await control.result(of: control.start(command))
            #expect(result.code == 78 && result.errors.contains("with another text"), "\(result)")
        }
        let jobs = try await control.database.pool.query("SELECT FROM sync_jobs")
        #expect(jobs.isEmpty)
        try await control.execute("DELETE FROM sync_schema_migrations WHERE version = 1")
        try await control.execute(
            "INSERT INTO sync_schema_migrations (version, name, checksum, compatible_from) VALUES (99, 'future', 'x', 99)"
        )
        let unknown = try await control.run("migrate", "--status")
        #expect(unknown.code == 1 && unknown.output.contains("0099_future.sql"), "\(unknown)")
    }
}

/// The address of another database of the test's cluster.
private enum PrivateURL {
    static func of(_ database: String) throws -> String {
        try TestDatabase.current.cluster.connectionString(database: database)
    }
}
