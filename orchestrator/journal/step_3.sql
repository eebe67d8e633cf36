-- From schema 2 to 3: what stood where a file was restored, files set aside, folders made, and what was undone; what
-- became of what files and folders are beside their bytes.
-- Frozen: the schema of today is in schema.sql.

ALTER TABLE outcomes ADD COLUMN stood TEXT NOT NULL DEFAULT '';
ALTER TABLE outcomes ADD COLUMN undone INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outcomes ADD COLUMN fidelity TEXT NOT NULL DEFAULT '';

CREATE TABLE asides (
    run          INTEGER NOT NULL REFERENCES runs (key),
    root         NOT NULL,
    held         NOT NULL,
    relative     NOT NULL,
    size         INTEGER NOT NULL,
    mtime_ns     INTEGER NOT NULL,
    checksum     TEXT NOT NULL,
    new_size     INTEGER NOT NULL,
    new_checksum TEXT NOT NULL,
    state        TEXT NOT NULL,
    PRIMARY KEY (run, root, held)
) WITHOUT ROWID;
CREATE INDEX asides_held ON asides (run) WHERE state = 'held';

CREATE TABLE made (
    run  INTEGER NOT NULL REFERENCES runs (key),
    path NOT NULL,
    PRIMARY KEY (run, path)
) WITHOUT ROWID;

CREATE TABLE undos (
    key      INTEGER PRIMARY KEY,
    run      INTEGER NOT NULL REFERENCES runs (key),
    started  TEXT NOT NULL,
    ended    TEXT,
    returned INTEGER NOT NULL,
    removed  INTEGER NOT NULL,
    left     INTEGER NOT NULL
);
CREATE INDEX undos_of_run ON undos (run);

CREATE TABLE folders (
    run      INTEGER NOT NULL REFERENCES runs (key),
    group_id NOT NULL,
    stage    INTEGER NOT NULL,
    fidelity TEXT NOT NULL,
    number   INTEGER NOT NULL,
    PRIMARY KEY (run, group_id, stage, fidelity)
) WITHOUT ROWID;
