import Foundation
import Testing

@testable import SyncControl

@Suite("What people and programs give in")
struct InputTests {
    @Test(
        "Times are ISO 8601, in UTC if they have no offset",
        arguments: [
            ("2026-01-02T03:04:05Z", 1_767_323_045.0), ("2026-01-02T03:04:05", 1_767_323_045),
            ("2026-01-02 03:04:05.25", 1_767_323_045.25), ("2026-01-02T03:04", 1_767_323_040),
            ("2026-01-02", 1_767_312_000), ("2026-01-02T03:04:05+02:00", 1_767_315_845),
            ("2026-01-02T03:04:05-0530", 1_767_342_845), ("2026-01-02T03:04:05+02", 1_767_315_845),
        ]
    )
    func times(text: String, seconds: Double) {
        #expect(DueTime(text) == .at(Date(timeIntervalSince1970: seconds)))
    }

    @Test(
        "Times from now",
        arguments: [("+10m", Duration.seconds(600)), ("+90s", .seconds(90)), ("+2h", .seconds(7200))]
    )
    func relativeTimes(text: String, duration: Duration) {
        #expect(DueTime(text) == .after(duration))
    }

    @Test(
        "What is no time",
        arguments: [
            "", "+", "10m", "+10x", "tomorrow", "2026-02-30", "2026-13-01", "2026-01-02T25:00",
            "2026-01-02T03:04:05+99:00",
            "2026-1-2", "2026-01-02T03", "12:00",
        ]
    )
    func noTimes(text: String) {
        #expect(DueTime(text) == nil)
    }

    @Test(
        "Tokens come on two lines or as JSON",
        arguments: [
            ("g\nn", nil), ("g\nn\n", nil), ("  g \r\n n\r\n\n", nil),
            (#"{"google_oauth_token":"g","notion_api_token":"n","notion_database_id":"d"}"#, "d"),
            ("\n {\"google_oauth_token\":\" g\",\"notion_api_token\":\"n\"}\n", nil),
        ] as [(String, String?)]
    )
    func tokens(text: String, database: String?) throws {
        let expected = TokenInput(googleToken: "g", notionToken: "n", databaseID: database)
        #expect(try TokenInput(parsing: text) == expected)
    }

    @Test(
        "What holds no two tokens is refused without being quoted",
        arguments: [
            "", "sesame\n", "\nsesame", "sesame\n  \n", "a\nb\nsesame", "{sesame", #"{"google_oauth_token":"sesame"}"#,
            #"{"google_oauth_token":"sesame","notion_api_token":""}"#,
            #"{"google_oauth_token":"sesame","notion_api_token":5}"#,
        ]
    )
    func noTokens(text: String) throws {
        let error = try #require(throws: SyncControlError.self) { try TokenInput(parsing: text) }
        #expect(error.code == .unusableInput)
        #expect(!error.message.contains("sesame"))
    }
}

@Suite("Texts of values")
struct OutputTests {
    @Test("JSON has sorted keys, nulls and times in UTC")
    func json() throws {
        let value: JSONValue = [
            "b": .time(Date(timeIntervalSince1970: 1_767_323_045.678)), "a": .string(nil),
            "c": .array([.int(1), .bool(true)]),
            "d": "x/y",
        ]
        #expect(try value.text() == #"{"a":null,"b":"2026-01-02T03:04:05.678Z","c":[1,true],"d":"x/y"}"#)
    }

    @Test("Times and durations are short")
    func times() {
        let date = Date(timeIntervalSince1970: 1_767_323_045)
        #expect(TimeText.full(date) == "2026-01-02 03:04:05 UTC")
        #expect(TimeText.short(date, near: date) == "03:04:05")
        #expect(TimeText.short(date, near: date.addingTimeInterval(86_400)) == "01-02 03:04:05")
        #expect(
            [5, 119, 120, 7200, 172_800].map { TimeText.rough(.seconds($0)) } == [
                "5 s", "119 s", "2 min", "2 h", "2 d",
            ]
        )
        #expect([7, 754, 3723].map { TimeText.clock(.seconds($0)) } == ["0:07", "12:34", "1:02:03"])
    }
}
