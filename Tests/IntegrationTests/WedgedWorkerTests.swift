import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

extension IntegrationTests {
    /// What has stopped whole workers of queues like this one, and is now the matter of one row.
    @Suite struct WedgedWorkerTests {
        private static let others = (1...4).map { "user-\($0)" }

        private func addUsers(_ users: [String], _ installation: Installation) async throws {
            for user in users { try await installation.addUser(user, notionToken: "ntn_\(user)") }
        }

        /// The end of a job that the database refuses, with whatever SQLSTATE, is that job's own matter.
        @Test(arguments: ["23514", "22001", "AB123"])
        func aRefusedResultHoldsUpNoOther(_ state: String) async throws {
            try await Installation.with(notes: 2) { installation in
                try await addUsers(["bad"] + Self.others, installation)
                let outside = try await installation.database.connect()
                try await outside.runScript(
                    """
                    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
                        BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '\(state)'; END $$;
                    CREATE TRIGGER refuse BEFORE UPDATE ON sync_jobs FOR EACH ROW
                        WHEN (NEW.user_id = 'bad' AND NEW.status = 'completed') EXECUTE FUNCTION refuse();
                    """
                )
                for name in ["one", "two"] { try await installation.startWorker(name) }
                let bad = try await installation.insertJob("bad")
                for _ in 1...3 {
                    for user in Self.others {
                        let job = try await installation.insertJob(user)
                        try await installation.waitForJob(job, within: .seconds(15))
                    }
                }
                try await eventually(within: .seconds(20), "word of the refusal") {
                    try await installation.job(bad).lastError?.isEmpty == false
                }
                #expect(try await installation.job(bad).status != .completed)
                try await outside.runScript("DROP TRIGGER refuse ON sync_jobs")
                await outside.close()
                try await installation.setStatus("queued", of: bad)
                try await installation.waitForJob(bad, within: .seconds(30))
                #expect(try await installation.peers.pages(of: "bad").count == 2, "and no page twice")
            }
        }

        /// A trigger that asks another server meets what should pass, and does not: others end, and it once it has.
        @Test(arguments: ["58030", "40001", "53100", "57P03", "08006"])
        func aResultThatMeetsWhatShouldPassHoldsUpNoOther(_ state: String) async throws {
            try await Installation.with(notes: 2) { installation in
                try await addUsers(["bad"] + Self.others, installation)
                let outside = try await installation.database.connect()
                try await outside.runScript(
                    """
                    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
                        BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '\(state)'; END $$;
                    CREATE TRIGGER refuse BEFORE UPDATE ON sync_jobs FOR EACH ROW
                        WHEN (NEW.user_id = 'bad' AND NEW.status = 'completed') EXECUTE FUNCTION refuse();
                    """
                )
                let worker = try await installation.startWorker("worker")
                let bad = try await installation.insertJob("bad")
                for _ in 1...2 {
                    var jobs: [JobID] = []
                    for user in Self.others { jobs.append(try await installation.insertJob(user)) }
                    for job in jobs { try await installation.waitForJob(job, within: .seconds(15)) }
                }
                try await eventually(within: .seconds(15), "the job's id in the log") {
                    worker.standardOutput.contains {
                        $0.contains("meets what should pass") && $0.contains("job=\(bad)")
                    }
                }
                try await outside.runScript("DROP TRIGGER refuse ON sync_jobs")
                await outside.close()
                let job = try await installation.waitForJob(bad, within: .seconds(15))
                #expect((job.status, job.attempt, job.crashes) == (.completed, 1, 0))
                #expect(try await installation.peers.pages(of: "bad").count == 2)
            }
        }

        /// The end of one job takes minutes, by a trigger: others end meanwhile, and still when the worker is told to
        /// stop.
        @Test func aResultThatTakesMinutesHoldsUpNoOther() async throws {
            try await Installation.with(notes: 2) { installation in
                try await addUsers(["slow"] + Self.others, installation)
                let outside = try await installation.database.connect()
                try await outside.runScript(
                    """
                    CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$
                        BEGIN PERFORM pg_sleep(300); RETURN NEW; END $$;
                    CREATE TRIGGER slowly BEFORE UPDATE ON sync_jobs FOR EACH ROW
                        WHEN (NEW.user_id = 'slow' AND NEW.status = 'completed') EXECUTE FUNCTION slowly();
                    """
                )
                let worker = try await installation.startWorker("worker", ["SYNC_SHUTDOWN_GRACE": "5s"])
                let slow = try await installation.insertJob("slow")
                var jobs: [JobID] = []
                for user in Self.others { jobs.append(try await installation.insertJob(user)) }
                for job in jobs { try await installation.waitForJob(job, within: .seconds(12)) }
                for user in Self.others {
                    try await installation.waitForJob(try await installation.insertJob(user), within: .seconds(5))
                }
                #expect(try await installation.job(slow).status == .running)
                // Ends that come together with the stop.
                jobs = []
                for user in Self.others { jobs.append(try await installation.insertJob(user)) }
                worker.send(signal: SIGTERM)
                _ = try await worker.waitForExit()
                try await outside.runScript("DROP TRIGGER slowly ON sync_jobs")
                await outside.close()
                for job in jobs {
                    let crashes = try await installation.job(job).crashes
                    #expect(crashes == 0)
                }
                try await installation.startWorker("next")
                for job in jobs + [slow] { try await installation.waitForJob(job, within: .seconds(40)) }
                #expect(try await installation.peers.pages(of: "slow").count == 2, "and no page twice")
            }
        }

        /// Rows of a time before there were bounds: each is simply due, or never.
        @Test func oddRowsStopNoClaim() async throws {
            try await Installation.with(notes: 1) { installation in
                let times = ["-infinity", "0001-01-01", "1700-01-01 BC", "infinity"]
                try await addUsers(times.indices.map { "odd-\($0)" } + Self.others, installation)
                var odd: [JobID] = []
                for (number, time) in times.enumerated() {
                    let id = try await installation.insertJob("odd-\(number)")
                    odd.append(id)
                    let outside = try await installation.database.connect()
                    try await outside.runScript(
                        """
                        SET session_replication_role = replica;
                        UPDATE sync_jobs SET run_at = '\(time)', created_at = '-infinity' WHERE job_id = '\(id)';
                        UPDATE sync_queue SET run_at = '\(time)' WHERE job_id = '\(id)';
                        """
                    )
                    await outside.close()
                }
                try await installation.startWorker("worker")
                for user in Self.others {
                    try await installation.waitForJob(try await installation.insertJob(user), within: .seconds(15))
                }
                for id in odd.dropLast() { try await installation.waitForJob(id, within: .seconds(15)) }
                #expect(try await installation.job(odd[3]).status == .queued, "infinity is never due")
                let list = try ProgramRun.start(
                    "syncctl",
                    ["jobs"],
                    environment: ["DATABASE_URL": installation.database.connectionString, "SYNC_STATE_DIR": ""]
                )
                #expect(try await list.waitForExit() == .code(0), "\(list.transcript)")
                for id in odd { #expect(list.transcript.contains(id.description), "\(list.transcript)") }
            }
        }

        /// A LISTEN whose connection hears nothing any more: polled meanwhile, said, and made anew.
        @Test func aDeafListenerIsNoticed() async throws {
            try await Installation.with(notes: 1) { installation in
                try await addUsers(["ada"], installation)
                let worker = try await installation.startWorker(
                    "worker",
                    ["SYNC_POLL_INTERVAL": "1h", "SYNC_LEASE": "60s"]
                )
                try await installation.waitUntilListening("worker")
                let listeners = try await installation.listeners(of: "worker")
                for process in listeners { kill(process, SIGSTOP) }
                defer { for process in listeners { kill(process, SIGCONT) } }
                try await eventually(within: .seconds(30), "word of it, or another LISTEN") {
                    guard worker.standardOutput.contains(where: { $0.contains("LISTEN connection lost") }) else {
                        return false
                    }
                    return try await installation.listeners(of: "worker") != listeners
                }
                try await installation.waitForJob(try await installation.insertJob("ada"), within: .seconds(10))
            }
        }

        /// Old jobs go while new ones are run.
        @Test func aBacklogOfOldJobsDelaysNoNewOnes() async throws {
            try await Installation.with(notes: 1) { installation in
                try await addUsers(Self.others, installation)
                try await installation.pool.execute(
                    """
                    INSERT INTO sync_jobs (job_id, user_id, status, created_at, completed_at)
                    SELECT gen_random_uuid(), 'old', 'completed', timezone('utc', now()) - interval '90 days' + n * interval '1 s',
                        timezone('utc', now()) - interval '80 days'
                    FROM generate_series(1, 20000) AS n
                    """
                )
                try await installation.startWorker("worker", ["SYNC_JOB_RETENTION": "1d"])
                for user in Self.others {
                    try await installation.waitForJob(try await installation.insertJob(user), within: .seconds(15))
                }
                try await eventually(within: .seconds(60), "the end of the old ones") {
                    try await installation.count("SELECT count(*) FROM sync_jobs WHERE user_id = 'old'") == 0
                }
                #expect(try await installation.count("SELECT count(*) FROM sync_jobs") == Self.others.count)
            }
        }

        /// A list of hundreds of megabytes is fetched, scanned and written beside the heartbeats.
        @Test func aLargeListStopsNoHeartbeat() async throws {
            try await Installation.with(notes: 0) { installation in
                try await addUsers(["ada"], installation)
                let text = String(repeating: "0123456789abcdef", count: 1 << 16)
                for number in 1...100 { try await installation.peers.createNote(title: "n\(number)", text: text) }
                try await installation.startWorker("worker", ["SYNC_LEASE": "6s"])
                let job = try await installation.insertJob("ada")
                var longest = 0.0
                while try await !installation.job(job).status.isFinal {
                    let rows = try await installation.pool.query(
                        "SELECT coalesce(extract(epoch FROM clock_timestamp() - max(last_seen_at)), 0)::float8 AS silence FROM sync_workers"
                    )
                    longest = max(longest, try #require(rows.first).decode("silence"))
                    try await Task.sleep(for: .milliseconds(100))
                }
                let record = try await installation.job(job)
                #expect(record.status == .completed && record.attempt == 1 && record.processedNotes == 100, "\(record)")
                #expect(longest < 5, "a heartbeat is due every two seconds: \(longest) s")
            }
        }
    }
}
