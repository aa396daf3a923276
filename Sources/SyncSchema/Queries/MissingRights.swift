internal import Postgres

extension PostgresQuery {
    /// Of some rights, those that the role of the connection lacks.
    ///
    /// Each row: `role`; `what`, a privilege and its column.
    static func missingRights(_ needs: [(privilege: String, table: String, column: String)]) -> PostgresQuery {
        """
        SELECT current_user::text AS role, privilege || ' ' || relation || '.' || field AS what
        FROM unnest(\(needs.map(\.privilege)), \(needs.map(\.table)), \(needs.map(\.column))) AS needed (privilege, relation, field)
        WHERE NOT has_column_privilege(relation, field, privilege)
        """
    }

    /// The same of a role by name.
    ///
    /// One row, if there is such a role: `lacking`, what it lacks, CONNECT included.
    static func missingRights(
        _ needs: [(privilege: String, table: String, column: String)],
        of role: String
    ) -> PostgresQuery {
        """
        SELECT ARRAY(
            SELECT privilege || ' ' || relation || '.' || field
            FROM unnest(\(needs.map(\.privilege)), \(needs.map(\.table)), \(needs.map(\.column))) AS needed (privilege, relation, field)
            WHERE NOT has_column_privilege(r.oid, relation, field, privilege)
            UNION ALL
            SELECT 'CONNECT' WHERE NOT has_database_privilege(r.oid, current_database(), 'CONNECT')) AS lacking
        FROM pg_roles AS r WHERE r.rolname = \(role)
        """
    }
}
