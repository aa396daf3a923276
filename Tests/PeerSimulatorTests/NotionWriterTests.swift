import Foundation
import TestSupport
import Testing

@testable import PeerSimulator

@Suite(.timeLimit(.minutes(1)))
struct NotionWriterTests {
    @Test func createAndUpdateAppends() async throws {
        try await withSimulator { peers in
            #expect(try await peers.writer("GET", "/health").status == 200)
            let created = try await peers.create(title: "Title", content: "First\nSecond")
            #expect(created.status == 201)
            let id = try #require(created.object()["page_id"] as? String)
            #expect(UUID(uuidString: id) != nil)
            #expect(try created.object()["url"] as? String == "https://www.notion.so/" + id.filter { $0 != "-" })

            let updated = try await peers.update(id, title: "Title 2", content: "First\nSecond")
            #expect(updated.status == 200)
            #expect(updated.text == #"{"page_id":"\#(id)","updated":true}"#)
            let page = try #require(peers.simulator.pages.page(id: id))
            #expect(page.title == "Title 2")
            #expect(page.blocks == ["First", "Second", "First", "Second"])
            #expect(page.updates == 1)
        }
    }

    @Test func validationListsEveryFault() async throws {
        struct Refusal: Decodable {
            struct Issue: Decodable {
                let type: String
                let loc: [JSONValue]
                let msg: String
            }
            let detail: [Issue]
        }
        try await withSimulator { peers in
            let body = """
                {"api_token":"t","note":{"title":5,"content":"c","created_at":"2024","labels":["a",1],
                "images":[{"id":"i","s3_url":null,"filename":"f"}]}}
                """
            let answer = try await peers.writer("POST", "/internal/notion/pages", body: body)
            #expect(answer.status == 422)
            let issues = try answer.decode(Refusal.self).detail
            #expect(issues.map(\.type) == ["missing", "string_type", "string_type", "string_type"])
            #expect(
                issues.last?.loc.map { $0.stringValue ?? "\($0.integerValue ?? -1)" }
                    == ["body", "note", "images", "0", "s3_url"]
            )
            #expect(try await peers.writer("PATCH", "/internal/notion/pages/x", body: "{}").status == 422)
            #expect(try await peers.writer("POST", "/internal/notion/pages", body: "nonsense").status == 422)
            #expect(peers.simulator.pages.count == 0)
        }
    }

    @Test func badTokenUnknownDatabaseMissingPage() async throws {
        try await withSimulator { peers in
            let token = try await peers.create(token: "bad_token")
            #expect(token.status == 500)
            #expect(token.detail == "Failed to create Notion page: API token is invalid.")
            let database = try await peers.create(database: "unknown-1")
            let missing = "Failed to create Notion page: Could not find database with ID: unknown-1. Make sure"
            #expect(database.status == 500)
            #expect(database.detail?.hasPrefix(missing) == true)
            let page = try await peers.update("nowhere")
            #expect(page.status == 500)
            #expect(
                page.detail?.hasPrefix("Failed to update Notion page: Could not find page with ID: nowhere") == true
            )
        }
    }

    @Test func pagesInTrashAndRemoved() async throws {
        try await withSimulator { peers in
            let id = try await peers.createdPage()
            func answer(after change: String) async throws -> String {
                #expect(try await peers.writer("POST", "/simulator/pages/\(id)/\(change)").status == 200)
                return try await peers.update(id).detail ?? "updated"
            }
            let archived = "Can't edit block that is archived. You must unarchive the block before editing."
            #expect(try await answer(after: "trash") == "Failed to update Notion page: " + archived)
            #expect(try await answer(after: "remove").contains("Could not find page with ID: \(id)"))
            #expect(try await answer(after: "remove?as=block").contains("Could not find block with ID: \(id)"))
            #expect(try await answer(after: "restore") == "updated")
            #expect(try await peers.writer("POST", "/simulator/pages/nowhere/trash").status == 404)
        }
    }

    @Test func unsharedDatabaseHidesItsPages() async throws {
        try await withSimulator { peers in
            let id = try await peers.createdPage()
            _ = try await peers.writer("POST", "/simulator/databases/db-1/unshare")
            #expect(try await peers.create().detail?.contains("Could not find database with ID: db-1") == true)
            #expect(try await peers.update(id).detail?.contains("Could not find page with ID: \(id)") == true)
            _ = try await peers.writer("POST", "/simulator/databases/db-1/share")
            #expect(try await peers.update(id).status == 200)
        }
    }

    @Test func tokensCanBeRevoked() async throws {
        try await withSimulator { peers in
            _ = try await peers.writer("POST", "/simulator/tokens/revoke", body: #"{"token":"secret_t"}"#)
            #expect(try await peers.create().detail?.contains("API token is invalid.") == true)
            _ = try await peers.writer("POST", "/simulator/tokens/restore", body: #"{"token":"secret_t"}"#)
            #expect(try await peers.create().status == 201)
        }
    }

    @Test(arguments: [PeerSettings.Idempotency.ignore, .honour])
    func idempotencyKeys(_ idempotency: PeerSettings.Idempotency) async throws {
        var configuration = SimulatorConfiguration(notes: .synthetic(count: 1, noteBytes: 1))
        configuration.settings.idempotency = idempotency
        try await withSimulator(configuration) { peers in
            let first = try await peers.create(key: #""k-1""#)
            let second = try await peers.create(key: #""k-1""#)
            let isSame = first.text == second.text
            #expect(isSame == (idempotency == .honour))
            #expect(peers.simulator.pages.count == (idempotency == .honour ? 1 : 2))
            let unquoted = try await peers.create(key: "k-2")
            #expect(unquoted.status == (idempotency == .honour ? 400 : 201))
            let report = peers.simulator.requests.report
            #expect(report.malformedIdempotencyKeys == 1)
            #expect(report.idempotentReplays == (idempotency == .honour ? 1 : 0))
        }
    }

    @Test func structuredFieldStrings() {
        #expect(IdempotencyKey(header: nil) == .missing)
        #expect(IdempotencyKey(header: #""a b""#) == .given("a b"))
        #expect(IdempotencyKey(header: #""a\"b\\c""#) == .given(#"a"b\c"#))
        for malformed in ["abc", #""abc"#, #"abc""#, #""a"b""#, #""a\x""#, #""""#, #""ü""#, #""a\""#] {
            #expect(IdempotencyKey(header: malformed) == .malformed, "\(malformed)")
        }
    }

    @Test func pagesAreListedAndFiltered() async throws {
        struct Listing: Decodable {
            struct Page: Decodable {
                let title: String
                let databaseId: String
                let versions: Int
                let blocks: [String]?
            }
            let count: Int
            let pages: [Page]
        }
        try await withSimulator { peers in
            let title = "Ärger & Söhne + 1"
            _ = try await peers.createdPage(title: title)
            _ = try await peers.createdPage(database: "db-2")
            func list(_ query: String) async throws -> Listing {
                try await peers.writer("GET", "/simulator/pages" + query).decode()
            }
            #expect(try await list("").count == 2)
            #expect(try await list("?database=db-2").pages.map(\.databaseId) == ["db-2"])
            #expect(try await list("?title=%C3%84rger+%26+S%C3%B6hne+%2B+1").pages.map(\.title) == [title])
            #expect(try await list("?content=false&limit=1").pages.map(\.blocks) == [nil])
            #expect(try await peers.writer("DELETE", "/simulator/pages").status == 200)
            #expect(try await list("").count == 0)
        }
    }

    @Test func pagesCanBeLookedAtAndAreEscaped() async throws {
        try await withSimulator { peers in
            let title = #"<script>alert("x")</script> & 'co'"#
            let created = try await peers.create(title: title, content: "<img src=x onerror=y>", database: "d\"b")
            let id = try #require(created.object()["page_id"] as? String)
            for path in ["/", "/pages/\(id)"] {
                let answer = try await peers.writer("GET", path)
                #expect(answer.status == 200)
                #expect(answer.headers["content-type"] == "text/html; charset=utf-8")
                #expect(!answer.text.contains("<script"))
                #expect(!answer.text.contains("<img"))
                #expect(!answer.text.contains(#"d"b"#))
                #expect(answer.text.contains("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; &#39;co&#39;"))
            }
            #expect(try await peers.writer("GET", "/pages/nothing").status == 404)
        }
    }

    @Test func longTextIsSplitIntoBlocks() {
        let page = NotionPage(
            id: "p",
            databaseID: "d",
            title: "",
            labels: [],
            images: [],
            noteCreatedAt: "",
            appended: [String(repeating: "é", count: 4_500) + "\n\nend"],
            contentBytes: 0,
            created: .now,
            updated: .now
        )
        #expect(page.blocks.map(\.count) == [2_000, 2_000, 500, 3])
    }
}
