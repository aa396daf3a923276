import Postgres

extension PostgresQuery {
    /// Of the rights without which a worker does nothing, those that this role lacks.
    ///
    /// Each row: `what`, a privilege and its column.
    static func missingRights() -> PostgresQuery {
        """
        SELECT privilege || ' ' || relation || '.' || field AS what
        FROM (VALUES ('sync_jobs', 'lease', 'UPDATE'), ('sync_queue', 'lease', 'UPDATE'), ('sync_workers', 'worker', 'INSERT'),
            ('sync_intents', 'request', 'INSERT'), ('credentials', 'notion_api_token', 'SELECT')
        ) AS needed (relation, field, privilege)
        WHERE NOT has_column_privilege(relation, field, privilege)
        """
    }
}
