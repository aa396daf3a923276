import Foundation
import TestSupport
import Testing

@testable import NoteSync

/// Lists of notes, whole and spoiled, against Foundation's reader of JSON.
@Suite struct NoteListFuzzTests {
    private static let words = [
        "{", "}", "[", "]", ":", ",", "\"", "\\", "\\u0000", "\\ud800", "\\ud83d\\ude00", "null", "true", "-1e999", "0",
        "\"notes\"", "\"id\"", "\"count\"", "\"modified_at\"", "\u{0}", "é", "e\u{301}", "\u{FEFF}", "  \n",
        "2026-01-02T03:04:05", "[[[[[[[[", "{\"a\":", "/*",
    ]
    private static let texts = [
        "", "Title", "Note #7", "a \"quote\" and \\", "zwei\nZeilen", "é", "e\u{301}", "😀", "\u{0}", "]}", "\u{202E}x",
    ]

    private func document(_ random: inout SeededGenerator) throws -> [UInt8] {
        let notes = (0..<Int.random(in: 0...4, using: &random)).map { _ in note(&random) }
        var list: [String: Any] = ["notes": notes]
        if !random.chance(4) { list["count"] = notes.count }
        if random.chance(4) { list["more"] = ["x": [1, "]", NSNull()] as [Any]] }
        var options: JSONSerialization.WritingOptions = [.sortedKeys]
        if random.chance(3) { options.insert(.prettyPrinted) }
        return Array(try JSONSerialization.data(withJSONObject: list, options: options))
    }

    private func note(_ random: inout SeededGenerator) -> [String: Any] {
        var note: [String: Any] = [
            "id": "n\(random.next() % 100)" + random.pick(Self.texts), "title": random.pick(Self.texts),
            "content": random.pick(Self.texts) + random.pick(Self.texts), "created_at": "2026-01-02T03:04:05",
            "modified_at": random.pick(["2026-01-02T03:04:05", "2026-01-02T03:04:05.5+02:00", "soon", ""]),
            "labels": [random.pick(Self.texts)],
            "images": [
                ["id": "i", "filename": "f", "s3_url": random.chance(2) ? NSNull() : "http://x/"] as [String: Any]
            ],
        ]
        if random.chance(5) { note[random.pick(["id", "title", "modified_at", "labels", "images"])] = NSNull() }
        if random.chance(5) {
            note[random.pick(["id", "content", "labels", "images"])] = random.pick([7, true, -0.5] as [Any])
        }
        return note
    }

    private struct Scan: Equatable {
        var notes: [Range<Int>] = []
        var count: Int?
        var failure: NoteListScanner.Failure?
    }

    private func scan(_ bytes: [UInt8], pieces: [Int] = [.max]) -> Scan {
        var scanner = NoteListScanner()
        var result = Scan()
        do throws(NoteListScanner.Failure) {
            var start = 0
            var number = 0
            while start < bytes.count {
                let end = start + min(bytes.count - start, pieces[number % pieces.count])
                number += 1
                let piece = Array(bytes[start..<end])
                let outcome: Result<Void, NoteListScanner.Failure> = piece.withUnsafeBytes { piece in
                    do throws(NoteListScanner.Failure) {
                        return .success(try scanner.feed(piece) { result.notes.append($0) })
                    } catch {
                        return .failure(error)
                    }
                }
                try outcome.get()
                start = end
            }
            try scanner.finish()
        } catch {
            result.failure = error
        }
        result.count = scanner.count
        return result
    }

    @Test func whateverIsSentIsReadTheSameInAnyPieces() throws {
        var accepted = 0
        try fuzz(runs: 4_000) { random, seed in
            var bytes = try document(&random)
            if !random.chance(5) { bytes = random.mutate(bytes, words: Self.words) }
            let whole = scan(bytes)
            let lengths = (0..<7).map { _ in Int.random(in: 1...9, using: &random) }
            let pieces = scan(bytes, pieces: lengths)
            #expect(whole == pieces, "SYNC_FUZZ_SEED=\(seed)")
            compare(whole, bytes, seed)
            if whole.failure == nil {
                accepted += 1
                for (index, range) in whole.notes.enumerated() { check(Array(bytes[range]), index, seed) }
            }
        }
        #expect(accepted > 500, "the lists are too spoiled to test what follows")
    }

    /// What Foundation takes for a list of notes is one here too, with the same notes.
    private func compare(_ scan: Scan, _ bytes: [UInt8], _ seed: UInt64) {
        // Foundation guesses other encodings from zeros and marks; and the keys here are compared as they are written.
        guard bytes.first.map({ $0 < 0x80 && $0 != 0 }) ?? false, bytes.dropFirst().first != 0,
            let object = try? JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any],
            let notes = object["notes"] as? [Any], notes.allSatisfy({ $0 is [String: Any] }),
            Data(bytes).ranges(of: Data("\"notes\"".utf8)).count == 1, !hasTrailingComma(bytes)
        else { return }
        #expect(scan.failure == nil, "SYNC_FUZZ_SEED=\(seed): \(String(decoding: bytes, as: UTF8.self))")
        #expect(scan.notes.count == notes.count, "SYNC_FUZZ_SEED=\(seed)")
        for (range, note) in zip(scan.notes, notes) {
            let read = try? JSONSerialization.jsonObject(with: Data(bytes[range])) as? NSDictionary
            #expect(read == note as? NSDictionary, "SYNC_FUZZ_SEED=\(seed)")
        }
    }

    /// Foundation takes `[1,]`.
    private func hasTrailingComma(_ bytes: [UInt8]) -> Bool {
        let text = Data(bytes.filter { !" \n\r\t".utf8.contains($0) })
        return [",}", ",]"].contains { text.firstRange(of: Data($0.utf8)) != nil }
    }

    /// A note is read as Foundation reads it, or refused with a reason that says where the fault is.
    private func check(_ json: [UInt8], _ index: Int, _ seed: UInt64) {
        do throws(UnusableNote) {
            let note = try KeepNote.decode(Data(json), position: index + 1)
            // Foundation's decoder passes over what is not asked for, even where it is no JSON; of a key that stands
            // there twice each reader takes another value.
            let isSingle = Data(json).ranges(of: Data("\"created_at\"".utf8)).count == 1
            if isSingle, let object = try? JSONSerialization.jsonObject(with: Data(json)) as? [String: Any] {
                let (id, title) = (object["id"] as? String, object["title"] as? String)
                #expect(
                    id?.utf8.elementsEqual(note.id.utf8) == true,
                    "SYNC_FUZZ_SEED=\(seed): \(String(decoding: json, as: UTF8.self))"
                )
                #expect(title?.utf8.elementsEqual(note.title.utf8) == true, "SYNC_FUZZ_SEED=\(seed)")
            }
            #expect(
                (1...255).contains(note.id.unicodeScalars.count) && !note.id.utf8.contains(0),
                "SYNC_FUZZ_SEED=\(seed)"
            )
            _ = ContentHasher.test.hash(note)
        } catch {
            #expect(error.position == index + 1)
            let isNamed = error.reason.hasPrefix("field ") || error.reason == "not valid JSON"
            #expect(isNamed, "SYNC_FUZZ_SEED=\(seed): \(error.reason)")
        }
    }
}
