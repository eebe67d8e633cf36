-- From schema 1 to 2: runs say how they take checksums; dropped jobs, schedules, drills and single values are kept.
-- Frozen: the schema of today is in schema.sql.

ALTER TABLE runs ADD COLUMN checksum TEXT NOT NULL DEFAULT '';

CREATE TABLE drops (
    key       INTEGER PRIMARY KEY,
    id        TEXT NOT NULL UNIQUE,
    file      NOT NULL,
    taken     TEXT NOT NULL,
    state     TEXT NOT NULL,
    digest    TEXT NOT NULL,
    owner     NOT NULL,
    job       NOT NULL,
    run       TEXT NOT NULL,
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
    run            TEXT NOT NULL UNIQUE,
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

CREATE TABLE kept (
    name  TEXT PRIMARY KEY,
    value NOT NULL
) WITHOUT ROWID;
