-- Adopted tables count their rows with an int, which a busy installation exhausts within a few years. A small table is rewritten at
-- once. A large one gets a new column, which is filled while the programs go on, and takes the old one's place in a moment. Who waits for
-- the lock of a table in use makes everybody behind it wait too: it is given up after two seconds, and the migration tried again.

-- STEP
-- The new column, and a trigger that fills it for new rows.
-- locks: ACCESS EXCLUSIVE on sync_state, then sync_logs, whose id is an int: while one below 32 MiB is rewritten, else for a moment
DO $$
DECLARE
    counted text;
BEGIN
    FOREACH counted IN ARRAY ARRAY['sync_state', 'sync_logs'] LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM pg_attribute
                                  WHERE attrelid = counted::regclass AND attname = 'id' AND atttypid = 'int'::regtype);
        SET LOCAL lock_timeout = '2s';
        IF pg_relation_size(counted) < 32 * 1024 * 1024 THEN
            EXECUTE format('ALTER TABLE %I ALTER COLUMN id TYPE bigint', counted);
        ELSE
            EXECUTE format('ALTER TABLE %I ADD COLUMN IF NOT EXISTS id_bigint bigint', counted);
            EXECUTE format($f$
                CREATE OR REPLACE FUNCTION %1$I() RETURNS trigger LANGUAGE plpgsql SET search_path = %2$I, pg_temp AS
                'BEGIN NEW.id_bigint := NEW.id; RETURN NEW; END'$f$, counted || '_id_bigint', current_schema());
            EXECUTE format('REVOKE EXECUTE ON FUNCTION %I() FROM PUBLIC', counted || '_id_bigint');
            EXECUTE format('DROP TRIGGER IF EXISTS id_bigint ON %I', counted);
            EXECUTE format('CREATE TRIGGER id_bigint BEFORE INSERT ON %I FOR EACH ROW EXECUTE FUNCTION %I()',
                counted, counted || '_id_bigint');
        END IF;
        COMMIT;
    END LOOP;
END
$$;
-- STEP
-- The rows that were there, by the primary key, ten thousand a transaction.
-- locks: ROW EXCLUSIVE on sync_state, sync_logs, where the new column is
DO $$
DECLARE
    counted text;
    upto bigint;
    last bigint;
BEGIN
    FOREACH counted IN ARRAY ARRAY['sync_state', 'sync_logs'] LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM pg_attribute
                                  WHERE attrelid = counted::regclass AND attname = 'id_bigint' AND NOT attisdropped);
        EXECUTE format('SELECT min(id) - 1, max(id) FROM %I', counted) INTO upto, last;
        WHILE upto < last LOOP
            EXECUTE format('UPDATE %I SET id_bigint = id WHERE id > $1 AND id <= $1 + 10000 AND id_bigint IS NULL', counted)
            USING upto;
            upto := upto + 10000;
            COMMIT;
        END LOOP;
    END LOOP;
END
$$;
-- STEP
-- The check that it is filled, first for new rows, then read beside the programs.
-- locks: ACCESS EXCLUSIVE on sync_state, then sync_logs, for a moment, then SHARE UPDATE EXCLUSIVE; where the new column is
DO $$
DECLARE
    counted text;
BEGIN
    FOREACH counted IN ARRAY ARRAY['sync_state', 'sync_logs'] LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM pg_attribute
                                  WHERE attrelid = counted::regclass AND attname = 'id_bigint' AND NOT attisdropped);
        IF NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = counted::regclass AND conname = 'id_bigint_is_filled') THEN
            SET LOCAL lock_timeout = '2s';
            EXECUTE format('ALTER TABLE %I ADD CONSTRAINT id_bigint_is_filled CHECK (id_bigint IS NOT NULL) NOT VALID', counted);
            COMMIT;
        END IF;
        EXECUTE format('ALTER TABLE %I VALIDATE CONSTRAINT id_bigint_is_filled', counted);
        COMMIT;
    END LOOP;
END
$$;
-- STEP
-- The index of the new primary key.
-- WHERE EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'sync_state'::regclass AND attname = 'id_bigint')
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS sync_state_id_bigint ON sync_state (id_bigint);
-- STEP
-- WHERE EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'sync_logs'::regclass AND attname = 'id_bigint')
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS sync_logs_id_bigint ON sync_logs (id_bigint);
-- STEP
-- The new column takes the place of the old one. Nothing is read: the check says that no value is missing.
-- locks: ACCESS EXCLUSIVE on sync_state, then sync_logs, for a moment, where the new column is
DO $$
DECLARE
    counted text;
    sequence text;
    key name;
BEGIN
    FOREACH counted IN ARRAY ARRAY['sync_state', 'sync_logs'] LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM pg_attribute
                                  WHERE attrelid = counted::regclass AND attname = 'id_bigint' AND NOT attisdropped);
        SET LOCAL lock_timeout = '2s';
        sequence := pg_get_serial_sequence(quote_ident(counted), 'id');
        SELECT conname INTO key FROM pg_constraint WHERE conrelid = counted::regclass AND contype = 'p';
        EXECUTE format('DROP TRIGGER id_bigint ON %I', counted);
        EXECUTE format('ALTER TABLE %I DROP CONSTRAINT %I', counted, key);
        EXECUTE format('ALTER TABLE %I ALTER COLUMN id_bigint SET NOT NULL', counted);
        EXECUTE format('ALTER SEQUENCE %s OWNED BY %I.id_bigint', sequence, counted);
        EXECUTE format('ALTER TABLE %I DROP COLUMN id', counted);
        EXECUTE format('ALTER TABLE %I RENAME COLUMN id_bigint TO id', counted);
        EXECUTE format('ALTER TABLE %I ALTER COLUMN id SET DEFAULT nextval(%L)', counted, sequence);
        EXECUTE format('ALTER TABLE %I ADD CONSTRAINT %I PRIMARY KEY USING INDEX %I', counted, key, counted || '_id_bigint');
        EXECUTE format('ALTER TABLE %I DROP CONSTRAINT id_bigint_is_filled', counted);
        EXECUTE format('DROP FUNCTION %I()', counted || '_id_bigint');
        COMMIT;
    END LOOP;
END
$$;
-- STEP
-- locks: SHARE ROW EXCLUSIVE on the sequences of sync_state, sync_logs, for a moment
DO $$
DECLARE
    counted text;
BEGIN
    SET LOCAL lock_timeout = '2s';
    FOREACH counted IN ARRAY ARRAY['sync_state', 'sync_logs'] LOOP
        EXECUTE format('ALTER SEQUENCE %s AS bigint', pg_get_serial_sequence(quote_ident(counted), 'id'));
    END LOOP;
END
$$;
