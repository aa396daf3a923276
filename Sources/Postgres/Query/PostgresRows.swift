/// The rows a statement gave, received whole; values are decoded when they are asked for.
public struct PostgresRows: RandomAccessCollection, Sendable {
    let result: PostgresResult

    public var startIndex: Int { 0 }
    public var endIndex: Int { result.rowCount }

    public subscript(position: Int) -> PostgresRow {
        precondition(indices.contains(position), "row \(position) of \(count)")
        return PostgresRow(result: result, index: position)
    }

    /// The number of rows that the statement inserted, updated, deleted or gave.
    public var affectedRows: Int { result.affectedRows }

    /// The names of the columns, in order.
    public var columnNames: [String] { result.columnNames }
}

/// One row of a result.
public struct PostgresRow: Sendable {
    let result: PostgresResult
    let index: Int

    /// The value of a column by its name; of the first, if several have that name.
    ///
    /// Throws a ``PostgresError`` with code `decodingFailed` that names the column, the type asked for and the type
    /// found.
    public func decode<T: PostgresDecodable>(_ column: String, as type: T.Type = T.self) throws -> T {
        guard let position = result.columnNames.firstIndex(of: column) else {
            let names = result.columnNames.joined(separator: ", ")
            throw PostgresError(.decodingFailed, "There is no column \"\(column)\" in the result; it has: \(names)")
        }
        return try decode(at: position, as: type)
    }

    /// The value of a column by its position, from 0. Throws as ``decode(_:as:)``.
    public func decode<T: PostgresDecodable>(at position: Int, as type: T.Type = T.self) throws -> T {
        guard result.columnNames.indices.contains(position) else {
            throw PostgresError(
                .decodingFailed,
                "There is no column at position \(position); the result has \(result.columnNames.count) columns"
            )
        }
        do {
            return try T(postgresValue: result.value(row: index, column: position))
        } catch {
            let reason = (error as? PostgresError)?.message ?? String(describing: error)
            let name = result.columnNames[position]
            throw PostgresError(
                .decodingFailed,
                "Column \"\(name)\" cannot be read as \(T.self): \(reason)",
                cause: error
            )
        }
    }
}
