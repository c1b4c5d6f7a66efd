-- Which nodes there are, and how far each has come: so that "it has landed everywhere" can be asked for.

-- A row for each node, which writes it anew every few seconds and with every change. Whoever reports forgets the rows of
-- nodes that have fallen silent. UNLOGGED, because nothing in it is worth a write to the log: after a crash of the server
-- it is empty, and a moment later it is not.
CREATE UNLOGGED TABLE nodes (
    -- No reference to the environment: it would lock the row by which writers take turns.
    environment text COLLATE "C" NOT NULL,
    -- Random, made at each start of a node.
    id uuid NOT NULL,
    -- For people; nodes may share one.
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
    epoch uuid NOT NULL,
    revision bigint NOT NULL CHECK (revision >= 0),
    -- That of the flags at this version; absent while it is being computed.
    digest bytea CHECK (octet_length(digest) = 32),
    -- When the node last reported, by the clock of this server.
    seen timestamptz NOT NULL,
    PRIMARY KEY (environment, id)
    -- Room beside each row, so that writing it anew touches no index.
) WITH (fillfactor = 50);
