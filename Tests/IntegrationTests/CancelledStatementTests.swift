import JobQueue
import Postgres
import TestSupport
import Testing

extension IntegrationTests {
    /// Statements that the server cancels though no program asked for it: `pg_cancel_backend`, a `statement_timeout`.
    @Suite struct CancelledStatementTests {
        @Test func theyAreNoFaultOfTheJob() async throws {
            try await Installation.with(notes: 30) { installation in
                try await installation.addUser("ada")
                try await installation.peers.setLatency(.milliseconds(100))
                try await installation.startWorker("worker", ["SYNC_NOTE_CONCURRENCY": "2"])
                let job = try await installation.insertJob("ada")
                let outside = try await installation.database.connect()
                var cancelled = 0
                for _ in 1...300 where cancelled < 15 {
                    cancelled += try await outside.query(
                        """
                        SELECT pg_cancel_backend(pid) FROM pg_stat_activity
                        WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active' AND wait_event_type IS DISTINCT FROM 'Client'
                        """
                    ).count
                    try await Task.sleep(for: .milliseconds(5))
                }
                await outside.close()
                let record = try await installation.waitForJob(job)
                #expect(cancelled > 0)
                #expect((record.status, record.attempt, record.crashes) == (.completed, 1, 0))
                #expect(try await installation.peers.pages(of: "ada").count == 30)
                #expect(try await installation.count("SELECT count(*) FROM sync_state") == 30)
                #expect(try await installation.count("SELECT count(*) FROM sync_intents") == 0)
            }
        }

        /// The role's own `statement_timeout`, at a server that speaks German: what it says is told by SQLSTATE alone.
        @Test(.enabled(if: PrivateCluster.Options.hasLanguages, "The package locales is not installed."))
        func aTimeoutOfTheRoleIsNoFaultOfTheJobInAnyLanguage() async throws {
            let cluster = try await PrivateCluster.start(PrivateCluster.Options(language: "de_DE"))
            try await Installation.with(notes: 30, cluster: cluster) { installation in
                try await installation.addUser("ada")
                let outside = try await installation.database.connect()
                // Now and then one is too slow, of whatever kind: sent, recorded, ended.
                try await outside.runScript(
                    """
                    CREATE SEQUENCE turns;
                    GRANT USAGE ON turns TO PUBLIC;
                    CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$
                        BEGIN IF nextval('turns') IN (2, 5, 9, 23, 31, 47) THEN PERFORM pg_sleep(5); END IF; RETURN NULL; END $$;
                    CREATE TRIGGER slowly AFTER INSERT OR UPDATE ON sync_intents FOR EACH STATEMENT EXECUTE FUNCTION slowly();
                    CREATE TRIGGER slowly AFTER INSERT OR UPDATE ON sync_state FOR EACH STATEMENT EXECUTE FUNCTION slowly();
                    CREATE TRIGGER slowly AFTER UPDATE ON sync_jobs FOR EACH STATEMENT EXECUTE FUNCTION slowly();
                    """
                )
                try await outside.execute("ALTER ROLE postgres SET statement_timeout = '300ms'")
                try await installation.startWorker("worker", ["SYNC_NOTE_CONCURRENCY": "2"])
                let record = try await installation.waitForJob(try await installation.insertJob("ada"))
                #expect((record.status, record.attempt, record.crashes) == (.completed, 1, 0))
                #expect(try await installation.peers.pages(of: "ada").count == 30)
                #expect(try await installation.count("SELECT count(*) FROM sync_state") == 30)
                #expect(cluster.serverLog.contains("FEHLER:  storniere Anfrage wegen Zeitüberschreitung der Anfrage"))
                await outside.close()
            }
            try await cluster.remove()
        }
    }
}
