-- The journal, schema 5. Times are ISO 8601 UTC text, sizes bytes, durations seconds, lists and points JSON.
-- Names are TEXT, or BLOB when they hold what UTF-8 cannot (see rows.py).

CREATE TABLE runs (
    key       INTEGER PRIMARY KEY,          -- short, because every outcome carries it
    id        TEXT NOT NULL UNIQUE,
    job       NOT NULL,
    state     TEXT NOT NULL,
    started   TEXT NOT NULL,
    plan      NOT NULL,
    ended     TEXT,
    exit_code INTEGER,
    checksum  TEXT NOT NULL DEFAULT ''      -- the algorithm; empty in runs of schema 1
);

CREATE TABLE groups (
    run      INTEGER NOT NULL REFERENCES runs (key),
    group_id NOT NULL,
    vm       NOT NULL,
    state    TEXT NOT NULL,
    message  NOT NULL,
    seconds  REAL,
    PRIMARY KEY (run, group_id)
) WITHOUT ROWID;

CREATE TABLE leases (
    key        INTEGER PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    run        INTEGER NOT NULL REFERENCES runs (key),
    group_id   NOT NULL,
    session    TEXT NOT NULL,               -- no reference: the session is erased before the lease is forgotten
    point      TEXT NOT NULL,
    state      TEXT NOT NULL,
    opened     TEXT NOT NULL,
    before     TEXT NOT NULL,
    task_href  TEXT NOT NULL,
    mount_href TEXT NOT NULL,
    share      NOT NULL,
    folder     NOT NULL,
    ended      TEXT,
    note       NOT NULL,
    host       NOT NULL DEFAULT ''          -- the mount host behind the share; empty in runs of schema 1 to 3
);
CREATE INDEX leases_of_run ON leases (run);
CREATE INDEX leases_by_state ON leases (state);

CREATE TABLE sessions (
    id         TEXT PRIMARY KEY,
    generation INTEGER NOT NULL,
    em_url     TEXT NOT NULL,
    started    TEXT NOT NULL,
    sealed     BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE outcomes (
    run         INTEGER NOT NULL REFERENCES runs (key),
    group_id    NOT NULL,
    guest_path  NOT NULL,
    target_path NOT NULL,
    verdict     TEXT NOT NULL,
    size        INTEGER NOT NULL,
    mtime_ns    INTEGER NOT NULL,
    checksum    TEXT NOT NULL,
    reason      TEXT,
    message     NOT NULL,
    stood       TEXT NOT NULL DEFAULT '',   -- what was at the target before; empty in runs of schema 1 and 2
    undone      INTEGER NOT NULL DEFAULT 0,
    fidelity    TEXT NOT NULL DEFAULT '',   -- core.fidelity.fidelity_code
    PRIMARY KEY (run, group_id, guest_path)
) WITHOUT ROWID;
CREATE INDEX problems ON outcomes (run) WHERE verdict IN ('refused', 'failed');

CREATE TABLE asides (                       -- files that make room for restored ones; written before they are moved
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

CREATE TABLE made (                         -- folders that a run has made
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

CREATE TABLE folders (                      -- how many folders of a stage have each fidelity_code
    run      INTEGER NOT NULL REFERENCES runs (key),
    group_id NOT NULL,
    stage    INTEGER NOT NULL,
    fidelity TEXT NOT NULL,
    number   INTEGER NOT NULL,
    PRIMARY KEY (run, group_id, stage, fidelity)
) WITHOUT ROWID;

CREATE TABLE originals (                    -- what EM was asked to restore to where it was; written before it is asked
    run        INTEGER NOT NULL REFERENCES runs (key),
    group_id   NOT NULL,
    guest_path NOT NULL,
    vm         NOT NULL,
    standing   TEXT NOT NULL,
    state      TEXT NOT NULL,
    session    TEXT NOT NULL,               -- no reference: as with leases
    asked      TEXT NOT NULL,
    before     TEXT NOT NULL,
    task_href  TEXT NOT NULL,
    size       INTEGER,                     -- none for a folder: EM tells none
    message    NOT NULL,
    ended      TEXT,
    PRIMARY KEY (run, group_id, guest_path)
) WITHOUT ROWID;
CREATE INDEX originals_by_state ON originals (state);

CREATE TABLE drops (
    key       INTEGER PRIMARY KEY,
    id        TEXT NOT NULL UNIQUE,
    file      NOT NULL,
    taken     TEXT NOT NULL,
    state     TEXT NOT NULL,
    digest    TEXT NOT NULL,
    owner     NOT NULL,
    job       NOT NULL,
    run       TEXT NOT NULL,                -- no reference: a claim tells what was dropped, also when its run is pruned
    attempts  INTEGER NOT NULL,
    next_try  TEXT,
    due       TEXT,
    ended     TEXT,
    exit_code INTEGER,
    line      NOT NULL
);
CREATE INDEX drops_by_time ON drops (taken);
CREATE INDEX drops_unfinished ON drops (taken) WHERE state <> 'ended';

CREATE TABLE schedules (
    job  NOT NULL PRIMARY KEY,
    seen TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE drills (
    key            INTEGER PRIMARY KEY,
    run            TEXT NOT NULL UNIQUE,    -- no reference: the trend outlives the runs
    job            NOT NULL,
    ended          TEXT NOT NULL,
    groups         INTEGER NOT NULL,
    files          INTEGER NOT NULL,
    bytes          INTEGER NOT NULL,
    seconds        REAL NOT NULL,
    slowest        REAL NOT NULL,
    slowest_vm     NOT NULL,
    verify_seconds REAL NOT NULL,
    differences    INTEGER NOT NULL,
    removed        INTEGER NOT NULL,
    exit_code      INTEGER NOT NULL
);
CREATE INDEX drills_by_time ON drills (ended);
CREATE INDEX drills_of_job ON drills (job, ended);

CREATE TABLE kept (                         -- single values that outlive the process
    name  TEXT PRIMARY KEY,
    value NOT NULL
) WITHOUT ROWID;

CREATE TABLE answers (                      -- the share that last showed the mounts of a chain of backup files
    backup_server NOT NULL,
    kind          TEXT NOT NULL,
    os            TEXT NOT NULL,
    chain         NOT NULL,
    share         NOT NULL,
    PRIMARY KEY (backup_server, kind, os, chain)
) WITHOUT ROWID;
