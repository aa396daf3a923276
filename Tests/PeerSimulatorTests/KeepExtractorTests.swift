import Foundation
import TestSupport
import Testing

@testable import PeerSimulator

@Suite(.timeLimit(.minutes(1)))
struct KeepExtractorTests {
    @Test func healthIsHealthy() async throws {
        try await withSimulator { peers in
            let answer = try await peers.keep("GET", "/health")
            #expect(answer.status == 200)
            #expect(try answer.object()["status"] as? String == "healthy")
        }
    }

    @Test func authenticationAnswersEachWay() async throws {
        try await withSimulator { peers in
            let good = try await peers.authenticate()
            #expect(good.status == 200)
            #expect(good.text == #"{"error":null,"master_token":"aas_et/good","status":"authenticated"}"#)
            let wrong = try await peers.authenticate(token: "bad-token")
            #expect(wrong.status == 200)
            #expect(try wrong.object()["status"] as? String == "failed")
            #expect(try wrong.object()["error"] as? String == "Invalid master token")
            for body in [#"{"username":"ada"}"#, #"{"master_token":"x"}"#, "no json"] {
                let missing = try await peers.keep("POST", "/internal/keep/auth", body: body)
                #expect(missing.status == 400)
                #expect(missing.detail != nil)
            }
        }
    }

    @Test func onlyListedMasterTokensAreValid() async throws {
        let configuration = SimulatorConfiguration(
            notes: .synthetic(count: 1, noteBytes: 1),
            masterTokens: ["only-this"]
        )
        try await withSimulator(configuration) { peers in
            let other = try await peers.authenticate(token: "other").object()
            #expect(other["status"] as? String == "failed")
            let listed = try await peers.authenticate(token: "only-this").object()
            #expect(listed["status"] as? String == "authenticated")
        }
    }

    @Test func notesNeedASessionThatDiesWithTheProcess() async throws {
        try await withSimulator { peers in
            #expect(try await peers.notes().status == 401)
            _ = try await peers.authenticate()
            #expect(try await peers.notes().status == 200)
            #expect(try await peers.keep("GET", "/internal/keep/notes?username=bob").status == 401)
            #expect(try await peers.keep("POST", "/simulator/sessions/forget").text == #"{"forgotten":1}"#)
            #expect(try await peers.notes().status == 401)
        }
    }

    @Test func noteFieldsAndTimestamps() async throws {
        try await withSimulator { peers in
            _ = try await peers.authenticate()
            let sent = try await peers.notes("&upload_images=true").decode(SentNotes.self)
            #expect(sent.count == 40)
            #expect(sent.notes.count == 40)
            let fraction = #/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?/#
            #expect(sent.notes.allSatisfy { $0.modifiedAt.wholeMatch(of: fraction) != nil })
            #expect(sent.notes.contains { !$0.modifiedAt.contains(".") })
            #expect(sent.notes.contains { $0.modifiedAt.contains(".") })
            let first = try #require(sent.notes.first { $0.id == "synthetic.00000008" })
            #expect(first.createdAt == "2024-01-01T00:08:00")
            #expect(first.modifiedAt == "2024-01-01T00:08:30")
            #expect(first.content.utf8.count >= 80)
        }
    }

    @Test func modifiedSinceIsInclusiveAndNaive() async throws {
        try await withSimulator { peers in
            _ = try await peers.authenticate()
            let since = try await peers.notes("&modified_since=2024-01-01T00:08:30").decode(SentNotes.self)
            #expect(since.count == 33)
            #expect(since.notes.contains { $0.id == "synthetic.00000008" })
            for aware in ["2024-01-01T00:08:30Z", "2024-01-01T00:08:30%2B00:00"] {
                let answer = try await peers.notes("&modified_since=" + aware)
                #expect(answer.status == 500)
                let reason = "Failed to extract notes: can't compare offset-naive and offset-aware datetimes"
                #expect(answer.detail == reason)
            }
            for wrong in ["2024-01-01T00:08:30+00:00", "yesterday", "2024-02-30T00:00:00"] {
                #expect(try await peers.notes("&modified_since=" + wrong).status == 400)
            }
        }
    }

    @Test func newerExtractorsWantAnOffset() async throws {
        var configuration = SimulatorConfiguration(notes: .synthetic(count: 10, noteBytes: 10))
        configuration.settings.timestamps = .offset
        try await withSimulator(configuration) { peers in
            _ = try await peers.authenticate()
            let sent = try await peers.notes("&modified_since=2024-01-01T01:08:30%2B01:00").decode(SentNotes.self)
            #expect(sent.count == 3)
            #expect(sent.notes.allSatisfy { $0.modifiedAt.hasSuffix("+00:00") })
            #expect(try await peers.notes("&modified_since=2024-01-01T00:08:30").status == 500)
        }
    }

    @Test func limitCutsAnUnorderedList() async throws {
        try await withSimulator { peers in
            _ = try await peers.authenticate()
            let first = try await peers.notes().decode(SentNotes.self).notes.map(\.id)
            let second = try await peers.notes().decode(SentNotes.self).notes.map(\.id)
            #expect(first != second)
            #expect(Set(first) == Set(second))
            let limited = try await peers.notes("&limit=7").decode(SentNotes.self)
            #expect(limited.count == 7)
            #expect(try await peers.notes("&limit=many").status == 422)
        }
    }

    @Test func untitledNotesAreNumberedByPosition() async throws {
        try await withSimulator { peers in
            _ = try await peers.authenticate()
            var titles: Set<String> = []
            for _ in 0..<5 {
                let notes = try await peers.notes().decode(SentNotes.self).notes
                let index = try #require(notes.firstIndex { $0.id == "synthetic.00000019" })
                #expect(notes[index].title == "Note #\(index + 1)")
                titles.insert(notes[index].title)
            }
            #expect(titles.count > 1)
        }
    }

    @Test func imageAddressesAreNewEveryTimeAndLostOnesNull() async throws {
        let configuration = SimulatorConfiguration(notes: .synthetic(count: 100, noteBytes: 10))
        try await withSimulator(configuration) { peers in
            _ = try await peers.authenticate()
            let images = try await peers.notes().decode(SentNotes.self).notes.flatMap(\.images)
            let again = try await peers.notes().decode(SentNotes.self).notes.flatMap(\.images)
            #expect(images.count == 6)
            #expect(Set(images.compactMap(\.s3Url)).isDisjoint(with: again.compactMap(\.s3Url)))
            let lost = images.filter { $0.s3Url == nil }
            #expect(lost.map(\.filename) == ["lost-100.jpg"])
            #expect(lost.first?.error != nil)
        }
    }

    @Test func editsShowAfterTheNextAuthentication() async throws {
        try await withSimulator { peers in
            _ = try await peers.authenticate()
            let touched = try await peers.keep("POST", "/simulator/notes/touch?count=3").object()
            let ids = try #require(touched["ids"] as? [String])
            #expect(ids.count == 3)
            let since = "&modified_since=2025-01-01T00:00:00"
            #expect(try await peers.notes(since).decode(SentNotes.self).count == 0)
            _ = try await peers.authenticate()
            let fresh = try await peers.notes(since).decode(SentNotes.self)
            #expect(Set(fresh.notes.map(\.id)) == Set(ids))
            #expect(Set(fresh.notes.map(\.modifiedAt)).count == 3)
        }
    }

    @Test func notesCanBeEditedCreatedAndTrashed() async throws {
        try await withSimulator { peers in
            let path = "/simulator/notes/synthetic.00000001"
            let edit = try await peers.keep("PUT", path, body: #"{"title":"New","text":"Words"}"#)
            #expect(edit.status == 200)
            let made = try await peers.keep("POST", "/simulator/notes", body: #"{"title":"Born","text":"Today"}"#)
            #expect(made.status == 201)
            #expect(try await peers.keep("DELETE", "/simulator/notes/synthetic.00000002").status == 200)
            #expect(try await peers.keep("DELETE", "/simulator/notes/nothing").status == 404)
            _ = try await peers.authenticate()
            let notes = try await peers.notes().decode(SentNotes.self).notes
            #expect(notes.count == 40)
            #expect(notes.contains { $0.title == "New" && $0.content == "Words" })
            #expect(notes.contains { $0.title == "Born" })
            #expect(!notes.contains { $0.id == "synthetic.00000002" })
        }
    }

    @Test(arguments: [true, false]) func oneRequestAtATimeUnlessSwitchedOff(_ serialised: Bool) async throws {
        try await withSimulator { peers in
            _ = try await peers.keep("PUT", "/simulator/settings", body: #"{"serialised":\#(serialised)}"#)
            try await peers.setFaults(#"[{"operation":"auth","fault":{"kind":"latency","ms":800}}]"#)
            async let slow = peers.authenticate()
            // The slow call is under way once its rule has been counted.
            while peers.simulator.faults.report[0].matched == 0 { await Task.yield() }
            #expect(try await peers.keep("GET", "/health").status == 200)
            let slowIsDone = peers.simulator.noteLibrary.fetch(username: "ada", modifiedSince: nil, limit: nil) != nil
            #expect(slowIsDone == serialised)
            _ = try await slow
        }
    }

    @Test func manyNotesAreStreamed() async throws {
        let configuration = SimulatorConfiguration(notes: .synthetic(count: 20_000, noteBytes: 200))
        try await withSimulator(configuration) { peers in
            _ = try await peers.authenticate()
            let answer = try await peers.notes()
            #expect(answer.headers["transfer-encoding"] == "chunked")
            #expect(answer.ending == .complete)
            #expect(try answer.decode(SentNotes.self).notes.count == 20_000)
        }
    }
}
