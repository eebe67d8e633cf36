-- The journal, schema 1, in a schema of its own. Sizes are bytes, durations seconds, lists and points JSON.
-- Texts sort by their bytes, whatever the database says, and so do not break when the system's collations change.
-- What PostgreSQL cannot keep in a text is escaped (see notation.py).

CREATE FUNCTION long_key(path TEXT) RETURNS TEXT LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN left(path, 150) || ' ' || encode(sha256(convert_to(path, 'UTF8')), 'hex');

-- An index takes 2,700 bytes, a path may have 32,767 characters.
CREATE FUNCTION path_key(path TEXT) RETURNS TEXT LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN octet_length(path) <= 1000 THEN path ELSE long_key(path) END;

CREATE TABLE runs (
    key       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,  -- short, because every outcome carries it
    id        TEXT COLLATE "C" NOT NULL UNIQUE,
    job       TEXT COLLATE "C" NOT NULL,
    state     TEXT NOT NULL,
    started   TIMESTAMPTZ NOT NULL,
    plan      TEXT NOT NULL,
    ended     TIMESTAMPTZ,
    exit_code INTEGER,
    checksum  TEXT NOT NULL
);

CREATE TABLE groups (
    run      BIGINT NOT NULL REFERENCES runs (key),
    group_id TEXT COLLATE "C" NOT NULL,
    vm       TEXT COLLATE "C" NOT NULL,
    state    TEXT NOT NULL,
    message  TEXT NOT NULL,
    seconds  DOUBLE PRECISION,
    PRIMARY KEY (run, group_id)
);

CREATE TABLE leases (
    key        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id         TEXT COLLATE "C" NOT NULL UNIQUE,
    run        BIGINT NOT NULL REFERENCES runs (key),
    group_id   TEXT COLLATE "C" NOT NULL,
    session    TEXT COLLATE "C" NOT NULL,       -- no reference: the session is erased before the lease is forgotten
    point      TEXT NOT NULL,
    state      TEXT NOT NULL,
    opened     TIMESTAMPTZ NOT NULL,
    before     TEXT NOT NULL,
    task_href  TEXT NOT NULL,
    mount_href TEXT NOT NULL,
    share      TEXT NOT NULL,
    folder     TEXT NOT NULL,
    ended      TIMESTAMPTZ,
    note       TEXT NOT NULL,
    host       TEXT NOT NULL,                   -- the mount host behind the share
    member     TEXT COLLATE "C" NOT NULL        -- the process that asked for it; empty when it belongs to no fleet
);
CREATE INDEX leases_of_run ON leases (run, group_id);
CREATE INDEX leases_by_state ON leases (state);

CREATE TABLE sessions (
    id         TEXT COLLATE "C" PRIMARY KEY,
    generation INTEGER NOT NULL,
    em_url     TEXT NOT NULL,
    started    TIMESTAMPTZ NOT NULL,
    sealed     BYTEA NOT NULL,
    member     TEXT COLLATE "C" NOT NULL        -- the process that made it; empty when it belongs to no fleet
);

CREATE TABLE outcomes (
    run         BIGINT NOT NULL REFERENCES runs (key),
    group_id    TEXT COLLATE "C" NOT NULL,
    guest_path  TEXT COLLATE "C" NOT NULL,
    target_path TEXT COLLATE "C" NOT NULL,
    verdict     TEXT NOT NULL,
    size        BIGINT NOT NULL,
    mtime_ns    BIGINT NOT NULL,
    checksum    TEXT NOT NULL,
    reason      TEXT,
    message     TEXT NOT NULL,
    stood       TEXT NOT NULL,                  -- what was at the target before
    undone      INTEGER NOT NULL DEFAULT 0,
    fidelity    TEXT NOT NULL                   -- core.fidelity.fidelity_code
);
CREATE UNIQUE INDEX outcomes_key ON outcomes (run, group_id, path_key(guest_path));
CREATE INDEX problems ON outcomes (run) WHERE verdict IN ('refused', 'failed');

CREATE TABLE asides (                           -- files that make room for restored ones; written before they are moved
    run          BIGINT NOT NULL REFERENCES runs (key),
    root         TEXT COLLATE "C" NOT NULL,
    held         TEXT COLLATE "C" NOT NULL,
    relative     TEXT COLLATE "C" NOT NULL,
    size         BIGINT NOT NULL,
    mtime_ns     BIGINT NOT NULL,
    checksum     TEXT NOT NULL,
    new_size     BIGINT NOT NULL,
    new_checksum TEXT NOT NULL,
    state        TEXT NOT NULL
);
CREATE UNIQUE INDEX asides_key ON asides (run, path_key(root), path_key(held));
CREATE INDEX asides_held ON asides (run) WHERE state = 'held';

CREATE TABLE made (                             -- folders that a run has made
    run  BIGINT NOT NULL REFERENCES runs (key),
    path TEXT COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX made_key ON made (run, path_key(path));

CREATE TABLE undos (
    key      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run      BIGINT NOT NULL REFERENCES runs (key),
    started  TIMESTAMPTZ NOT NULL,
    ended    TIMESTAMPTZ,
    returned BIGINT NOT NULL,
    removed  BIGINT NOT NULL,
    "left"   BIGINT NOT NULL
);
CREATE INDEX undos_of_run ON undos (run);

CREATE TABLE folders (                          -- how many folders of a stage have each fidelity_code
    run      BIGINT NOT NULL REFERENCES runs (key),
    group_id TEXT COLLATE "C" NOT NULL,
    stage    INTEGER NOT NULL,
    fidelity TEXT COLLATE "C" NOT NULL,
    number   BIGINT NOT NULL,
    PRIMARY KEY (run, group_id, stage, fidelity)
);

CREATE TABLE originals (                        -- what EM was asked to restore to where it was; written before it is asked
    run        BIGINT NOT NULL REFERENCES runs (key),
    group_id   TEXT COLLATE "C" NOT NULL,
    guest_path TEXT COLLATE "C" NOT NULL,
    vm         TEXT COLLATE "C" NOT NULL,
    standing   TEXT NOT NULL,
    state      TEXT NOT NULL,
    session    TEXT COLLATE "C" NOT NULL,       -- no reference: as with leases
    asked      TIMESTAMPTZ NOT NULL,
    before     TEXT NOT NULL,
    task_href  TEXT NOT NULL,
    size       BIGINT,                          -- none for a folder: EM tells none
    message    TEXT NOT NULL,
    ended      TIMESTAMPTZ
);
CREATE UNIQUE INDEX originals_key ON originals (run, group_id, path_key(guest_path));
CREATE INDEX originals_by_state ON originals (state);

CREATE TABLE drops (
    key       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id        TEXT COLLATE "C" NOT NULL UNIQUE,
    file      TEXT NOT NULL,
    taken     TIMESTAMPTZ NOT NULL,
    state     TEXT NOT NULL,
    digest    TEXT NOT NULL,
    owner     TEXT NOT NULL,
    job       TEXT NOT NULL,
    run       TEXT COLLATE "C" NOT NULL,        -- no reference: a claim outlives its run
    attempts  INTEGER NOT NULL,
    next_try  TIMESTAMPTZ,
    due       TIMESTAMPTZ,
    ended     TIMESTAMPTZ,
    exit_code INTEGER,
    line      TEXT NOT NULL
);
CREATE INDEX drops_by_time ON drops (taken);
CREATE INDEX drops_unfinished ON drops (taken) WHERE state <> 'ended';

CREATE TABLE schedules (
    job  TEXT COLLATE "C" NOT NULL,
    seen TIMESTAMPTZ NOT NULL
);
CREATE UNIQUE INDEX schedules_key ON schedules (path_key(job));

CREATE TABLE drills (
    key            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run            TEXT COLLATE "C" NOT NULL UNIQUE,  -- no reference: the trend outlives the runs
    job            TEXT COLLATE "C" NOT NULL,
    ended          TIMESTAMPTZ NOT NULL,
    groups         BIGINT NOT NULL,
    files          BIGINT NOT NULL,
    bytes          BIGINT NOT NULL,
    seconds        DOUBLE PRECISION NOT NULL,
    slowest        DOUBLE PRECISION NOT NULL,
    slowest_vm     TEXT NOT NULL,
    verify_seconds DOUBLE PRECISION NOT NULL,
    differences    BIGINT NOT NULL,
    removed        BIGINT NOT NULL,
    exit_code      INTEGER NOT NULL
);
CREATE INDEX drills_by_time ON drills (ended);
CREATE INDEX drills_of_job ON drills (path_key(job), ended);

CREATE TABLE kept (                             -- single values that outlive the process
    name  TEXT COLLATE "C" PRIMARY KEY,
    value BIGINT NOT NULL
);

CREATE TABLE answers (                          -- the share that last showed the mounts of a chain of backup files
    backup_server TEXT COLLATE "C" NOT NULL,
    kind          TEXT COLLATE "C" NOT NULL,
    os            TEXT COLLATE "C" NOT NULL,
    chain         TEXT COLLATE "C" NOT NULL,
    share         TEXT NOT NULL
);
CREATE UNIQUE INDEX answers_key ON answers (path_key(backup_server), kind, os, path_key(chain));
