-- Receipts: what is kept of writes that bore a key, so that whoever lost the answer can ask again without writing again.
CREATE TABLE receipts (
    environment text COLLATE "C" NOT NULL REFERENCES environments,
    -- The name that the client gave the write.
    key text COLLATE "C" NOT NULL,
    -- A digest of what it asked for: the same key with another request is refused.
    fingerprint bytea NOT NULL CHECK (length(fingerprint) = 32),
    -- What it was answered, as the interface writes it down.
    answer bytea NOT NULL,
    -- By the clock of this server: those of nodes may differ.
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (environment, key)
);

-- Those whose time is over are found, and the others counted, without reading answers.
CREATE INDEX receipts_by_age ON receipts (environment, at);
