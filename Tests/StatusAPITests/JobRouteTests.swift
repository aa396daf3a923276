import CurlHTTP
import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

@Suite("Routes about jobs", .migrated)
struct JobRouteTests {
    @Test func statusToTheLetter() async throws {
        try await StatusFixture.with { fixture in
            let id = try await fixture.insertJob()
            try await fixture.database.pool.execute(
                """
                UPDATE sync_jobs SET created_at = '2024-01-01 00:00:00.75', total_notes = 5, processed_notes = 3
                WHERE job_id = \(id.rawValue)
                """
            )
            let answer = try await fixture.request("/internal/sync/status/\(id)")
            #expect(answer.status == 200)
            #expect(answer.header("Content-Type") == "application/json")
            #expect(
                answer.text == """
                    {"job_id":"\(id)","status":"queued","progress":{"total_notes":5,"processed_notes":3,"failed_notes":0},\
                    "created_at":"2024-01-01T00:00:00","completed_at":null,"error_message":null}
                    """
            )
            try await fixture.database.pool.execute(
                "UPDATE sync_jobs SET status = 'failed', error_message = 'why' WHERE job_id = \(id.rawValue)"
            )
            let ended = try await fixture.request("/internal/sync/status/\(id)").json
            #expect(ended["status"] as? String == "failed")
            #expect(ended["error_message"] as? String == "why")
            #expect((ended["completed_at"] as? String)?.count == 19)
        }
    }

    @Test func refusals() async throws {
        try await StatusFixture.with { fixture in
            let bad = try await fixture.request("/internal/sync/status/no-uuid")
            #expect(bad.status == 400)
            #expect(bad.text == #"{"detail":"Invalid job_id format"}"#)
            let id = JobID()
            let missing = try await fixture.request("/internal/sync/status/\(id)")
            #expect(missing.status == 404)
            #expect(missing.text == "{\"detail\":\"Sync job \(id) not found\"}")
            let unknown = try await fixture.request("/internal/other")
            #expect(unknown.status == 404)
            #expect(try unknown.json["detail"] as? String == "Not Found")
            for query in ["stauts=failed", "status=failed&x", "LIMIT=3"] {
                let bad = try await fixture.request("/internal/sync/jobs?\(query)")
                #expect(bad.status == 400)
                let name = query == "status=failed&x" ? "x" : String(query.prefix { $0 != "=" })
                let known = "there are user_id, status, limit, cursor"
                #expect(bad.text == #"{"detail":"\#(name) is not a parameter of this list; \#(known)"}"#)
            }
            for query in ["", "?", "?limit=3&", "?&limit=1&", "?&&", "?=x&limit=1", "?%73tatus=failed"] {
                #expect(try await fixture.request("/internal/sync/jobs\(query)").status == 200, "\(query)")
            }
            for query in ["limit=0", "limit=x", "limit=1&limit=2", "status=done", "user_id=", "cursor=1_2"] {
                #expect(try await fixture.request("/internal/sync/jobs?\(query)").status == 400, "\(query)")
            }
        }
    }

    @Test func aPlusInAQueryIsASpace() async throws {
        try await StatusFixture.with { fixture in
            for user in ["a b", "a+b"] { _ = try await fixture.insertJob(user: user) }
            for (query, user) in [("a+b", "a b"), ("a%20b", "a b"), ("a%2Bb", "a+b")] {
                let list = try await fixture.request("/internal/sync/jobs?user_id=\(query)")
                let jobs = try #require(try list.json["jobs"] as? [[String: Any]])
                #expect(jobs.compactMap { $0["user_id"] as? String } == [user], "\(query)")
            }
        }
    }

    /// The column takes any word; a row with one that nobody knows hides no other.
    @Test func anUnknownStatusIsShownAsItStands() async throws {
        try await StatusFixture.with { fixture in
            let id = try await fixture.insertJob()
            _ = try await fixture.insertJob(user: "bob")
            try await fixture.database.pool.execute(
                "UPDATE sync_jobs SET status = '<b>pending' WHERE job_id = \(id.rawValue)"
            )
            let status = try await fixture.request("/internal/sync/status/\(id)")
            #expect(status.status == 200)
            #expect(try status.json["status"] as? String == "<b>pending")
            let list = try await fixture.request("/internal/sync/jobs")
            let jobs = try #require(try list.json["jobs"] as? [[String: Any]])
            #expect(Set(jobs.compactMap { $0["status"] as? String }) == ["<b>pending", "queued"])
            #expect(try await fixture.request("/").status == 200)
            let page = try await fixture.request("/jobs/\(id)")
            #expect(page.status == 200)
            #expect(page.text.contains("&lt;b&gt;pending") && !page.text.contains("<b>pending"))
        }
    }

    @Test func otherMethodsAreNotAllowed() async throws {
        try await StatusFixture.with { fixture in
            for path in ["/", "/health", "/livez", "/metrics", "/internal/sync/jobs", "/internal/sync/status/x"] {
                for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"] {
                    let answer = try await fixture.request(path, method: HTTPMethod(rawValue: method))
                    #expect(answer.status == 405, "\(method) \(path)")
                    #expect(answer.header("Allow") == "GET, HEAD")
                }
            }
            #expect(try await fixture.request("/nowhere", method: .post).status == 404)
        }
    }

    @Test func headIsGetWithoutItsBody() async throws {
        try await StatusFixture.with { fixture in
            for path in ["/", "/health", "/livez", "/openapi.json", "/metrics", "/internal/sync/status/\(JobID())"] {
                let get = try await fixture.request(path)
                let head = try await fixture.request(path, method: .head)
                #expect(head.status == get.status, "\(path)")
                #expect(head.response.body.isEmpty)
                #expect(head.header("Content-Type") == get.header("Content-Type"))
            }
        }
    }

    @Test func listPageByPage() async throws {
        try await StatusFixture.with { fixture in
            for number in 0..<7 {
                let id = try await fixture.insertJob(user: number % 2 == 0 ? "a+b@example.org" : "c@example.org")
                // Several at one moment: the identifier decides.
                try await fixture.database.pool.execute(
                    """
                    UPDATE sync_jobs SET created_at = timestamp '2026-01-01' + \(number / 3) * interval '1 microsecond'
                    WHERE job_id = \(id.rawValue)
                    """
                )
            }
            let all = try await fixture.jobs.jobs(limit: 100).map { "\($0.id)" }
            var seen: [String] = []
            var cursor: String?
            repeat {
                let suffix = cursor.map { "&cursor=\($0)" } ?? ""
                let answer = try await fixture.request("/internal/sync/jobs?limit=2\(suffix)").json
                let page = try #require(answer["jobs"] as? [[String: Any]])
                seen += page.compactMap { $0["job_id"] as? String }
                cursor = answer["next_cursor"] as? String
            } while cursor != nil
            #expect(seen == all)
            let own = try await fixture.request("/internal/sync/jobs?user_id=a%2Bb@example.org&status=queued").json
            #expect((own["jobs"] as? [Any])?.count == 4)
            let none = try await fixture.request("/internal/sync/jobs?status=failed").json
            #expect((none["jobs"] as? [Any])?.isEmpty == true)
        }
    }

    @Test func aWorkersJobIsSeenToItsEnd() async throws {
        try await StatusFixture.with { fixture in
            try await fixture.storeCredentials()
            let id = try await fixture.insertJob()
            try await fixture.withWorker { _ in
                try await eventually(within: .seconds(30), "the job's end over HTTP") {
                    try await fixture.request("/internal/sync/status/\(id)").json["status"] as? String == "completed"
                }
                #expect(try await fixture.request("/readyz").text == "ok")
            }
            let answer = try await fixture.request("/internal/sync/status/\(id)").json
            let progress = try #require(answer["progress"] as? [String: Int])
            #expect(progress == ["total_notes": 30, "processed_notes": 30, "failed_notes": 0])
        }
    }
}
