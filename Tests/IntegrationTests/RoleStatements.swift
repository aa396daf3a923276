/// What a role must be able to do and what it must be refused, statement by statement.
struct RoleStatements {
    let role: String
    let allowed: [String]
    let refused: [String]

    /// The job, the log line and the page that the statements are about.
    static let seed = """
        INSERT INTO sync_jobs (job_id, user_id, status) VALUES
            ('6c3f0f0e-0000-4000-8000-000000000001', 'ada', 'queued'), ('6c3f0f0e-0000-4000-8000-000000000002', 'ada', 'running');
        INSERT INTO sync_logs (job_id, level, message) VALUES ('6c3f0f0e-0000-4000-8000-000000000001', 'INFO', 'A line.');
        INSERT INTO sync_state (user_id, keep_note_id, notion_page_id, keep_modified_at)
        VALUES ('ada', 'note', 'page', '2026-01-02');
        INSERT INTO credentials (user_id, google_oauth_token, notion_api_token, notion_database_id)
        VALUES ('ada', 'g', 'n', 'db');
        """

    static let all = [gateway, admin, worker, sidecar, intake, people]

    /// What no role here may do: become the owner or its like, change what the tables are, or have a say in the queue.
    static let forbidden = [
        "SET ROLE sync_owner",
        "CREATE TABLE mine (id int)",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE TEMPORARY TABLE sync_jobs (id int)",
        "ALTER TABLE sync_jobs ADD COLUMN mine int",
        "ALTER TABLE sync_jobs OWNER TO CURRENT_USER",
        "CREATE TRIGGER mine AFTER INSERT ON sync_jobs EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "DROP TABLE sync_logs",
        "TRUNCATE sync_jobs, sync_logs",
        "TRUNCATE sync_state",
        "UPDATE sync_jobs SET job_id = job_id",
        "UPDATE sync_jobs SET traceparent = NULL",
        "UPDATE sync_logs SET message = 'Another.'",
        "UPDATE credentials SET user_id = 'eve'",
        "INSERT INTO sync_schema_migrations (version, name, checksum) VALUES (99, 'mine', '')",
        "DELETE FROM sync_schema_migrations",
        "SELECT setval('sync_logs_id_seq', 1)",
        "COPY sync_jobs FROM PROGRAM 'true'",
    ]

    private static let publicColumns = [
        "job_id", "user_id", "status", "full_sync", "total_notes", "processed_notes", "failed_notes", "error_message",
        "created_at", "completed_at",
    ]

    /// As SQLAlchemy sends them.
    private static let gateway = RoleStatements(
        role: "sync_gateway",
        allowed: [
            """
            INSERT INTO sync_jobs (job_id, user_id, status, full_sync, total_notes, processed_notes, failed_notes, error_message,
                completed_at)
            VALUES ('6c3f0f0e-0000-4000-8000-000000000009'::UUID, 'ada', 'queued', false, 0, 0, 0, NULL, NULL)
            RETURNING sync_jobs.created_at
            """,
            """
            UPDATE sync_jobs SET status='failed', error_message='The sync service answered 503'
            WHERE sync_jobs.job_id = '6c3f0f0e-0000-4000-8000-000000000001'::UUID
            """,
            """
            UPDATE sync_jobs SET status='failed', error_message='Unreachable', completed_at='2026-01-02T03:04:05'::timestamp
            WHERE sync_jobs.job_id = '6c3f0f0e-0000-4000-8000-000000000002'::UUID
            """,
            """
            SELECT \(publicColumns.map { "sync_jobs.\($0) AS sync_jobs_\($0)" }.joined(separator: ", "))
            FROM sync_jobs WHERE sync_jobs.job_id = '6c3f0f0e-0000-4000-8000-000000000001'::UUID
            """,
            """
            SELECT \(publicColumns.map { "sync_jobs.\($0) AS sync_jobs_\($0)" }.joined(separator: ", "))
            FROM sync_jobs WHERE sync_jobs.user_id = 'ada' ORDER BY sync_jobs.created_at DESC LIMIT 10 OFFSET 0
            """,
            "SELECT count(*) AS count_1 FROM sync_jobs WHERE sync_jobs.user_id = 'ada'",
        ],
        refused: [
            "INSERT INTO sync_jobs (job_id, user_id, status, priority) VALUES (md5('a')::uuid, 'ada', 'queued', -1)",
            "INSERT INTO sync_jobs (job_id, user_id, status, lease) VALUES (md5('a')::uuid, 'ada', 'running', 1)",
            "INSERT INTO sync_jobs (job_id, user_id, status) VALUES (md5('a')::uuid, 'ada', 'running')",
            "UPDATE sync_jobs SET lease = NULL", "UPDATE sync_jobs SET user_id = 'eve'",
            "UPDATE sync_jobs SET run_at = now()",
            "SELECT lease FROM sync_jobs", "SELECT * FROM sync_jobs", "DELETE FROM sync_jobs",
            "SELECT id FROM sync_logs",
            "INSERT INTO sync_logs (job_id, level, message) SELECT job_id, 'INFO', '' FROM sync_jobs",
            "SELECT user_id FROM credentials", "DELETE FROM credentials", "SELECT user_id FROM sync_state",
            "DELETE FROM sync_state", "SELECT worker FROM sync_workers", "SELECT nextval('sync_lease_seq')",
            "SELECT nextval('sync_logs_id_seq')", "SELECT user_id FROM sync_intents", "SELECT key FROM sync_alerts",
            "SELECT version FROM sync_schema_migrations",
        ]
    )

    /// As Django sends them: every column of a row, the key apart, in one UPDATE.
    private static let admin = RoleStatements(
        role: "sync_admin",
        allowed: [
            """
            UPDATE "sync_jobs" SET "user_id" = 'ada', "status" = 'cancelled', "full_sync" = true, "total_notes" = 0,
                "processed_notes" = 0, "failed_notes" = 0, "error_message" = NULL,
                "created_at" = '2026-01-02T03:04:05'::timestamp, "completed_at" = NULL
            WHERE "sync_jobs"."job_id" = '6c3f0f0e-0000-4000-8000-000000000001'::uuid
            """,
            """
            SELECT \(publicColumns.map { "\"sync_jobs\".\"\($0)\"" }.joined(separator: ", "))
            FROM "sync_jobs" ORDER BY "sync_jobs"."created_at" DESC LIMIT 100
            """,
            #"SELECT COUNT(*) AS "__count" FROM "sync_jobs" WHERE "sync_jobs"."status" = 'running'"#,
            """
            SELECT "sync_logs"."id", "sync_logs"."job_id", "sync_logs"."keep_note_id", "sync_logs"."level",
                "sync_logs"."message", "sync_logs"."created_at"
            FROM "sync_logs" WHERE "sync_logs"."job_id" = '6c3f0f0e-0000-4000-8000-000000000001'::uuid
            """,
            """
            SELECT "sync_state"."id", "sync_state"."user_id", "sync_state"."keep_note_id", "sync_state"."notion_page_id",
                "sync_state"."last_synced_at", "sync_state"."keep_modified_at"
            FROM "sync_state" ORDER BY "sync_state"."last_synced_at" DESC LIMIT 100
            """,
            """
            SELECT "credentials"."user_id", "credentials"."google_oauth_token", "credentials"."notion_api_token",
                "credentials"."notion_database_id", "credentials"."updated_at"
            FROM "credentials" WHERE "credentials"."user_id" = 'ada' LIMIT 21 FOR UPDATE
            """,
            """
            UPDATE "credentials" SET "google_oauth_token" = 'g', "notion_api_token" = 'n', "notion_database_id" = 'db',
                "updated_at" = '2026-01-02T03:04:05'::timestamp
            WHERE "credentials"."user_id" = 'ada'
            """,
            """
            INSERT INTO "credentials" ("user_id", "google_oauth_token", "notion_api_token", "notion_database_id", "updated_at")
            VALUES ('bob', 'g', 'n', 'db', '2026-01-02T03:04:05'::timestamp)
            """,
            #"DELETE FROM "credentials" WHERE "credentials"."user_id" IN ('ada')"#,
        ],
        refused: [
            "INSERT INTO sync_jobs (job_id, user_id, status) VALUES (md5('a')::uuid, 'ada', 'queued')",
            "DELETE FROM sync_jobs", "UPDATE sync_jobs SET lease = NULL", "UPDATE sync_jobs SET priority = -1",
            "SELECT * FROM sync_jobs", "DELETE FROM sync_logs", "DELETE FROM sync_state",
            "UPDATE sync_state SET notion_page_id = 'page'", "SELECT content_hash FROM sync_state",
            "UPDATE credentials SET binding = NULL", "UPDATE credentials SET binding_cleared_at = NULL",
            "INSERT INTO credentials VALUES ('bob', 'g', 'n', 'db', now(), 'b')",
            "SELECT user_id FROM sync_intents", "SELECT key FROM sync_alerts", "SELECT nextval('sync_lease_seq')",
        ]
    )

    private static let worker = RoleStatements(
        role: "sync_worker",
        allowed: [
            "SELECT nextval('sync_lease_seq')", "SELECT google_oauth_token FROM credentials WHERE user_id = 'ada'",
            "SELECT * FROM sync_gates_take(ARRAY['notion_writer', 'notion_writer/token/a'], 'notion_writer/token/a', 3, 3, 10, 0, 0, 0, 60, true, 1, 30, 'p1')",
            "SELECT * FROM sync_gate_refuse('notion_writer/token/a', 0, NULL, 60, 'why', 'w1', true, false, NULL)",
            "SELECT * FROM sync_gate_fail('notion_writer', 0, 'a', true, false, false, 3, 1, 15, 2, 'why', 'w1', 'p1', NULL)",
            "SELECT sync_gate_succeed('notion_writer', 0, NULL)",
            "SELECT sync_log_wait('6c3f0f0e-0000-4000-8000-000000000002', 1, 'notion_writer', 'why')",
            "DELETE FROM sync_gates",
            "SELECT key FROM sync_pauses FOR SHARE", "DELETE FROM sync_pauses WHERE paused_until < now()",
            "UPDATE sync_jobs SET last_error = 'why', last_error_at = now()",
            "UPDATE sync_alerts SET kind = 'peer_down'",
            "UPDATE sync_workers SET claims_held_since = now(), claims_failing_since = NULL",
            """
            INSERT INTO sync_stopped_workers AS s (instance, worker, leases) VALUES (md5('a')::uuid, 'w1', '{1}')
            ON CONFLICT (instance) DO UPDATE SET stopped_at = now(), leases = s.leases || excluded.leases
            """,
            "DELETE FROM sync_stopped_workers WHERE stopped_at < now()",
            "WITH met AS (SELECT user_id FROM sync_intents FOR NO KEY UPDATE SKIP LOCKED) UPDATE sync_intents SET was_outage = true",
            "DELETE FROM sync_unknown_outcomes RETURNING operation",
        ],
        refused: [
            "INSERT INTO sync_pauses (scope, reason) VALUES ('all', 'mine')",
            "UPDATE sync_pauses SET paused_until = NULL", "SELECT reason FROM sync_ended_pauses",
            "UPDATE sync_jobs SET is_forced = true",
            "INSERT INTO sync_jobs (job_id, user_id, status) VALUES (md5('a')::uuid, 'ada', 'queued')",
            "UPDATE sync_jobs SET user_id = 'eve'", "UPDATE sync_jobs SET full_sync = true",
            "UPDATE sync_jobs SET max_attempts = 9",
            "INSERT INTO credentials SELECT * FROM credentials", "UPDATE credentials SET notion_api_token = 'n'",
            "UPDATE credentials SET binding = NULL",
            "DELETE FROM credentials", "DELETE FROM sync_state", "UPDATE sync_state SET user_id = 'eve'",
            "SELECT message FROM sync_logs", "SELECT setval('sync_lease_seq', 1)",
            "INSERT INTO sync_alert_silences (key, until) VALUES ('a', now())", "DELETE FROM sync_alert_channels",
            "INSERT INTO sync_jobs (job_id, user_id, status) VALUES (md5('a')::uuid, 'ada', 'queued')",
            "UPDATE sync_queue_walk SET created_at = now()", "UPDATE sync_stopped_workers SET worker = 'w2'",
        ]
    )

    private static let readings = [
        "SELECT job_id, status, worker, last_error, last_error_at FROM sync_jobs",
        "SELECT level, message FROM sync_logs",
        "SELECT worker, slots, running, claims_held_since, claims_failing_since, present_until FROM sync_workers",
        "SELECT worker, stopped_at FROM sync_stopped_workers",
        "SELECT count(*) FROM sync_unknown_writes", "SELECT operation FROM sync_uncounted_outcomes",
        "SELECT kind, count(*), min(first_at) FROM sync_alerts WHERE resolved_at IS NULL GROUP BY kind",
        "SELECT peer, down_since, reason FROM sync_peer_health WHERE checked_at < now()", "SELECT * FROM sync_metrics",
        "SELECT * FROM sync_schema_migrations", "SELECT gate, sync_gate_closed_for(g, now()) FROM sync_gates AS g",
        "SELECT scope, key, reason, paused_by, paused_at, paused_until FROM sync_pauses",
        "SELECT j.run_at, q.gate, q.is_forced FROM sync_jobs AS j JOIN sync_queue AS q ON q.job_id = j.job_id",
    ]

    private static let secrets = [
        "SELECT user_id FROM credentials", "SELECT google_oauth_token FROM credentials",
        "SELECT user_id FROM sync_state",
        "SELECT lease FROM sync_jobs", "SELECT leases FROM sync_stopped_workers",
        "SELECT idempotency_key FROM sync_intents", "SELECT error FROM sync_alerts",
        "SELECT user_id FROM sync_unknown_writes", "SELECT keep_note_id FROM sync_unheard_requests",
        "SELECT user_id FROM sync_abandoned_writes", "DELETE FROM sync_unknown_outcomes",
        "SELECT target FROM sync_alert_channels", "SELECT nextval('sync_lease_seq')",
    ]

    /// It could not write if it tried, so it is asked to in a transaction that may.
    private static let sidecar = RoleStatements(
        role: "sync_sidecar",
        allowed: readings,
        refused: secrets + [
            "INSERT INTO sync_jobs (job_id, user_id, status) VALUES (md5('a')::uuid, 'ada', 'queued')",
            "UPDATE sync_jobs SET status = 'cancelled'", "DELETE FROM sync_jobs", "UPDATE sync_workers SET slots = 0",
            "INSERT INTO sync_logs (job_id, level, message) SELECT job_id, 'INFO', '' FROM sync_jobs",
            "DELETE FROM sync_metrics", "UPDATE sync_gates SET closed_until = now()", "DELETE FROM sync_pauses",
            "SELECT job_id FROM sync_jobs FOR UPDATE", "LOCK TABLE sync_jobs IN SHARE MODE",
        ]
    )

    private static let intake = RoleStatements(
        role: "sync_intake",
        allowed: readings + [
            """
            INSERT INTO sync_jobs (job_id, user_id, status, full_sync, total_notes, processed_notes, failed_notes, error_message,
                completed_at)
            VALUES ('6c3f0f0e-0000-4000-8000-000000000009', 'ada', 'queued', true, 0, 0, 0, NULL, NULL)
            ON CONFLICT (job_id) DO NOTHING
            """,
            """
            WITH cancelled AS (
                UPDATE sync_jobs
                SET status = 'cancelled', error_message = 'Job cancelled by user',
                    completed_at = timezone('utc', clock_timestamp())
                WHERE job_id = '6c3f0f0e-0000-4000-8000-000000000002' AND status NOT IN ('completed', 'failed', 'cancelled')
                RETURNING job_id
            ), logged AS (
                INSERT INTO sync_logs (job_id, level, message)
                SELECT job_id, 'WARNING', 'Sync job cancelled by user' FROM cancelled
            )
            SELECT job_id FROM cancelled
            """,
            "SELECT status FROM sync_jobs WHERE job_id = '6c3f0f0e-0000-4000-8000-000000000001' FOR UPDATE",
        ],
        refused: secrets + [
            "INSERT INTO sync_jobs (job_id, user_id, status, priority) VALUES (md5('a')::uuid, 'ada', 'queued', -1)",
            "UPDATE sync_jobs SET user_id = 'eve'", "UPDATE sync_jobs SET run_at = now()",
            "UPDATE sync_jobs SET lease = NULL",
            "DELETE FROM sync_jobs", "DELETE FROM sync_logs", "UPDATE sync_workers SET slots = 0",
            "DELETE FROM sync_pauses", "INSERT INTO sync_pauses (scope, reason) VALUES ('all', 'mine')",
            "INSERT INTO sync_jobs (job_id, user_id, status, is_forced) VALUES (md5('a')::uuid, 'ada', 'queued', true)",
        ]
    )

    private static let people = RoleStatements(
        role: "sync_operator",
        allowed: readings + [
            "SELECT * FROM sync_jobs", "SELECT * FROM sync_state", "SELECT * FROM sync_intents",
            // `syncctl why` and `user`.
            "SELECT j.xmax, q.xmax, q.lease, q.is_parked FROM sync_jobs AS j JOIN sync_queue AS q ON q.job_id = j.job_id",
            "SELECT transactionid, pid FROM pg_locks", "SELECT instance, first_lease FROM sync_workers",
            // `syncctl jobs --cause`, `notes show`, `workers`, `top`, and `retry` and `cancel` of many.
            "SELECT sync_alert_cause(coalesce(error_message, last_error), user_id) FROM sync_jobs",
            "SELECT id, message FROM sync_logs", "SELECT keep_note_id, sent_at FROM sync_unheard_requests",
            "SELECT notion_page_id, found_at FROM sync_surplus_pages",
            "SELECT lease_expires_at, gate, snoozed_since FROM sync_queue",
            "SELECT FROM sync_jobs WHERE status = 'running' FOR NO KEY UPDATE SKIP LOCKED",
            """
            INSERT INTO sync_logs (job_id, level, message)
            SELECT job_id, 'WARNING', 'Cancelled by an operator.' FROM sync_jobs
            """,
            "SELECT sum(completed + failed) FROM sync_throughput", "SELECT max(created_at) FROM sync_logs",
            "SELECT name, value FROM sync_installation_keys", "SELECT user_id FROM sync_unknown_writes",
            "SELECT user_id, code, error FROM sync_failed_notes",
            // `syncctl doctor`.
            "SELECT * FROM sync_queue_disagreements()", "SELECT channel, disabled_at FROM sync_alert_channels",
            "SELECT channel, state, finished_at FROM sync_alert_deliveries",
            "SELECT sum(numbackends) FROM pg_stat_database",
            "SELECT * FROM sync_alerts", "SELECT * FROM sync_ended_pauses", "SELECT * FROM sync_replaced_credentials",
            "SELECT user_id, notion_database_id, updated_at, binding FROM credentials",
            "UPDATE credentials SET notion_database_id = 'db', binding = '1:b' WHERE user_id = 'ada'",
            "UPDATE sync_jobs SET status = 'cancelled' WHERE job_id = '6c3f0f0e-0000-4000-8000-000000000002'",
            "UPDATE sync_jobs SET status = 'queued', run_at = now() WHERE job_id = '6c3f0f0e-0000-4000-8000-000000000002'",
            "UPDATE sync_jobs SET priority = -1, max_attempts = 9 WHERE job_id = '6c3f0f0e-0000-4000-8000-000000000001'",
            "DELETE FROM sync_logs; DELETE FROM sync_jobs", "DELETE FROM sync_state WHERE user_id = 'ada'",
            "UPDATE sync_intents SET resolution = 'hold' WHERE keep_note_id = 'note'",
            """
            INSERT INTO sync_jobs (job_id, user_id, status, full_sync, priority, run_at, is_forced) VALUES
                ('6c3f0f0e-0000-4000-8000-000000000009', 'ada', 'queued', true, 1, now(), true)
            """,
            "INSERT INTO sync_pauses (scope, key, reason) VALUES ('user', 'ada', 'why')",
            "UPDATE sync_pauses SET paused_until = now() + interval '1 hour', reason = 'why'",
            "DELETE FROM sync_pauses",
            "DELETE FROM credentials WHERE user_id = 'ada'",
            """
            INSERT INTO sync_gates (gate, closed_at, closed_until, reason, closed_by)
            VALUES ('notion_writer', now(), now(), 'why', current_user)
            """,
            "UPDATE sync_gates SET closed_until = now(), throttles = 0",
            """
            INSERT INTO sync_cursors AS c (user_id, keep_modified_at, version) VALUES ('ada', NULL, 1)
            ON CONFLICT (user_id) DO UPDATE SET keep_modified_at = NULL, version = c.version + 1
            """,
        ],
        refused: [
            "SELECT * FROM credentials", "SELECT google_oauth_token FROM credentials",
            "SELECT notion_api_token FROM credentials", "UPDATE credentials SET binding_cleared_at = NULL",
            "UPDATE sync_jobs SET lease = NULL", "UPDATE sync_jobs SET user_id = 'eve'",
            "UPDATE sync_jobs SET worker = 'w'",
            "SELECT nextval('sync_lease_seq')", "DELETE FROM sync_workers", "DELETE FROM sync_alerts",
            "DELETE FROM sync_cursors", "UPDATE sync_alert_channels SET target = ''", "DELETE FROM sync_gates",
            "UPDATE sync_gates SET permits = 0",
        ]
    )
}
