import CLibPQ

/// The owner of one libpq result, freed when the last reference to it goes.
final class PostgresResult: Sendable {
    // A result never changes once it has been received, so any thread may read it.
    nonisolated(unsafe) let pointer: OpaquePointer
    let columnNames: [String]
    private let columnTypes: [PostgresType]

    init(taking pointer: OpaquePointer) {
        self.pointer = pointer
        let columns = 0..<PQnfields(pointer)
        columnNames = columns.map { column in
            // The columns of a COPY have no names.
            PQfname(pointer, column).map { String(cString: $0) } ?? ""
        }
        columnTypes = columns.map { PostgresType(rawValue: PQftype(pointer, $0)) }
    }

    deinit {
        PQclear(pointer)
    }

    var status: ExecStatusType { PQresultStatus(pointer) }

    var rowCount: Int { Int(PQntuples(pointer)) }

    /// The rows that an INSERT, UPDATE, DELETE, MERGE, SELECT or the like touched or gave.
    var affectedRows: Int { Int(String(cString: PQcmdTuples(pointer))) ?? 0 }

    /// The tag of the command that was run, such as `COMMIT` or `INSERT 0 1`.
    var commandTag: String { String(cString: PQcmdStatus(pointer)) }

    func value(row: Int, column: Int) -> PostgresValue {
        let (row, column) = (Int32(row), Int32(column))
        var bytes: UnsafeRawBufferPointer?
        if PQgetisnull(pointer, row, column) == 0 {
            bytes = UnsafeRawBufferPointer(
                start: PQgetvalue(pointer, row, column),
                count: Int(PQgetlength(pointer, row, column))
            )
        }
        return PostgresValue(type: columnTypes[Int(column)], bytes: bytes, owner: self)
    }
}
