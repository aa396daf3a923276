public import Postgres

/// The database role that a program runs under, as `deploy/roles.sql` knows it: what it must be able to do, and what
/// to do where it can't.
public struct DatabaseRole: Sendable {
    /// The variable of `deploy/roles.sql` that names it; `sync_` and this is its name by default.
    let variable: String
    let program: String
    /// Some of the rights without which the program does nothing: privilege, table, column.
    let needs: [(privilege: String, table: String, column: String)]

    public static let worker = DatabaseRole(
        variable: "worker",
        program: "sync-worker",
        needs: [
            ("UPDATE", "sync_jobs", "lease"), ("UPDATE", "sync_queue", "lease"), ("INSERT", "sync_workers", "worker"),
            ("INSERT", "sync_intents", "request"), ("SELECT", "credentials", "notion_api_token"),
            ("SELECT", "credentials", "binding"), ("UPDATE", "sync_gates", "next_at"),
        ]
    )
    public static let sidecar = DatabaseRole(variable: "sidecar", program: "sync-sidecar", needs: reading)
    public static let intake = DatabaseRole(
        variable: "intake",
        program: "sync-intake",
        needs: reading + [
            ("INSERT", "sync_jobs", "user_id"), ("UPDATE", "sync_jobs", "status"), ("INSERT", "sync_logs", "message"),
        ]
    )
    public static let people = DatabaseRole(variable: "operator", program: "syncctl", needs: [])

    /// The roles of programs.
    package static let programs = [worker, sidecar, intake]

    private static let reading = [
        ("SELECT", "sync_jobs", "failed_at"), ("SELECT", "sync_queue", "run_at"), ("SELECT", "sync_workers", "worker"),
        ("SELECT", "sync_metrics", "value"),
    ]

    /// What to do where the role of a connection lacks a right.
    public var rightsAdvice: String {
        "deploy/roles.sql gives the rights that \(program) needs to one role, \(name): run it again after each syncctl migrate, and name "
            + "that role in DATABASE_URL."
    }

    /// What to do where the server refuses a role; nil for any other error.
    public func advice(onRefusal error: PostgresError) -> String? {
        switch error.sqlState {
        case .invalidPassword: "Check user and password in DATABASE_URL."
        case .invalidAuthorization:
            "Check the user in DATABASE_URL. For \(program), deploy/roles.sql creates the role \(name); who may connect from where, and how, "
                + "is in the server's pg_hba.conf."
        default: nil
        }
    }

    private var name: String { "sync_\(variable) or what -v \(variable)=ROLE names" }

    /// - Returns: of the rights that the program needs, those that the role of this connection lacks; nil if it has
    ///   them.
    public func missingRights(on pool: PostgresPool) async throws -> MissingRights? {
        let rows = try await pool.query(.missingRights(needs))
        guard let row = rows.first else { return nil }
        return MissingRights(
            role: try row.decode("role"),
            what: try rows.map { try $0.decode("what") },
            advice: rightsAdvice
        )
    }
}

extension DatabaseRole {
    /// The name that `deploy/roles.sql` gives the role unless told another.
    package var defaultName: String { "sync_\(variable)" }

    /// - Returns: of the rights that the program needs, those that the role with the default name lacks; nil: there is
    ///   no such role, or it has none of them, being that of another database of the server.
    package func missingRightsOfDefaultRole(on pool: PostgresPool) async throws -> [String]? {
        guard let row = try await pool.query(.missingRights(needs, of: defaultName)).first else { return nil }
        let lacking: [String] = try row.decode("lacking")
        return lacking.count { $0 != "CONNECT" } == needs.count ? nil : lacking
    }
}

/// Rights that the role of a program lacks.
public struct MissingRights: Error, CustomStringConvertible {
    let role: String
    let what: [String]
    let advice: String

    public var description: String {
        "The role \(role) of DATABASE_URL may not \(what.joined(separator: ", ")). \(advice)"
    }
}
