import JobQueue
import Postgres
import TestSupport
import Testing

@testable import PeerSimulator

/// No token and no word of a note in logs, errors or tables, whatever the peers quote.
@Suite(.timeLimit(.minutes(5)))
struct SecrecyTests {
    private static let words = [
        SyncInstallation.googleToken, SyncInstallation.notionToken, "Diary of Ada", "met Charles at the ball",
    ]
    /// None of them can stand in an identifier, a hash or a time by chance.
    private static let pieces = [
        "Today I", "Charles", "met Cha", "rles", "Secret love", "portrait-of", "DE89", "naïve", "PIN", "Bank",
        "47110815", "RGllIFBJTiBkZXIgQmFuaw", "example.org",
    ]
    private static var quoting: String { "request was: " + words.joined(separator: " | ") + " \u{0}\n\u{1B}[31m" }
    /// The text of an exception over notes, as the extractor passes it on.
    private static let exception = "could not encode Die PIN der Bank ist 47110815, which ada@example.org wrote"

    /// All that was logged, and every text in the tables but the credentials.
    private static func everything(_ sync: SyncInstallation) async throws -> String {
        let rows = try await sync.pool.query(
            """
            SELECT j::text AS line FROM sync_jobs AS j UNION ALL SELECT l::text FROM sync_logs AS l
            UNION ALL SELECT s::text FROM sync_state AS s UNION ALL SELECT f::text FROM sync_failed_notes AS f
            UNION ALL SELECT i::text FROM sync_intents AS i UNION ALL SELECT c::text FROM sync_cursors AS c
            UNION ALL SELECT p::text FROM sync_surplus_pages AS p UNION ALL SELECT u::text FROM sync_unheard_requests AS u
            """
        )
        let tables = try rows.map { try $0.decode("line", as: String.self) }
        return (tables + sync.log.lines + sync.alerts.lines).joined(separator: "\n")
    }

    @Test(arguments: [
        FaultRule.strike(.auth, .authFailed(error: quoting)),
        .strike(.auth, .message(quoting)),
        .strike(.auth, .body(code: 200, text: quoting)),
        .strike(.notes, .message(quoting)),
        .strike(.notes, .message(exception)),
        .strike(.auth, .message(exception)),
        .strike(.auth, .authFailed(error: exception)),
        .strike(.notes, .status(code: 400, detail: .string(exception), headers: [:])),
        .strike(.notes, .body(code: 200, text: #"{"notes":["\#(words[2])"]}"#)),
        .strike(.create, .message("API token is invalid. " + quoting)),
        .strike(.create, .message("body failed validation " + quoting)),
        .strike(.create, .message("body failed validation: " + quoting)),
        .strike(.create, .message(quoting)),
        .strike(.create, .message("IBAN DE89 | 47110815 | naïve")),
        .strike(.create, .message("Die&nbsp;PIN der+Bank RGllIFBJTiBkZXIgQmFuaw==")),
        .strike(.create, .message("Today I | met Cha | rles at | the bal")),
        .strike(.create, .body(code: 500, text: quoting)),
        .strike(.create, .body(code: 201, text: quoting)),
        .strike(.create, .quote("body failed validation: instead was {beginning}")),
        .strike(.create, .quote("{label} is not a property that exists.")),
        .strike(.create, .quote("Could not find database with ID {label} {title}")),
        .strike(.create, .quote("API token is invalid. {filename} {label}")),
        .strike(.create, .quote("something: {content}")),
    ])
    func nothingLeaks(_ rule: FaultRule) async throws {
        try await withInstallation { sync in
            sync.note(
                "n1",
                title: Self.words[2],
                text: "Today I " + Self.words[3] + " and danced until the morning came.\n" + Self.words[3],
                labels: ["Secret love", "DE89", "naïve", "PIN der Bank 47110815"],
                images: [KeepImage(id: "i", filename: "portrait-of-charles.jpg", loss: nil)]
            )
            sync.faults(rule)
            let job = try await sync.sync()
            #expect(job.status != .completed || job.failedNotes == 1)
            let everything = try await Self.everything(sync)
            for word in Self.words + Self.pieces {
                #expect(!everything.contains(word), "\(word) in: \(everything)")
            }
            #expect(!everything.contains("\u{1B}"))
        }
    }

    @Test func aSyncThatWorksTellsNoWordOfTheNotes() async throws {
        try await withInstallation { sync in
            sync.note("n1", title: Self.words[2], text: Self.words[3], labels: ["label of Ada"])
            try await sync.sync()
            sync.edit("n1", text: Self.words[3] + " again")
            let job = try await sync.sync()
            #expect(job.processedNotes == 1)
            let everything = try await Self.everything(sync)
            for word in Self.words + ["label of Ada"] { #expect(!everything.contains(word)) }
            #expect(try await sync.lines("INFO", of: job).count >= 4, "opening, login, fetch, the note, the end")
        }
    }

    @Test func theTokensAreNotStoredAsTheyAre() async throws {
        try await withInstallation { sync in
            let row = try #require(
                try await sync.pool.query("SELECT google_oauth_token, notion_api_token FROM credentials").first
            )
            for column in ["google_oauth_token", "notion_api_token"] {
                let stored: String = try row.decode(column)
                #expect(stored.hasPrefix("Z0FBQUFB"), "base64 of gAAAAA, with which every Fernet token begins")
            }
        }
    }
}
