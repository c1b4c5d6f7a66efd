-- One log, one state: what happened, and what it has come to. Needs PostgreSQL 13 or newer.
--
-- Names and ids are compared byte by byte, as the engine compares them. COLLATE "C" makes every index agree with that, keeps
-- it valid when the operating system's locale data changes, and lets the state be read in key order without sorting.

-- Where each set of flags stands. The row is the lock of its environment: a writer moves the revision on by compare-and-set,
-- so that revisions are in the order of commits and without gaps.
CREATE TABLE environments (
    name text COLLATE "C" PRIMARY KEY,
    -- The id of one history of revisions. Whoever restores a backup gives it a new one, since the revisions that were lost
    -- are about to be given away a second time; nodes then replace everything that they hold.
    epoch uuid NOT NULL,
    revision bigint NOT NULL CHECK (revision >= 0)
);

INSERT INTO environments (name, epoch, revision) VALUES ('default', gen_random_uuid(), 0);

-- The log: the audit trail, and what nodes catch up from.
CREATE TABLE changes (
    environment text COLLATE "C" NOT NULL REFERENCES environments,
    revision bigint NOT NULL CHECK (revision > 0),
    -- Repeats what the entry says, for the index: the history of one flag.
    flag text COLLATE "C" NOT NULL,
    entry jsonb NOT NULL,
    PRIMARY KEY (environment, revision)
);

CREATE INDEX changes_of_flag ON changes (environment, flag, revision);

-- An audit trail that can be edited proves nothing, and a node that has read an entry never reads it again. The trigger is
-- one per statement, because TRUNCATE has no rows to fire for.
CREATE FUNCTION changes_are_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the log of changes is append-only: % is refused', TG_OP
        USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER changes_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON changes
    FOR EACH STATEMENT EXECUTE FUNCTION changes_are_append_only();

-- The state: every flag as it is now, without its overrides.
CREATE TABLE flags (
    environment text COLLATE "C" NOT NULL REFERENCES environments,
    key text COLLATE "C" NOT NULL,
    document jsonb NOT NULL,
    PRIMARY KEY (environment, key)
);

-- Subjects that are pinned. They have rows of their own because a flag may have a million of them, and one more must not
-- write the others anew.
CREATE TABLE overrides (
    environment text COLLATE "C" NOT NULL,
    flag text COLLATE "C" NOT NULL,
    level text COLLATE "C" NOT NULL CHECK (level IN ('user', 'group', 'region')),
    subject text COLLATE "C" NOT NULL,
    variant text COLLATE "C" NOT NULL CHECK (variant IN ('on', 'off')),
    PRIMARY KEY (environment, flag, level, subject),
    FOREIGN KEY (environment, flag) REFERENCES flags ON DELETE CASCADE
);
