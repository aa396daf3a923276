-- The pages of the replaced service lie in the one database that it knew of each user. A large table takes minutes, so it is done
-- beside the programs, which understand a row without a database as such a page.

-- STEP
-- By the primary key, ten thousand a transaction. A row that somebody has locked is passed over: a worker writes the database
-- itself.
-- locks: ROW EXCLUSIVE on sync_state
DO $$
DECLARE
    upto bigint;
    last bigint;
BEGIN
    SELECT min(id) - 1, max(id) INTO upto, last FROM sync_state WHERE notion_database_id IS NULL;
    WHILE upto < last LOOP
        UPDATE sync_state AS s SET notion_database_id = left(sync_notion_database(c.notion_database_id), 255)
        FROM credentials AS c
        WHERE c.user_id = s.user_id AND s.id = ANY (ARRAY(
            SELECT id FROM sync_state
            WHERE id > upto AND id <= upto + 10000 AND notion_database_id IS NULL
            FOR NO KEY UPDATE SKIP LOCKED));
        upto := upto + 10000;
        COMMIT;
    END LOOP;
END
$$;
