import Foundation
import JobQueue
import Postgres
import SyncSchema
import TestSupport
import Testing

extension IntegrationTests {
    /// `deploy/roles.sql`, run by an administrator who is no superuser.
    @Suite struct RoleTests {
        private static let outsiders = ["sync_gateway", "sync_admin", "sync_sidecar", "sync_intake", "sync_operator"]

        @Test func eachRoleDoesWhatItMustAndNothingElse() async throws {
            try await TestDatabase.withRoles { database in
                #expect(
                    try await database.runRolesFile("revoke_public=yes", as: TestDatabase.administrator).exit
                        == .code(0)
                )
                try await database.runAsSuperuser(RoleStatements.seed)
                for statements in RoleStatements.all {
                    let role = statements.role
                    let connection = try await database.connect(as: role)
                    for sql in statements.allowed {
                        #expect(try await connection.refusal(of: sql) == nil, "\(role): \(sql)")
                    }
                    for sql in statements.refused + RoleStatements.forbidden {
                        #expect(try await connection.refusal(of: sql) == .insufficientPrivilege, "\(role): \(sql)")
                    }
                    await connection.close()
                }
            }
        }

        /// Every function that runs as its owner, whatever its name.
        @Test func functionsThatRunAsTheirOwnerCannotBeCalledNorMisled() async throws {
            try await TestDatabase.withRoles { database in
                let functions = try await database.pool.query(
                    """
                    SELECT p.oid::regprocedure::text AS name, pg_get_userbyid(proowner) AS owner,
                        'search_path=public, pg_temp' = ANY (proconfig) AS is_fixed,
                        ARRAY(SELECT r FROM unnest(\(Self.outsiders)) AS r WHERE has_function_privilege(r, p.oid, 'EXECUTE'))
                            AS callers
                    FROM pg_proc AS p WHERE prosecdef AND pronamespace = 'public'::regnamespace
                    """
                )
                #expect(functions.count >= 3)
                for function in functions {
                    let name: String = try function.decode("name")
                    #expect(try function.decode("owner", as: String.self) == "sync_owner", "\(name)")
                    #expect(try function.decode("is_fixed", as: Bool.self), "\(name)")
                    #expect(try function.decode("callers", as: [String].self).isEmpty, "\(name)")
                }
                // A temporary table stands before the real one for whoever does not say otherwise.
                let gateway = try await database.connect(as: "sync_gateway")
                try await gateway.runScript(
                    """
                    CREATE FUNCTION pg_temp.taken() RETURNS boolean LANGUAGE plpgsql AS
                        $$ BEGIN RAISE EXCEPTION 'ran as %', current_user; END $$;
                    CREATE TEMPORARY VIEW sync_workers AS
                        SELECT gen_random_uuid() AS instance, 'w' AS worker, now() AS last_seen_at,
                            pg_temp.taken() AS wakeable, 1 AS slots, 0 AS running;
                    GRANT SELECT ON pg_temp.sync_workers TO PUBLIC;
                    INSERT INTO sync_jobs (job_id, user_id, status)
                    VALUES ('6c3f0f0e-0000-4000-8000-000000000001', 'ada', 'queued');
                    """
                )
                await gateway.close()
            }
        }

        @Test func theProgramsRunUnderTheirRoles() async throws {
            let cluster = try await PrivateCluster.start()
            let webhook = try ScriptedServer()
            try await Installation.with(notes: 12, cluster: cluster, migrations: []) { installation in
                let database = installation.database
                try await database.setUpRoles()
                // The second time in place of those there.
                for _ in 1...2 { try await installation.storeCredentialsAsOperator(of: "ada") }
                let worker = try await installation.startWorker(
                    "worker",
                    [
                        "DATABASE_URL": database.connectionString(of: "sync_worker"), "ENABLE_NOTIFICATIONS": "true",
                        "NOTIFICATION_WEBHOOK_URL": webhook.url, "ALERT_ALLOW_PRIVATE_HOSTS": "127.0.0.1",
                        "ALERT_GROUP_WAIT": "0",
                    ]
                )
                let intake = try await installation.startServer("sync-intake", as: "sync_intake")
                let sidecar = try await installation.startServer("sync-sidecar", as: "sync_sidecar")
                let id = try await installation.startAsGateway(user: "ada", intake: intake)
                let job = try await installation.waitForJob(id)
                #expect(job.status == .completed)
                #expect(job.processedNotes == 12)
                let failed = try await installation.startAsGateway(user: "nobody", intake: intake)
                #expect(try await installation.waitForJob(failed).status == .failed)
                try await eventually(within: .seconds(15), "the alert") { !webhook.bodies.isEmpty }
                for address in [intake, sidecar] { try await installation.expectStatus(of: id, at: address) }
                try await installation.useControl(completed: id, failed: failed)
                try await worker.stop()
                #expect(!worker.transcript.contains("42501"), "\(worker.transcript)")
            }
            webhook.stop()
            try await cluster.remove()
        }

        @Test func aPlantedRightIsFound() async throws {
            try await TestDatabase.withRoles { database in
                for (planted, finding) in Self.plants {
                    try await database.runAsSuperuser(planted)
                    let check = try await database.runRolesFile("check=yes", as: TestDatabase.administrator)
                    #expect(check.exit == .code(3), "\(planted)")
                    #expect(check.standardError.contains { $0.contains(finding) }, "\(planted): \(check.transcript)")
                    let repair = try await database.runRolesFile(as: TestDatabase.administrator)
                    #expect(repair.exit == .code(0), "\(planted): \(repair.transcript)")
                }
            }
        }

        /// What the file cannot put right itself: it says so and changes nothing.
        @Test func whatTheFileCannotRepairItRefuses() async throws {
            try await TestDatabase.withRoles { database in
                for (planted, finding, undone) in Self.lastingPlants {
                    let owner = try await database.connect()
                    try await owner.runScript(planted + "; GRANT UPDATE (lease) ON sync_jobs TO sync_operator")
                    let run = try await database.runRolesFile(as: TestDatabase.administrator)
                    #expect(run.exit == .code(3), "\(planted)")
                    #expect(run.standardError.contains { $0.contains(finding) }, "\(planted): \(run.transcript)")
                    let other = try await owner.query(
                        "SELECT has_column_privilege('sync_operator', 'sync_jobs', 'lease', 'UPDATE') AS is_there"
                    )
                    #expect(try #require(other.first).decode("is_there", as: Bool.self), "\(planted)")
                    try await owner.runScript(undone)
                    await owner.close()
                    let repair = try await database.runRolesFile(as: TestDatabase.administrator)
                    #expect(repair.exit == .code(0), "\(planted): \(repair.transcript)")
                }
            }
        }

        /// As the schema `public` is up to PostgreSQL 14.
        @Test func aSchemaOfASuperuserIsPreparedAndItIsSaidWhatToDoAboutIt() async throws {
            let cluster = try await PrivateCluster.start()
            let database = try await cluster.createDatabase()
            try await database.makeAdministrator()
            try await database.runAsSuperuser(
                "ALTER SCHEMA public OWNER TO postgres; GRANT CREATE ON SCHEMA public TO PUBLIC"
            )
            let preparation = try await database.runRolesFile("prepare=yes", as: TestDatabase.administrator)
            #expect(preparation.exit == .code(0), "\(preparation.transcript)")
            let advice = "REVOKE CREATE ON SCHEMA public FROM PUBLIC; GRANT CREATE ON SCHEMA public TO sync_owner"
            #expect(preparation.standardOutput.contains { $0.hasSuffix(advice) }, "\(preparation.transcript)")
            try await database.runAsSuperuser(advice)
            try await database.migrateAsOwner()
            let run = try await database.runRolesFile(as: TestDatabase.administrator)
            #expect(run.exit == .code(0), "\(run.transcript)")
            await database.pool.shutdown()
            try await cluster.remove()
        }

        /// An installation whose callers share a role that owns the tables.
        @Test func tablesOfARoleThatExistsAreTakenOver() async throws {
            let cluster = try await PrivateCluster.start()
            let database = try await cluster.createDatabase()
            try await database.makeAdministrator()
            try await database.runAsSuperuser(
                """
                CREATE ROLE keepsync LOGIN;
                GRANT keepsync TO \(TestDatabase.administrator) WITH ADMIN OPTION;
                GRANT CREATE ON SCHEMA public TO keepsync;
                SET ROLE keepsync;
                \(Self.adoptedTables)
                INSERT INTO sync_jobs (job_id, user_id, status)
                VALUES ('6c3f0f0e-0000-4000-8000-000000000001', 'ada', 'completed');
                """
            )
            let names = ["gateway=keepsync", "admin=keepsync"]
            let preparation = try await database.runRolesFile(
                names[0],
                names[1],
                "prepare=yes",
                as: TestDatabase.administrator
            )
            #expect(preparation.exit == .code(0), "\(preparation.transcript)")
            // The callers go on while the tables are being brought up to date.
            let id = try await database.insertJob(of: "ada", as: "keepsync")
            try await database.migrateAsOwner()
            let run = try await database.runRolesFile(names[0], names[1], as: TestDatabase.administrator)
            #expect(run.exit == .code(0), "\(run.transcript)")
            let caller = try await database.connect(as: "keepsync")
            for sql in [
                "UPDATE sync_jobs SET status = 'failed', error_message = 'No answer' WHERE job_id = '\(id)'",
                "DELETE FROM credentials WHERE user_id = 'ada'",
            ] {
                #expect(try await caller.refusal(of: sql) == nil, "\(sql)")
            }
            for sql in RoleStatements.forbidden where !sql.contains("TEMPORARY") {
                #expect(try await caller.refusal(of: sql) == .insufficientPrivilege, "\(sql)")
            }
            await caller.close()
            await database.pool.shutdown()
            try await cluster.remove()
        }

        /// Put right by the next run.
        private static let plants = [
            ("GRANT DELETE ON sync_jobs TO sync_gateway", "sync_gateway must not have DELETE on sync_jobs"),
            (
                "REVOKE UPDATE (status) ON sync_jobs FROM sync_gateway",
                "sync_gateway lacks UPDATE (status) on sync_jobs"
            ),
            ("GRANT UPDATE (lease) ON sync_jobs TO PUBLIC", "sync_admin must not have UPDATE (lease) on sync_jobs"),
            ("GRANT SELECT ON credentials TO sync_sidecar", "sync_sidecar must not have SELECT"),
            ("REVOKE USAGE ON SEQUENCE sync_lease_seq FROM sync_worker", "sync_worker lacks USAGE on sync_lease_seq"),
            (
                "REVOKE EXECUTE ON FUNCTION sync_alert_cause FROM sync_worker",
                "sync_worker lacks EXECUTE on sync_alert_cause()"
            ),
            (
                "CREATE FUNCTION sync_new() RETURNS int LANGUAGE sql AS 'SELECT 1'; ALTER FUNCTION sync_new() OWNER TO sync_owner",
                "sync_gateway must not have EXECUTE on sync_new()"
            ),
            ("GRANT CREATE ON SCHEMA public TO sync_admin", "sync_admin must not have CREATE on schema public"),
            ("GRANT CREATE ON SCHEMA public TO PUBLIC", "Everybody may create objects in schema public"),
            ("ALTER TABLE sync_cursors OWNER TO sync_gateway", "sync_cursors belongs to sync_gateway"),
            (
                "ALTER ROLE sync_sidecar RESET default_transaction_read_only",
                "sync_sidecar does not have default_transaction"
            ),
        ]

        private static let lastingPlants = [
            (
                """
                CREATE ROLE reporting; GRANT SELECT ON credentials TO reporting WITH GRANT OPTION;
                SET ROLE reporting; GRANT SELECT ON credentials TO sync_gateway; RESET ROLE
                """,
                "sync_gateway must not have SELECT (binding, binding_cleared_at, google_oauth_token",
                "REVOKE SELECT ON credentials FROM reporting CASCADE"
            ),
            (
                "ALTER ROLE sync_gateway NOINHERIT; GRANT SELECT ON credentials TO reporting; GRANT reporting TO sync_gateway",
                "as a member of reporting",
                "REVOKE reporting FROM sync_gateway"
            ),
            (
                "GRANT sync_owner TO sync_worker", "sync_worker is a member of sync_owner",
                "REVOKE sync_owner FROM sync_worker"
            ),
            (
                "ALTER ROLE sync_admin CREATEROLE", "sync_admin has SUPERUSER, CREATEROLE",
                "ALTER ROLE sync_admin NOCREATEROLE"
            ),
            (
                "ALTER ROLE sync_owner LOGIN", "sync_owner is the owner of the tables and may log in",
                "ALTER ROLE sync_owner NOLOGIN"
            ),
            (
                """
                CREATE FUNCTION lower(varchar) RETURNS varchar LANGUAGE sql AS 'SELECT $1';
                ALTER FUNCTION lower(varchar) OWNER TO sync_gateway
                """,
                "sync_gateway owns public.lower(character varying)", "DROP FUNCTION lower(varchar)"
            ),
            (
                "ALTER TABLE sync_cursors RENAME TO cursors", "There is no table sync_cursors",
                "ALTER TABLE cursors RENAME TO sync_cursors"
            ),
        ]

        /// The statements of the first migration that make the tables of the replaced service.
        private static let adoptedTables =
            SyncSchema.migrations[0].sql
            .components(separatedBy: ";")
            .filter { $0.contains("CREATE TABLE IF NOT EXISTS") }
            .joined(separator: ";") + ";"
    }
}
