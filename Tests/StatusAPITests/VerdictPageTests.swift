import CurlHTTP
import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

@testable import StatusAPI

/// The page's first line says the worst, and nothing below it anything else.
@Suite("The verdict on the page", .migrated)
struct VerdictPageTests {
    private func page(_ fixture: StatusFixture) async throws -> String {
        try await fixture.request("/", headers: ["Accept": "text/html"]).text
    }

    /// The first line, once it has a text.
    private func wait(for text: String, _ fixture: StatusFixture) async throws {
        try await eventually(within: .seconds(15), "\"\(text)\" in the first line") {
            let line = try await page(fixture).firstMatch(of: /<section id="verdict"[\s\S]*?<\/p>/)
            return line.map { $0.output.contains(text) } ?? false
        }
    }

    private func insertWorker(_ fixture: StatusFixture) async throws {
        try await fixture.database.pool.execute(
            "INSERT INTO sync_workers (instance, worker, slots, version) VALUES (gen_random_uuid(), 'w1', 4, '1.0')"
        )
    }

    @Test func theWorstComesFirst() async throws {
        try await StatusFixture.with { fixture in
            let pool = fixture.database.pool
            try await insertWorker(fixture)
            try await wait(for: "<strong>All is well; 0 jobs completed in the last hour.", fixture)
            let pauses = PauseList(pool: pool)
            _ = try await pauses.pause(.user(UserID("anna@example.org")), for: nil, reason: "Her wish.")
            _ = try await fixture.insertJob()
            try await wait(for: "<strong>User an…@example.org is paused, by ", fixture)
            let paused = try await page(fixture)
            #expect(
                paused.contains("<code>syncctl resume --user USER</code>") && !paused.contains("anna@"),
                "\(paused)"
            )
            #expect(paused.contains("<title>Healthy") && paused.contains("class=\"verdict warning\""))
            #expect(paused.contains("id=\"paused-count\">1<"), "\(paused)")
            try await pool.execute(
                """
                INSERT INTO sync_gates (gate, opened_at, opened_reason) VALUES ('notion_writer', now(), 'It <hangs>.')
                """
            )
            try await wait(for: "<strong>The Notion Writer is out of order since ", fixture)
            let broken = try await page(fixture)
            #expect(
                broken.contains("<title>Degraded") && broken.contains("It &lt;hangs&gt;; no job waits"),
                "\(broken)"
            )
            #expect(broken.contains("<li class=\"warning\" data-code=\"users_paused\">"), "\(broken)")
            try await eventually(within: .seconds(10), "the same of /health") {
                try await fixture.request("/health").json["status"] as? String == "degraded"
            }
        }
    }

    @Test func whatWaitsIsCountedByItsReason() async throws {
        try await StatusFixture.with { fixture in
            let pool = fixture.database.pool
            try await insertWorker(fixture)
            for user in ["anna", "bert", "carl"] { _ = try await fixture.insertJob(user: user) }
            try await pool.execute("UPDATE sync_jobs SET run_at = now() + interval '1 hour'")
            try await pool.execute("UPDATE sync_jobs SET attempt = 1 WHERE user_id = 'bert'")
            try await pool.execute(
                "UPDATE sync_queue SET snoozed_since = now(), gate = 'notion_writer/token/ab' WHERE user_id = 'carl'"
            )
            try await wait(for: "1 is due later; 1 is tried again after a fault, the first at ", fixture)
            let page = try await page(fixture)
            #expect(page.contains("1 waits for the limit of a token or account"), "\(page)")
            for count in ["later", "retrying", "gated"] {
                #expect(page.contains("id=\"\(count)-count\">1<"), "\(count)")
            }
        }
    }

    /// A card that says down beside a first line that says that all is well would be a riddle.
    @Test func aPeerThatIsDownIsTheVerdict() async throws {
        try await StatusFixture.with { fixture in
            try await insertWorker(fixture)
            try await wait(for: "<strong>All is well", fixture)
            await fixture.peers.kill()
            try await wait(for: "<strong>The Keep Extractor does not say that it is well since ", fixture)
            let page = try await page(fixture)
            #expect(page.contains("The Notion Writer does not say that it is well since "), "\(page)")
        }
    }

    @Test func aDatabaseWithoutTables() async throws {
        let database = try await PrivateCluster.shared().createDatabase()
        let fixture = try await StatusFixture.start(database)
        try await wait(for: "The tables are not up to date, and workers of this version do not start on them", fixture)
        let page = try await page(fixture)
        #expect(page.contains("<code>syncctl migrate</code>") && page.contains("<title>Degraded"), "\(page)")
        await fixture.stop()
        try await database.drop()
    }
}
