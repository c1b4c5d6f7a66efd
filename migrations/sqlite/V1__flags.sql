-- The log of changes and the state that it leads to. The PostgreSQL twin has the same shape.

-- Where each environment stands. Every commit moves this row, so its lock puts revisions in the order of commits.
CREATE TABLE environments (
    name TEXT NOT NULL PRIMARY KEY,
    -- A random id of this history of revisions: a database that starts anew must not be taken for the old one.
    epoch TEXT NOT NULL CHECK (length(epoch) = 32 AND epoch NOT GLOB '*[^0-9a-f]*'),
    -- The number of the last change; 0 before the first.
    revision INTEGER NOT NULL CHECK (revision >= 0)
) STRICT;

INSERT INTO environments (name, epoch, revision) VALUES ('default', lower(hex(randomblob(16))), 0);

-- The log: what happened, one row for each revision, without gaps.
CREATE TABLE changes (
    environment TEXT NOT NULL REFERENCES environments (name),
    revision INTEGER NOT NULL CHECK (revision > 0),
    -- Not a foreign key: the history of a flag outlives it.
    flag TEXT NOT NULL,
    entry TEXT NOT NULL CHECK (json_valid(entry)),
    PRIMARY KEY (environment, revision)
) STRICT, WITHOUT ROWID;

-- The history of one flag is read without reading everybody's.
CREATE INDEX changes_by_flag ON changes (environment, flag, revision);

-- The log is also the audit trail: what was written stays as it was written.
CREATE TRIGGER changes_are_never_rewritten BEFORE UPDATE ON changes
BEGIN
    SELECT RAISE(ABORT, 'the log is append-only');
END;

CREATE TRIGGER changes_are_never_deleted BEFORE DELETE ON changes
BEGIN
    SELECT RAISE(ABORT, 'the log is append-only');
END;

-- The state, so that nobody has to read the log from its beginning.
CREATE TABLE flags (
    environment TEXT NOT NULL REFERENCES environments (name),
    key TEXT NOT NULL,
    -- Without the overrides, of which there may be a million.
    document TEXT NOT NULL CHECK (json_valid(document)),
    PRIMARY KEY (environment, key)
) STRICT;

-- One row for each pinned subject, so that pinning one more writes one row.
CREATE TABLE overrides (
    environment TEXT NOT NULL,
    flag TEXT NOT NULL,
    level TEXT NOT NULL CHECK (level IN ('user', 'group', 'region')),
    subject TEXT NOT NULL,
    variant TEXT NOT NULL CHECK (variant IN ('on', 'off')),
    PRIMARY KEY (environment, flag, level, subject),
    FOREIGN KEY (environment, flag) REFERENCES flags (environment, key) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
