import Foundation
import Postgres
import TestSupport
import Testing

/// Every type goes to the server and comes back as it was.
@Suite(.database())
struct TypeTests {
    private func roundTrip<T: PostgresEncodable & PostgresDecodable & Equatable>(_ values: T...) async throws {
        let pool = try TestDatabase.current.pool
        for value in values {
            let rows = try await pool.query("SELECT \(value) AS value")
            #expect(try rows[0].decode("value", as: T.self) == value)
            let nothing: T? = nil
            let null = try await pool.query("SELECT \(nothing) AS value")
            #expect(try null[0].decode("value", as: T?.self) == nil)
        }
    }

    @Test func numbers() async throws {
        try await roundTrip(true, false)
        try await roundTrip(Int16.min, 0, Int16.max)
        try await roundTrip(Int32.min, 0, Int32.max)
        try await roundTrip(Int64.min, 0, Int64.max)
        try await roundTrip(Int.min, -1, Int.max)
        try await roundTrip(0.1, -Double.greatestFiniteMagnitude, .infinity, Double.leastNonzeroMagnitude)
    }

    @Test func texts() async throws {
        try await roundTrip(
            "",
            "plain",
            "it's \"quoted\" \\ $1 {a,b} NULL",
            "👩‍👩‍👧 שלום\n\t",
            String(repeating: "é", count: 70_000)
        )
    }

    @Test func identifiersDocumentsAndBytes() async throws {
        try await roundTrip(UUID(), UUID(uuidString: "00000000-0000-0000-0000-000000000000") ?? UUID())
        try await roundTrip([UInt8](), [0, 1, 255], Array(repeating: 0, count: 100_000))
        try await roundTrip(PostgresJSONB(text: #"{"a": [1, null, "x"]}"#), PostgresJSONB(text: "null"))
    }

    @Test func arrays() async throws {
        try await roundTrip([String](), ["a", "", "it's", "\"", "{,}", "NULL", "🙂"])
        try await roundTrip([String?](), [nil], ["a", nil, ""])
        try await roundTrip([Int](), [1, -2, .max])
        try await roundTrip([Int16](), [1, -2])
        try await roundTrip([Int32?](), [nil, 7])
        try await roundTrip([Int64](), [.min])
        try await roundTrip([Bool?](), [true, nil, false])
        try await roundTrip([0.5, -1], [Double]())
        try await roundTrip([UUID(), UUID()])
        try await roundTrip([Date(timeIntervalSince1970: 0.000001), .distantFuture])
        try await roundTrip([UUID?](), [nil, UUID()])
    }

    @Test func datesKeepTheirMicroseconds() async throws {
        for text in [
            "2026-11-23 22:13:14.123457", "1999-12-31 23:59:59.999999", "0001-01-01 00:00:00", "1969-07-20 20:17:40",
        ] {
            let rows = try await TestDatabase.current.pool.query(
                "SELECT \(text)::text::timestamp AS naive, \(text)::text::timestamp AT TIME ZONE 'UTC' AS zoned"
            )
            let naive = try rows[0].decode("naive", as: Date.self)
            let zoned = try rows[0].decode("zoned", as: Date.self)
            #expect(naive == zoned)
            let back = try await TestDatabase.current.pool.query(
                "SELECT to_char(\(zoned) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') AS zoned, to_char(\(PostgresTimestamp(naive)), 'YYYY-MM-DD HH24:MI:SS.US') AS naive"
            )
            let expected = text.contains(".") ? text : text + ".000000"
            #expect(try back[0].decode("zoned", as: String.self) == expected)
            #expect(try back[0].decode("naive", as: String.self) == expected)
        }
    }

    @Test func infiniteAndExtremeDates() async throws {
        try await roundTrip(Date.distantFuture, .distantPast, Date(timeIntervalSince1970: -60_000_000_000))
        let rows = try await TestDatabase.current.pool.query(
            "SELECT 'infinity'::timestamptz AS later, '-infinity'::timestamp AS earlier, \(Date.distantFuture) = 'infinity' AS same"
        )
        #expect(try rows[0].decode("later", as: Date.self) == .distantFuture)
        #expect(try rows[0].decode("earlier", as: Date.self) == .distantPast)
        #expect(try rows[0].decode("same", as: Bool.self))
        await expectPostgresError(.encodingFailed) { try await roundTrip(Date(timeIntervalSinceReferenceDate: .nan)) }
        await expectPostgresError(.encodingFailed) { try await roundTrip(Date(timeIntervalSinceReferenceDate: 1e30)) }
    }

    @Test func relatedColumnTypesAreRead() async throws {
        let rows = try await TestDatabase.current.pool.query(
            """
            SELECT 'v'::varchar(9) AS v, 'b'::char(3) AS b, 'n'::name AS n, 7::int2 AS i2, 8::int4 AS i4, 1.5::float4 AS f4,
                '{"a":1}'::json AS j, ARRAY['x', NULL]::varchar[] AS va, ARRAY[1, 2]::int4[] AS ia
            """
        )
        let row = rows[0]
        #expect(try row.decode("v", as: String.self) == "v")
        #expect(try row.decode("b", as: String.self) == "b  ")
        #expect(try row.decode("n", as: String.self) == "n")
        #expect(try row.decode("i2", as: Int.self) == 7)
        #expect(try row.decode("i4", as: Int.self) == 8)
        #expect(try row.decode("f4", as: Double.self) == 1.5)
        #expect(try row.decode("j", as: PostgresJSONB.self).decode([String: Int].self) == ["a": 1])
        #expect(try row.decode("va", as: [String?].self) == ["x", nil])
        #expect(try row.decode("ia", as: [Int].self) == [1, 2])
        #expect(try row.decode(at: 4, as: Int.self) == 8)
    }

    private enum Mood: String, PostgresScalar {
        case calm, hectic
    }

    @Test func rawRepresentableTypes() async throws {
        try await roundTrip(Mood.calm)
        try await roundTrip([Mood.calm, .hectic])
        let rows = try await TestDatabase.current.pool.query("SELECT 'sad' AS mood")
        #expect(throws: PostgresError.self) { try rows[0].decode("mood", as: Mood.self) }
    }

    @Test func decodingErrorsNameColumnAndTypes() async throws {
        let rows = try await TestDatabase.current.pool.query(
            "SELECT 'x'::text AS title, NULL::int8 AS total, 70000::int4 AS wide, ARRAY[NULL]::text[] AS list, 1.5::numeric AS amount"
        )
        let row = rows[0]
        func message(_ body: () throws -> Void) -> String {
            do {
                try body()
                return "no error"
            } catch {
                return "\(error)"
            }
        }
        #expect(
            message { _ = try row.decode("title", as: Int.self) }
                == "Column \"title\" cannot be read as Int: it is of type text, expected int8, int4, int2"
        )
        #expect(message { _ = try row.decode("total", as: Int.self) }.contains("it is NULL; read it as an Optional"))
        #expect(message { _ = try row.decode("wide", as: Int16.self) }.contains("does not fit into Int16"))
        #expect(message { _ = try row.decode("list", as: [String].self) }.contains("it is NULL"))
        #expect(message { _ = try row.decode("title", as: [String].self) }.contains("expected an array"))
        #expect(message { _ = try row.decode("amount", as: Double.self) }.contains("numeric"))
        #expect(message { _ = try row.decode("titel", as: String.self) }.contains("There is no column \"titel\""))
        #expect(message { _ = try row.decode(at: 9, as: String.self) }.contains("position 9"))
    }
}
