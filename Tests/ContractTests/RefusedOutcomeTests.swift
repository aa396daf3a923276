import JobQueue
import NoteSync
import Postgres
import TestSupport
import Testing

@testable import PeerSimulator

/// Answers that have come and that the database refuses to record, by a right that is missing or somebody else's
/// trigger.
@Suite(.timeLimit(.minutes(3)))
struct RefusedOutcomeTests {
    /// A trigger that returns no row reports no error: what is to be sent is not on record, and is not sent.
    @Test func requestsThatAreLostOnTheWayEndTheRunWithTheirCause() async throws {
        try await withInstallation { sync in
            sync.notes(3)
            try await sync.pool.withConnection { connection in
                try await connection.runScript(
                    """
                    CREATE OR REPLACE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
                    CREATE TRIGGER lose BEFORE INSERT ON sync_intents FOR EACH ROW EXECUTE FUNCTION lose();
                    """
                )
            }
            let job = try await sync.sync()
            #expect(job.status == .queued && job.attempt == 1)
            #expect(job.lastError?.contains("check sync_intents for a trigger") == true, "\(job.lastError ?? "")")
            #expect(sync.calls.creates == 0)
            try await sync.pool.execute("DROP TRIGGER lose ON sync_intents")
            #expect(try await sync.again(job).status == .completed)
            #expect(sync.pages.count == 3)
        }
    }

    /// What was written and is not kept would be written again by every sync.
    @Test(arguments: ["INSERT", "UPDATE"]) func whatTheDatabaseLosesIsNoSuccess(_ operation: String) async throws {
        try await withInstallation { sync in
            sync.note("n1")
            if operation == "UPDATE" {
                try await sync.sync()
                sync.edit("n1", text: "Second")
            }
            try await sync.pool.withConnection { connection in
                try await connection.runScript(
                    """
                    CREATE OR REPLACE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
                    CREATE TRIGGER lose BEFORE \(operation) ON sync_state FOR EACH ROW EXECUTE FUNCTION lose();
                    """
                )
            }
            let job = try await sync.insert()
            try await eventually(within: .seconds(30), "word of it") {
                sync.log.lines.contains { $0.contains("refuses to record the outcome of a write") }
            }
            // Other runs wait for what is known here.
            try await Task.sleep(for: .seconds(4))
            #expect(sync.calls.creates == 1)
            #expect(sync.calls.updates == (operation == "UPDATE" ? 1 : 0))
            try await sync.pool.execute("DROP TRIGGER lose ON sync_state")
            try await eventually(within: .seconds(60), "the end of the run") {
                try await sync.job(job).status != .running
            }
            _ = try await sync.again(try await sync.job(job))
            try await sync.sync()
            #expect(sync.pages.map(\.appended) == (operation == "UPDATE" ? [["Text", "Second"]] : [["Text"]]))
            #expect(try await sync.states().count == 1)
        }
    }

    @Test(arguments: ["42501", "P0001", "23514"]) func areRecordedOnceTheyMayBe(_ state: String) async throws {
        try await withInstallation { sync in
            sync.notes(6)
            try await sync.pool.withConnection { connection in
                try await connection.runScript(
                    """
                    CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
                        BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '\(state)'; END $$;
                    CREATE TRIGGER refuse BEFORE INSERT ON sync_state FOR EACH ROW EXECUTE FUNCTION refuse();
                    """
                )
            }
            let job = try await sync.insert()
            try await eventually(within: .seconds(30), "word of it, with the page") {
                sync.log.lines.contains {
                    $0.contains("refuses to record the outcome of a write") && $0.contains("pages=")
                }
            }
            // Other runs wait for what is known here.
            try await Task.sleep(for: .seconds(8))
            try await sync.pool.execute("DROP TRIGGER refuse ON sync_state")
            try await eventually(within: .seconds(60), "every page that was made is on record") {
                try await sync.states().count >= sync.pages.count
            }
            try await eventually(within: .seconds(60), "the end of the run") {
                try await sync.job(job).status != .running
            }
            _ = try await sync.again(try await sync.job(job))
            try await sync.sync()
            #expect(sync.pages.count == 6)
            #expect(sync.calls.creates == 6)
            #expect(try await sync.states().count == 6)
        }
    }
}
