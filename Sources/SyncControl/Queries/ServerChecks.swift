import Postgres

// What `syncctl doctor` asks of the server: catalogs, settings and statistics, which any role may read unless said.

extension PostgresQuery {
    /// The server, as the session is on it. Reads no table of the service.
    ///
    /// One row: `version`, `name` (of the database), `role`, `is_standby`, `size` (bytes of the database; NULL without
    /// CONNECT), `clock` (the server's time).
    static func serverIdentity() -> PostgresQuery {
        """
        SELECT current_setting('server_version') AS version, current_database()::text AS name, current_user::text AS role,
            pg_is_in_recovery() AS is_standby,
            CASE WHEN has_database_privilege(current_database(), 'CONNECT') THEN pg_database_size(current_database()) END AS size
        """
    }

    /// Connections there are and may be. `pg_stat_database` counts the sessions of all roles, which
    /// `pg_stat_activity` shows to few. `pg_database` and `pg_roles` by name.
    ///
    /// One row: `used`, `most` (without those that are reserved), `used_here`, `most_here` (of this database; NULL: no
    /// limit).
    static func connections() -> PostgresQuery {
        """
        SELECT sum(numbackends)::bigint AS used,
            current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS most,
            (sum(numbackends) FILTER (WHERE datname = current_database()))::bigint AS used_here,
            (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database()) AS most_here
        FROM pg_stat_database
        """
    }

    /// What holds vacuum back most: the session or prepared transaction with the oldest snapshot, or the slot of a
    /// standby. Of other roles' sessions a member of `pg_read_all_stats` alone sees that.
    ///
    /// A row, if there is one: `pid` (NULL: a prepared transaction or a slot), `who`, `application`, `state`, `since`,
    /// `xids` (transactions since); `sees_all` in any case.
    static func oldestTransaction() -> PostgresQuery {
        """
        SELECT o.pid, o.who, o.application, o.state, o.since, o.xids,
            pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS sees_all
        FROM (SELECT) AS one LEFT JOIN LATERAL (
            SELECT pid, usename::text AS who, application_name AS application, state, xact_start AS since, age(backend_xmin) AS xids
            FROM pg_stat_activity
            WHERE backend_xmin IS NOT NULL AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
            UNION ALL
            SELECT NULL, owner::text, 'prepared transaction ' || quote_literal(gid), 'prepared', prepared, age(transaction)
            FROM pg_prepared_xacts
            UNION ALL
            SELECT active_pid, 'replication', 'slot ' || slot_name, CASE WHEN active THEN 'active' ELSE 'inactive' END, NULL, age(xmin)
            FROM pg_replication_slots WHERE xmin IS NOT NULL
            ORDER BY xids DESC LIMIT 1
        ) AS o ON true
        """
    }

    /// Sessions that keep writers or everybody out of one of the service's tables, for some seconds as far as is known.
    /// When their transaction began a member of `pg_read_all_stats` alone sees of other roles' sessions.
    ///
    /// Each row: `pid` (NULL: a prepared transaction), `who`, `application`, `state`, `since`, `tables`.
    static func tableLocks() -> PostgresQuery {
        """
        SELECT l.pid, coalesce(a.usename::text, '') AS who, coalesce(a.application_name, '') AS application,
            coalesce(a.state, 'unknown') AS state, a.xact_start AS since,
            string_agg(DISTINCT c.relname::text, ', ') AS tables
        FROM pg_locks AS l JOIN pg_class AS c ON c.oid = l.relation
        LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid
        WHERE l.locktype = 'relation' AND l.granted AND l.pid IS DISTINCT FROM pg_backend_pid()
            AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
            AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('sync_jobs'))
            AND (c.relname LIKE 'sync\\_%' OR c.relname = 'credentials')
            AND coalesce(a.xact_start < clock_timestamp() - interval '2 seconds', true)
        GROUP BY l.pid, a.usename, a.application_name, a.state, a.xact_start ORDER BY a.xact_start
        LIMIT 10
        """
    }

    /// Indexes of the service's tables that are not valid, as a CREATE INDEX CONCURRENTLY that failed leaves them, but
    /// for those that are being built. By `pg_index_indrelid_index`.
    ///
    /// Each row: `name`, with its schema.
    static func invalidIndexes() -> PostgresQuery {
        """
        SELECT format('%I.%I', n.nspname, c.relname) AS name
        FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
        JOIN pg_class AS t ON t.oid = i.indrelid
        WHERE NOT i.indisvalid AND n.oid = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('sync_jobs'))
            AND (t.relname LIKE 'sync\\_%' OR t.relname = 'credentials')
            AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index AS p WHERE p.index_relid = i.indexrelid)
        ORDER BY 1
        """
    }

    /// Tables of the queue on which autovacuum is off, or far behind: five times as many dead rows as it would begin at,
    /// and more than ten thousand.
    ///
    /// Each row: `name`, `is_off`, `dead`, `last_at`.
    static func neglectedTables() -> PostgresQuery {
        """
        SELECT s.relname::text AS name, current_setting('autovacuum') = 'off' OR o.is_off AS is_off, s.n_dead_tup AS dead,
            greatest(s.last_autovacuum, s.last_vacuum) AS last_at
        FROM pg_stat_user_tables AS s JOIN pg_class AS c ON c.oid = s.relid
        CROSS JOIN LATERAL (
            SELECT coalesce(bool_or(option_name = 'autovacuum_enabled' AND option_value IN ('off', 'false', 'no', '0')), false) AS is_off,
                coalesce(max(option_value::float8) FILTER (WHERE option_name = 'autovacuum_vacuum_threshold'),
                    current_setting('autovacuum_vacuum_threshold')::float8) AS threshold,
                coalesce(max(option_value::float8) FILTER (WHERE option_name = 'autovacuum_vacuum_scale_factor'),
                    current_setting('autovacuum_vacuum_scale_factor')::float8) AS scale
            FROM pg_options_to_table(c.reloptions)
            WHERE option_name IN ('autovacuum_enabled', 'autovacuum_vacuum_threshold', 'autovacuum_vacuum_scale_factor')
        ) AS o
        WHERE c.oid = ANY (ARRAY[to_regclass('sync_jobs'), to_regclass('sync_queue'), to_regclass('sync_workers'),
                to_regclass('sync_gates'), to_regclass('sync_intents')]::oid[])
            AND (current_setting('autovacuum') = 'off' OR o.is_off
                OR s.n_dead_tup > greatest(10000, 5 * (o.threshold + o.scale * s.n_live_tup)))
        ORDER BY 1
        """
    }

    /// What everybody may do here who may connect, beyond what `deploy/roles.sql` leaves to PUBLIC.
    ///
    /// One row: `creates` in the schema of the tables, `connects`, `makes_temporary`.
    static func publicRights() -> PostgresQuery {
        """
        SELECT has_schema_privilege('public', c.relnamespace, 'CREATE') AS creates,
            has_database_privilege('public', current_database(), 'CONNECT') AS connects,
            has_database_privilege('public', current_database(), 'TEMPORARY') AS makes_temporary
        FROM pg_class AS c WHERE c.oid = to_regclass('sync_jobs')
        """
    }
}
