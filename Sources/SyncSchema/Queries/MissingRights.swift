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
}
