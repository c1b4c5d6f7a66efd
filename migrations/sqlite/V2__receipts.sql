-- Receipts: what is kept of writes that bore a key, so that whoever lost the answer can ask again without writing again.
CREATE TABLE receipts (
    environment TEXT NOT NULL REFERENCES environments (name),
    -- The name that the client gave the write.
    key TEXT NOT NULL,
    -- A digest of what it asked for: the same key with another request is refused.
    fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),
    -- What it was answered, as the interface writes it down.
    answer BLOB NOT NULL,
    -- Seconds since 1970.
    at INTEGER NOT NULL,
    PRIMARY KEY (environment, key)
) STRICT;

-- Those whose time is over are found, and the others counted, without reading answers.
CREATE INDEX receipts_by_age ON receipts (environment, at);
