import Postgres
import TestSupport
import Testing

/// The hot statements read the rows they need by index and no others, however much there is and whatever the server
/// knows of it. Not the plan is looked at but what was read: that holds for any way of sending a statement.
@Suite(.timeLimit(.minutes(5)))
struct PlanTests {
    @Test func hotStatementsReadByIndexWhateverTheyWerePreparedOn() async throws {
        try await expectIndexes(on: LargeTables.empty(rows: 1_000_000))
    }

    /// Of tables that are known to be empty, all indexes cost the same.
    @Test func hotStatementsReadByIndexThoughTheTablesWereVacuumedEmpty() async throws {
        let tables = try await LargeTables.empty(rows: 10_000)
        try await tables.database.pool.execute("VACUUM (ANALYZE)")
        try await expectIndexes(on: tables)
    }

    private func expectIndexes(on tables: LargeTables) async throws {
        let statements = HotStatement.all
        // On empty tables, and so often that the server has settled on a plan.
        let early = try await tables.database.connect()
        for statement in statements {
            for _ in 1...8 { try await runOnEmptyTables(statement, on: early) }
        }
        try await tables.fill()
        try await expect(statements, on: early, "prepared on empty tables, never analyzed")
        let late = try await tables.database.connect()
        try await expect(statements, on: late, "never analyzed")
        try await tables.analyze()
        try await expect(statements, on: early, "prepared on empty tables, now analyzed")
        try await expect(statements, on: late, "analyzed")
        await early.close()
        await late.close()
        await tables.database.pool.shutdown()
        try await tables.database.drop()
    }

    private func expect(_ statements: [HotStatement], on connection: PostgresConnection, _ when: String) async throws {
        for statement in statements {
            let reads = try await ReadCounts.of(connection) { _ = try await connection.batch(statement.batch) }
            #expect(
                Set(reads.tableScans.keys).isSubset(of: statement.scanned),
                "\(statement), \(when), scans a table. \(reads)"
            )
            #expect(
                statement.indexes.isSubset(of: reads.indexScans.keys),
                "\(statement), \(when), does not use \(statement.indexes). \(reads)"
            )
            #expect(
                reads.indexEntries <= statement.mostEntries,
                "\(statement), \(when), reads too much. \(reads)"
            )
        }
    }

    private func runOnEmptyTables(_ statement: HotStatement, on connection: PostgresConnection) async throws {
        try await connection.execute("BEGIN")
        do {
            _ = try await connection.batch(statement.batch)
        } catch let error as PostgresError where error.sqlState?.rawValue == "SY001" {
            // There is no job yet whose progress could be written.
        }
        try await connection.execute("ROLLBACK")
    }
}
