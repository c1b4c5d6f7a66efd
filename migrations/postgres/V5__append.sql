-- Writing a batch is one call of a function: the server keeps the plans of its statements for as long as a connection lives,
-- also behind a pooler, where statements that were prepared by name would not be found again. To plan them anew for every
-- batch took a fifth of its time.

-- Moves an environment on by a batch of changes, if it stands where the batch expects it. Says whether it did; if it did
-- not, the transaction is to be rolled back, since of its writes some may have been made.
CREATE FUNCTION append_batch(
    of_environment text,
    of_epoch uuid,
    from_revision bigint,
    to_revision bigint,
    -- The log.
    revisions bigint[], changed_flags text[], entries jsonb[],
    -- The rows of the state that go, and those that come.
    removed_flags text[],
    put_flags text[], documents jsonb[],
    removed_override_flags text[], removed_levels text[], removed_subjects text[],
    put_override_flags text[], put_levels text[], put_subjects text[], put_variants text[],
    -- The receipts that come; how many of those whose life is over may go, so that nobody waits for it.
    receipt_keys text[], fingerprints bytea[], answers bytea[],
    receipt_life interval, receipts_removed bigint
) RETURNS boolean LANGUAGE plpgsql
-- A plan that is kept has to be right for a table of every size, and tables grow from nothing: none that reads a whole one.
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    removed_flag text;
    gone record;
    kept bigint;
BEGIN
    -- Sent before it is known that its transaction has begun: without one, this alone would be made, and last.
    IF current_setting('flag.is_writing', true) IS DISTINCT FROM 'on' THEN
        RAISE EXCEPTION 'a batch needs a transaction of its own' USING ERRCODE = 'no_active_sql_transaction';
    END IF;
    -- An acknowledged change survives the loss of power, so a server that was told not to wait for its disk is told otherwise;
    -- a stricter setting, such as a wait for a standby, stays.
    IF current_setting('synchronous_commit') = 'off' THEN
        SET LOCAL synchronous_commit = 'on';
    END IF;
    -- Takes the lock of the environment, which is kept until the end of the transaction.
    UPDATE environments SET revision = to_revision
        WHERE name = of_environment AND epoch = of_epoch AND revision = from_revision;
    IF NOT FOUND THEN
        RETURN false;
    END IF;

    INSERT INTO changes (environment, revision, flag, entry)
        SELECT of_environment, * FROM unnest(revisions, changed_flags, entries);

    -- What goes, goes one by one: for several at once the plan may be to read everything and to look for each among them, which
    -- is as good as any while a table is small.
    FOREACH removed_flag IN ARRAY removed_flags LOOP
        -- The overrides by name as well: those of a flag that cannot be read may have lost the row that they hang on.
        DELETE FROM overrides WHERE environment = of_environment AND flag = removed_flag;
        DELETE FROM flags WHERE environment = of_environment AND key = removed_flag;
    END LOOP;
    IF put_flags <> '{}' THEN
        INSERT INTO flags (environment, key, document)
            SELECT of_environment, * FROM unnest(put_flags, documents)
            ON CONFLICT (environment, key) DO UPDATE SET document = excluded.document;
    END IF;
    FOR gone IN
        SELECT * FROM unnest(removed_override_flags, removed_levels, removed_subjects) AS one (flag, level, subject)
    LOOP
        DELETE FROM overrides WHERE environment = of_environment AND flag = gone.flag
            AND level = gone.level AND subject = gone.subject;
    END LOOP;
    IF put_subjects <> '{}' THEN
        INSERT INTO overrides (environment, flag, level, subject, variant)
            SELECT of_environment, * FROM unnest(put_override_flags, put_levels, put_subjects, put_variants)
            ON CONFLICT (environment, flag, level, subject) DO UPDATE SET variant = excluded.variant;
    END IF;

    IF receipt_keys = '{}' THEN
        RETURN true;
    END IF;
    -- One whose time is over makes room for the next of its key.
    INSERT INTO receipts (environment, key, fingerprint, answer)
        SELECT of_environment, * FROM unnest(receipt_keys, fingerprints, answers)
        ON CONFLICT (environment, key) DO UPDATE
            SET fingerprint = excluded.fingerprint, answer = excluded.answer, at = excluded.at
            WHERE receipts.at <= now() - receipt_life;
    GET DIAGNOSTICS kept = ROW_COUNT;
    DELETE FROM receipts WHERE (environment, key) IN (
        SELECT environment, key FROM receipts
            WHERE environment = of_environment AND at <= now() - receipt_life ORDER BY at LIMIT receipts_removed);
    -- The environment also stands as expected where another node has made the same writes just now and they changed nothing.
    RETURN kept = cardinality(receipt_keys);
END
$$;
