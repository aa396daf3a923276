import Fernet
import Foundation
import JobQueue
import Postgres
import SyncSchema
import TestSupport
import Testing

extension IntegrationTests {
    /// An installation of the replaced service, with its data, taken over.
    @Suite struct AdoptionTests {
        private static let unchanged = 12
        private static let changed = 4
        private static let missing = 3

        @Test func nothingIsLostAndNothingWrittenTwice() async throws {
            let notes = Self.unchanged + Self.changed + Self.missing
            try await Installation.with(notes: notes, migrations: []) { installation in
                try await makeOriginalTables(installation)
                try await storeOriginalCredentials(installation)
                let pages = try await fillState(installation)
                try await fillJobs(installation)
                let before = try await contents(installation)

                try await expectReport(of: installation)
                #expect(try await contents(installation) == before, "a row was lost or changed")

                try await installation.startWorker("worker")
                try await installation.waitForAllJobs()
                let requests = try await installation.peers.requests()
                #expect(requests.updates == Self.changed)
                // Those of the preparation, then those that were missing.
                #expect(requests.creates == pages.count + Self.missing)
                let now = try await installation.peers.pages(of: "ada")
                let written = now.filter { $0.versions == 2 }
                #expect(
                    Set(written.map(\.id)) == Set(pages.dropFirst(Self.unchanged)),
                    "a page that had not changed was written"
                )
                #expect(now.count == notes)
                #expect(
                    try await installation.count("SELECT count(*) FROM sync_state WHERE content_hash IS NOT NULL")
                        == notes
                )
                try await expectJobs(installation)

                // The next job has nothing to write.
                try await installation.waitForJob(try await installation.insertJob("ada"))
                #expect(try await installation.peers.requests().writes == requests.writes)
                // Years of history outlast the first pruning, which comes with the start of the worker.
                #expect(try await installation.count("SELECT count(*) FROM sync_jobs WHERE user_id = 'old'") == 1)
            }
        }

        /// What `syncctl migrate` says of it.
        private func expectReport(of installation: Installation) async throws {
            let migrate = try ProgramRun.start(
                "syncctl",
                ["migrate"],
                environment: ["DATABASE_URL": installation.database.connectionString]
            )
            #expect(try await migrate.waitForExit() == .code(0), "\(migrate.transcript)")
            let report = migrate.standardOutput.joined(separator: "\n")
            for words in [
                "sync_jobs    10", "sync_state   \(Self.unchanged + Self.changed)", "credentials  1",
                "3 jobs were marked failed: queued for more than a day and never started.",
                "1 job was marked failed: left running for more than a day.",
                "1 job was left running in the last day: queued again.", "3 jobs are queued",
                "kept until SYNC_JOB_RETENTION is set",
            ] {
                #expect(report.contains(words), "\(words)\n\(report)")
            }
        }

        /// Back to the replaced service, which writes pages of its own, and to this one again.
        @Test func aRollbackAndReturnWritesNothingTwice() async throws {
            try await Installation.with(notes: 6) { installation in
                try await installation.addUser("ada")
                let worker = try await installation.startWorker("worker")
                try await installation.waitForJob(try await installation.insertJob("ada"))
                worker.send(signal: SIGTERM)
                try await worker.waitForExit()

                // Four notes are edited. The old service writes three of them, and knows no hashes.
                let notes = try await installation.peers.notes().prefix(4).map(\.id)
                for id in notes { try await installation.peers.editNote(id, text: "edited while away") }
                let edited = try await installation.peers.notes().filter { notes.contains($0.id) }
                for note in edited.prefix(3) {
                    try await installation.pool.execute(
                        """
                        UPDATE sync_state SET keep_modified_at = \(note.modifiedAt)::text::timestamp,
                            last_synced_at = timezone('utc', now())
                        WHERE user_id = 'ada' AND keep_note_id = \(note.id)
                        """
                    )
                }
                // It leaves jobs behind as well.
                try await installation.pool.withConnection {
                    try await $0.runScript(
                        """
                        INSERT INTO sync_jobs (job_id, user_id, status, full_sync, created_at, run_at) VALUES
                        ('00000000-0000-4000-8000-000000000001', 'ada', 'running', false, timezone('utc', now()), now()),
                        ('00000000-0000-4000-8000-000000000002', 'bob', 'running', true,
                            timezone('utc', now()) - interval '3 days', now()),
                        ('00000000-0000-4000-8000-000000000003', 'ada', 'queued', true,
                            timezone('utc', now()) - interval '3 days', now() - interval '3 days'),
                        -- Ours: for later; later, and due since; retried.
                        ('00000000-0000-4000-8000-000000000004', 'ada', 'queued', false,
                            timezone('utc', now()) - interval '3 days', now() + interval '3 days'),
                        ('00000000-0000-4000-8000-000000000005', 'ada', 'queued', false,
                            timezone('utc', now()) - interval '3 days', now() - interval '1 hour'),
                        ('00000000-0000-4000-8000-000000000006', 'ada', 'failed', false,
                            timezone('utc', now()) - interval '3 days', now() - interval '3 days');
                        UPDATE sync_jobs SET status = 'queued' WHERE job_id = '00000000-0000-4000-8000-000000000006';
                        """
                    )
                }
                let takeOver = try #require(try await TakeOver.again(on: installation.pool))
                #expect(takeOver.failedQueued == 1 && takeOver.failedRunning == 1 && takeOver.requeued == 1)

                let before = try await installation.peers.requests()
                try await installation.startWorker("return")
                try await installation.waitForJob(try await installation.insertJob("ada"))
                let after = try await installation.peers.requests()
                #expect(after.updates - before.updates == 1, "the one that the old service has not written")
                #expect(after.creates == before.creates)
                // A job of ours that is due later is none of the old service's.
                #expect(try await installation.statuses()["queued"] == 1)
                // The hashes are there again.
                try await installation.waitForJob(try await installation.insertJob("ada"))
                #expect(
                    try await installation.count(
                        "SELECT count(*) FROM sync_state WHERE hash_modified_at = keep_modified_at"
                    ) == 6
                )
                #expect(try await installation.peers.requests().writes == after.writes)
            }
        }

        @Test func timesStayInUTCWhateverTheDatabasesTimeZone() async throws {
            try await Installation.with(notes: 2, migrations: []) { installation in
                try await makeOriginalTables(installation)
                try await Migrator(migrations: SyncSchema.migrations).migrate(on: installation.pool)
                try await installation.addUser("ada")
                try await installation.startWorker("worker")
                let id = try await installation.insertJob("ada")
                try await installation.waitForJob(id)
                let zone: String = try #require(try await installation.pool.query("SHOW timezone").first).decode(at: 0)
                #expect(zone == "Europe/Berlin")
                let columns = [
                    "SELECT created_at FROM sync_jobs", "SELECT completed_at FROM sync_jobs",
                    "SELECT created_at FROM sync_logs", "SELECT last_synced_at FROM sync_state",
                    "SELECT updated_at FROM credentials",
                ]
                for column in columns {
                    // A `timestamp` is read as UTC; Berlin's would be an hour or two off.
                    for row in try await installation.pool.query(PostgresQuery(stringLiteral: column)) {
                        let time: Date = try row.decode(at: 0)
                        #expect(abs(time.timeIntervalSinceNow) < 120, "\(column): \(time)")
                    }
                }
                let notes = try await installation.peers.notes().map(\.modifiedAt).sorted()
                let times = try await installation.pool.query(
                    "SELECT keep_modified_at::text AS time FROM sync_state ORDER BY 1"
                ).map { try $0.decode("time", as: String.self) }
                #expect(times == notes.map { $0.replacing("T", with: " ") })
                try await expectLaterEditIsFound(installation)
            }
        }

        private func expectLaterEditIsFound(_ installation: Installation) async throws {
            let note = try #require(try await installation.peers.notes().first)
            try await installation.peers.editNote(note.id, text: "edited")
            try await installation.waitForJob(try await installation.insertJob("ada"))
            #expect(try await installation.peers.requests().updates == 1)
        }

        // MARK: The replaced service

        /// As SQLAlchemy made them, with names of its own, in a database whose time zone is not UTC.
        private func makeOriginalTables(_ installation: Installation) async throws {
            // On connections of its own: one of the pool opened now would keep the old time zone.
            let first = try await installation.database.connect()
            let name = installation.database.name
            try await first.execute("ALTER DATABASE \(identifier: name) SET timezone TO 'Europe/Berlin'")
            await first.close()
            let connection = try await installation.database.connect()
            try await connection.runScript(
                """
                CREATE TABLE sync_jobs (
                    job_id uuid, user_id varchar(255) NOT NULL, status varchar(50) NOT NULL,
                    full_sync boolean DEFAULT false, total_notes int DEFAULT 0, processed_notes int DEFAULT 0,
                    failed_notes int DEFAULT 0, error_message text, created_at timestamp NOT NULL DEFAULT now(),
                    completed_at timestamp, CONSTRAINT pk_jobs PRIMARY KEY (job_id));
                CREATE INDEX ix_jobs_by_user ON sync_jobs (user_id, created_at DESC);
                CREATE TABLE sync_state (
                    id serial CONSTRAINT pk_state PRIMARY KEY, user_id varchar(255) NOT NULL,
                    keep_note_id varchar(255) NOT NULL, notion_page_id varchar(255) NOT NULL,
                    last_synced_at timestamp NOT NULL DEFAULT now(), keep_modified_at timestamp NOT NULL,
                    CONSTRAINT uq_user_note UNIQUE (user_id, keep_note_id));
                CREATE TABLE credentials (
                    user_id varchar(255) CONSTRAINT pk_credentials PRIMARY KEY, google_oauth_token text NOT NULL,
                    notion_api_token text NOT NULL, notion_database_id varchar(255) NOT NULL,
                    updated_at timestamp NOT NULL DEFAULT now());
                CREATE TABLE sync_logs (
                    id serial CONSTRAINT pk_logs PRIMARY KEY,
                    job_id uuid NOT NULL CONSTRAINT fk_logs_job REFERENCES sync_jobs (job_id),
                    keep_note_id varchar(255), level varchar(20) NOT NULL, message text NOT NULL,
                    created_at timestamp NOT NULL DEFAULT now());
                CREATE INDEX ix_logs_job ON sync_logs (job_id);
                """
            )
            await connection.close()
        }

        /// - Returns: the pages: first those whose note has not changed since, then those whose note has.
        private func fillState(_ installation: Installation) async throws -> [String] {
            var pages: [String] = []
            let notes = try await installation.peers.notes().prefix(Self.unchanged + Self.changed)
            for (index, note) in notes.enumerated() {
                let page = try await installation.peers.createPage(user: "ada", title: note.title, token: "ntn_token")
                pages.append(page)
                let age = index < Self.unchanged ? 0 : 3600
                try await installation.pool.execute(
                    """
                    INSERT INTO sync_state (user_id, keep_note_id, notion_page_id, last_synced_at, keep_modified_at)
                    VALUES ('ada', \(note.id), \(page), timezone('utc', now()) - interval '2 days',
                        \(note.modifiedAt)::text::timestamp - make_interval(secs => \(age)))
                    """
                )
            }
            return pages
        }

        private func fillJobs(_ installation: Installation) async throws {
            try await installation.pool.withConnection {
                try await $0.runScript(
                    """
                    INSERT INTO sync_jobs (job_id, user_id, status, full_sync, total_notes, processed_notes, failed_notes,
                        error_message, created_at, completed_at) VALUES
                    ('00000000-0000-4000-8000-000000000001', 'ada', 'queued', false, 0, 0, 0, NULL,
                        timezone('utc', now()) - interval '1 minute', NULL),
                    ('00000000-0000-4000-8000-000000000002', 'ada', 'queued', NULL, NULL, NULL, NULL, NULL,
                        timezone('utc', now()) - interval '1 minute', NULL),
                    ('00000000-0000-4000-8000-000000000003', 'ada', 'running', false, 19, 7, 0, NULL,
                        timezone('utc', now()) - interval '10 minutes', NULL),
                    ('00000000-0000-4000-8000-000000000004', 'ada', 'running', true, 19, 7, 0, NULL,
                        timezone('utc', now()) - interval '3 days', NULL),
                    ('00000000-0000-4000-8000-000000000005', 'ada', 'completed', true, 16, 16, 0, NULL,
                        timezone('utc', now()) - interval '2 days', timezone('utc', now()) - interval '2 days'),
                    ('00000000-0000-4000-8000-000000000006', 'bob', 'failed', false, 0, 0, 0, 'No credentials found',
                        timezone('utc', now()) - interval '5 days', timezone('utc', now()) - interval '5 days'),
                    ('00000000-0000-4000-8000-000000000007', 'ada', 'queued', true, 0, 0, 0, NULL,
                        timezone('utc', now()) - interval '90 days', NULL),
                    ('00000000-0000-4000-8000-000000000008', 'ada', 'queued', true, 0, 0, 0, NULL,
                        timezone('utc', now()) - interval '40 days', NULL),
                    ('00000000-0000-4000-8000-000000000009', 'bob', 'queued', NULL, NULL, NULL, NULL, NULL,
                        timezone('utc', now()) - interval '25 hours', NULL),
                    ('00000000-0000-4000-8000-000000000010', 'old', 'completed', true, 16, 16, 0, NULL,
                        timezone('utc', now()) - interval '4 years', timezone('utc', now()) - interval '4 years');
                    INSERT INTO sync_logs (job_id, keep_note_id, level, message, created_at)
                    SELECT '00000000-0000-4000-8000-000000000005', keep_note_id, 'INFO', 'Created page ' || notion_page_id,
                        last_synced_at FROM sync_state;
                    """
                )
            }
        }

        /// As the admin interface stores them.
        private func storeOriginalCredentials(_ installation: Installation) async throws {
            let secrets = StoredSecret(keyRing: FernetKeyRing(installation.key))
            try await installation.pool.execute(
                """
                INSERT INTO credentials (user_id, google_oauth_token, notion_api_token, notion_database_id)
                VALUES ('ada', \(try secrets.encrypt("google-token")), \(try secrets.encrypt("ntn_token")),
                    \(Installation.databaseID(of: "ada")))
                """
            )
        }

        /// The rows of the four tables as far as the replaced service knew them; of jobs that ran, the start only.
        private func contents(_ installation: Installation) async throws -> [String] {
            let rows = try await installation.pool.query(
                """
                SELECT row(job_id, user_id, full_sync, total_notes, processed_notes, failed_notes, created_at,
                    CASE WHEN completed_at < timezone('utc', now()) - interval '1 hour'
                         THEN row(status, error_message, completed_at) END)::text AS row
                FROM sync_jobs
                UNION ALL SELECT row(id, user_id, keep_note_id, notion_page_id, last_synced_at, keep_modified_at)::text
                FROM sync_state
                UNION ALL SELECT row(user_id, google_oauth_token, notion_api_token, notion_database_id, updated_at)::text
                FROM credentials
                UNION ALL SELECT row(id, job_id, keep_note_id, level, message, created_at)::text FROM sync_logs
                ORDER BY 1
                """
            )
            return try rows.map { try $0.decode("row") }
        }

        private func expectJobs(_ installation: Installation) async throws {
            var jobs: [JobRecord] = []
            for number in 1...9 {
                let id = try #require(JobID(parsing: "00000000-0000-4000-8000-00000000000\(number)"))
                jobs.append(try await installation.job(id))
            }
            #expect(jobs[0].status == .completed)
            #expect(jobs[1].status == .completed)
            #expect(jobs[2].status == .completed, "the replaced service left it running a moment ago")
            #expect(jobs[3].status == .failed, "nobody waits for it any more")
            #expect(jobs[3].errorMessage?.contains("Start a new sync") == true)
            #expect(jobs[4].status == .completed && jobs[4].startedAt == nil)
            #expect(jobs[5].status == .failed && jobs[5].errorMessage == "No credentials found")
            for job in jobs[6...8] {
                #expect(job.status == .failed && job.startedAt == nil, "nobody waits for it any more")
                #expect(job.errorMessage?.hasPrefix("Never started") == true)
            }
            #expect(jobs.allSatisfy { $0.completedAt != nil })
        }
    }
}
