import Fernet
import FlowControl
import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

@testable import NoteSync

/// What keeps a job is told, all of it, and in the same words wherever it is looked at.
@Suite("What keeps a job from running", .migrated)
struct SeveralHoldsTests {
    private struct Job: Decodable {
        struct Hold: Decodable {
            var kind: String
        }

        var waitsFor: Hold?
        var waitsForAlso: [Hold]
        var unknownWrites: Int
    }

    private struct Answer: Decodable {
        var error: String
    }

    private func close(_ gate: String, _ control: ControlFixture) async throws {
        try await control.execute(
            """
            INSERT INTO sync_gates (gate, closed_at, closed_until, reason, closed_by)
            VALUES (\(gate), now(), now() + interval '1 hour', 'Moved.', 'ops')
            """
        )
    }

    @Test("A pause, a closed gate and no worker: each is told")
    func three() async throws {
        let control = try ControlFixture()
        try await control.storeCredentials("anna")
        for pause in [["all", "--for", "1m"], ["--user", "anna"]] {
            let run = try control.start(["pause", "--reason", "Her wish."] + pause)
            #expect(try await control.result(of: run).code == 0)
        }
        try await close("notion_writer", control)
        let enqueued = try await control.run("enqueue", "anna")
        let lines = enqueued.errors.split(separator: "\n").map(String.init)
        let words = [
            "the end of a pause: user anna, paused by postgres", "a worker: none is running",
            "the gate notion_writer, closed until",
        ]
        #expect(lines.count == 3 && zip(lines, words).allSatisfy { $0.contains("waits for \($1)") }, "\(enqueued)")
        let job = enqueued.output
        let shown = try await control.run("jobs", job)
        let watched = try await control.run("watch", job, "--timeout", "300ms")
        for word in words {
            for text in [shown.output, watched.output, watched.errors] { #expect(text.contains(word), "\(text)") }
        }
        #expect(!watched.errors.contains("..") && !watched.errors.contains("goes on"), "\(watched)")
        let json: Job = try await control.run("jobs", job, "--json").json()
        #expect(json.waitsFor?.kind == "pause" && json.waitsForAlso.map(\.kind) == ["no_worker", "gate"])
        let waited = try await control.run("enqueue", "anna", "--wait", "--timeout", "300ms", "--json")
        let answer: Answer = try waited.json()
        #expect(answer.error.contains("it waits for the end of a pause"), "\(waited)")
        #expect(answer.error.hasSuffix("Moved.") && !answer.error.hasSuffix(".."), "\(waited)")
    }

    @Test("A running job that waits before a gate is not said to go on")
    func runningJob() async throws {
        let control = try ControlFixture()
        try await control.insertWorker()
        let id = try await control.insertJob()
        try await control.execute("UPDATE sync_jobs SET status = 'running'")
        try await control.execute("UPDATE sync_jobs SET worker = 'w1'")
        try await close("notion_writer", control)
        let watched = try await control.run("watch", "\(id)", "--timeout", "300ms")
        #expect(watched.errors.contains("and waits, as the gate notion_writer is closed until"), "\(watched)")
    }

    @Test("The gate of the user's token is known before a job has waited for it", arguments: ["enqueue", "retry"])
    func ownGate(command: String) async throws {
        let control = try ControlFixture()
        try await control.insertWorker()
        for user in ["anna", "bob"] { try await control.storeCredentials(user) }
        try await control.execute("UPDATE credentials SET notion_api_token = google_oauth_token WHERE user_id = 'bob'")
        let keys = FernetKeyRing(try FernetKey(base64: try #require(control.environment["AWS_ENCRYPTION_KEY"])))
        let store = CredentialStore(pool: control.database.pool, keys: keys)
        #expect(try await store.gates(of: UserID("anna")).isEmpty, "no worker has made the key of their names")
        _ = try await InstallationKeys(pool: control.database.pool, secrets: store.secrets).contentHasher()
        let gates = try await store.gates(of: UserID("anna"))
        #expect(gates.map(\.scope) == [.account, .token, .workspace])
        try await close(gates[1].rawValue, control)
        let job = try await control.insertJob().description
        let other = try await control.insertJob(user: "bob").description
        let run = try await control.run(command, command == "enqueue" ? "anna" : job)
        let words = "waits for the gate \(gates[1]), closed until "
        #expect(run.code == 0 && run.errors.contains(words) && run.errors.contains("by ops: Moved."), "\(run)")
        #expect(try await control.run("jobs", job).output.contains("the gate \(gates[1]), closed until"))
        #expect(try await control.run("watch", job, "--timeout", "300ms").errors.contains(words))
        // One that the keys do not open is as if nothing were known.
        let key = ["AWS_ENCRYPTION_KEY": try FernetKey.generate().base64]
        #expect(try await control.run("jobs", job, environment: key).output.contains("a worker with a free slot"))
        let others = try await control.run(command, command == "enqueue" ? "bob" : other)
        #expect(others.code == 0 && others.errors.isEmpty, "\(others)")
    }

    @Test("Held claims are told with the peer, as far as it is known")
    func heldClaims() async throws {
        let control = try ControlFixture()
        try await control.storeCredentials("anna")
        try await control.insertWorker()
        try await control.execute("UPDATE sync_workers SET claims_held_since = now()")
        let unnamed = try await control.run("enqueue", "anna")
        #expect(unnamed.errors.contains("as they do not reach a peer, or another"), "\(unnamed)")
        #expect(unnamed.errors.hasSuffix("It goes on by itself."), "\(unnamed)")
        try await control.execute(
            "INSERT INTO sync_gates (gate, failures, failed_at) VALUES ('notion_writer', 1, now()), ('keep_extractor', 0, now())"
        )
        let words = "reach the Notion Writer, or another"
        for run in [try await control.run("retry", unnamed.output), try await control.run("jobs", unnamed.output)] {
            #expect((run.output + run.errors).contains(words), "\(run)")
        }
        let workers = try await control.run("workers")
        #expect(workers.output.contains("it does not \(words) worker"), "\(workers)")
        #expect(workers.errors.contains("No worker claims jobs: all that are there hold their claims."), "\(workers)")
        try await control.insertWorker()
        #expect(try await !control.run("workers").errors.contains("No worker claims jobs"))
    }

    @Test("A job tells of the writes of unknown outcome that it has left behind")
    func unknownWrites() async throws {
        let control = try ControlFixture()
        let (job, other) = (try await control.insertJob(), try await control.insertJob())
        try await control.execute("UPDATE sync_jobs SET status = 'failed'")
        try await control.execute(
            """
            INSERT INTO sync_intents (user_id, keep_note_id, operation, idempotency_key, content_hash, keep_modified_at, job_id,
                lease, unknown_at, unknown_count)
            SELECT 'anna', note, 'create', gen_random_uuid(), '1:a', now(), \(job.rawValue), 1, now(), 1
            FROM unnest(ARRAY['n1', 'n2']) AS note
            """
        )
        let shown = try await control.run("jobs", "\(job)").output
        let lines = shown.split(separator: "\n").filter { $0.hasPrefix("unknown") }
        #expect(lines.count == 1, "\(shown)")
        #expect(shown.contains("2 writes of unknown outcome; see: syncctl unknown list --user anna"), "\(shown)")
        #expect(try await control.run("jobs", "\(job)", "--json").json(Job.self).unknownWrites == 2)
        #expect(try await !control.run("jobs", "\(other)").output.contains("unknown outcome"))
    }
}
