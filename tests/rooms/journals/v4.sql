-- A journal as version 4 wrote it. Frozen: never edit it, it is what operators have on their disks.
BEGIN TRANSACTION;
CREATE TABLE answers (                      -- the share that last showed the mounts of a chain of backup files
    backup_server NOT NULL,
    kind          TEXT NOT NULL,
    os            TEXT NOT NULL,
    chain         NOT NULL,
    share         NOT NULL,
    PRIMARY KEY (backup_server, kind, os, chain)
) WITHOUT ROWID;
INSERT INTO "answers" VALUES('vbr01','vm','windows',X'6E696768746C7920636166EDB3A9','/mnt/mount02');
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
INSERT INTO "asides" VALUES(1,'/restore/fs01',X'2E6F7263686573747261746F722D61736964652F72312F432F62EDB3BF2E747874',X'432F62EDB3BF2E747874',5,17,'ab12',7,'cd34','held');
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
INSERT INTO "drills" VALUES(1,'done','nightly','2026-11-20T06:00:00.000000+00:00',12,5000,7000000000,600.5,90.25,'fs01',200.125,0,5000,0);
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
INSERT INTO "drops" VALUES(1,'d1',X'62EDB3BF2E746F6D6C','2026-11-20T06:00:00.000000+00:00','running','abababababababababababababababababababababababababababababababab','','incident-4711','died',0,NULL,NULL,NULL,NULL,'');
CREATE TABLE folders (                      -- how many folders of a stage have each fidelity_code
    run      INTEGER NOT NULL REFERENCES runs (key),
    group_id NOT NULL,
    stage    INTEGER NOT NULL,
    fidelity TEXT NOT NULL,
    number   INTEGER NOT NULL,
    PRIMARY KEY (run, group_id, stage, fidelity)
) WITHOUT ROWID;
INSERT INTO "folders" VALUES(1,'g1',0,'mode:kept owner:sidecar',3);
CREATE TABLE groups (
    run      INTEGER NOT NULL REFERENCES runs (key),
    group_id NOT NULL,
    vm       NOT NULL,
    state    TEXT NOT NULL,
    message  NOT NULL,
    seconds  REAL,
    PRIMARY KEY (run, group_id)
) WITHOUT ROWID;
INSERT INTO "groups" VALUES(1,'g1','fs01','done','',12.5);
INSERT INTO "groups" VALUES(1,'g2',X'6462EDB2803031','failed','share gone',NULL);
INSERT INTO "groups" VALUES(2,'g1','fs01','done','',3.0);
INSERT INTO "groups" VALUES(2,'g2','db01','running','',NULL);
CREATE TABLE kept (                         -- single values that outlive the process
    name  TEXT PRIMARY KEY,
    value NOT NULL
) WITHOUT ROWID;
INSERT INTO "kept" VALUES('paused',1);
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
INSERT INTO "leases" VALUES(1,'l-done',1,'g1','s1','{"uid": "urn:veeam:VmRestorePoint:1", "vm": "fs01", "created": "2026-11-20T04:59:59.750000+00:00", "backup_server": "vbr01", "mounts_href": "/mounts", "create_href": "/mounts?action=mount", "kind": "agent"}','confirmed','2026-11-20T06:00:00.000000+00:00','[]','/tasks/1','/mounts/1','/mnt/vbr01','fs01_3c75de11','2026-11-20T06:00:50.000000+00:00','','');
INSERT INTO "leases" VALUES(2,'l-held',2,'g2','s2','{"uid": "urn:veeam:VmRestorePoint:1", "vm": "fs01", "created": "2026-11-20T04:59:59.750000+00:00", "backup_server": "vbr01", "mounts_href": "/mounts", "create_href": "/mounts?action=mount", "kind": "agent"}','held','2026-11-20T06:01:42.000000+00:00','["/mounts/1"]','/tasks/2','/mounts/2','/mnt/vbr01',X'646230315FEDB2803363373564653131',NULL,'','');
INSERT INTO "leases" VALUES(3,'l-asked',2,'g2','s2','{"uid": "urn:veeam:VmRestorePoint:1", "vm": "fs01", "created": "2026-11-20T04:59:59.750000+00:00", "backup_server": "vbr01", "mounts_href": "/mounts", "create_href": "/mounts?action=mount", "kind": "agent"}','requested','2026-11-20T06:01:43.000000+00:00','[]','/tasks/3','','','',NULL,'','');
CREATE TABLE made (                         -- folders that a run has made
    run  INTEGER NOT NULL REFERENCES runs (key),
    path NOT NULL,
    PRIMARY KEY (run, path)
) WITHOUT ROWID;
INSERT INTO "made" VALUES(1,X'2F726573746F72652F667330312F432F62EDB3BF');
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
INSERT INTO "outcomes" VALUES(1,'g1','C:\a.txt','/restore/fs01/C/a.txt','restored',7,1600000000123456789,'ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12',NULL,'','',0,'');
INSERT INTO "outcomes" VALUES(1,'g1',X'433A5C62EDB3BF2E747874',X'2F726573746F72652F667330312F432F62EDB3BF2E747874','failed',7,1600000000123456789,'','no-space','full','',0,'');
INSERT INTO "outcomes" VALUES(1,'g2','D:\naïve','','refused',7,1600000000123456789,'','link','a link','',0,'');
INSERT INTO "outcomes" VALUES(2,'g1','C:\a.txt','/restore/fs01/C/a.txt','restored',7,1600000000123456789,'cd34cd34cd34cd34cd34cd34cd34cd34cd34cd34cd34cd34cd34cd34cd34cd34',NULL,'','',0,'');
INSERT INTO "outcomes" VALUES(2,'g1','C:\c','/restore/fs01/C/c','skipped',7,1600000000123456789,'','unchanged','','',0,'');
INSERT INTO "outcomes" VALUES(2,'g2','C:\d','/restore/db01/C/d','failed',7,1600000000123456789,'','locked','held','',0,'');
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
INSERT INTO "runs" VALUES(1,'done','nightly','finished','2026-11-20T06:00:00.000000+00:00','{"groups": []}','2026-11-20T06:01:00.000000+00:00',3,'sha256');
INSERT INTO "runs" VALUES(2,'died','incident-4711','running','2026-11-20T06:01:40.000000+00:00','{"groups": [], "note": "naïve"}',NULL,NULL,'sha256');
INSERT INTO "runs" VALUES(3,'stopped',X'636166EDB3A9','stopped','2026-11-20T06:00:50.000000+00:00','{"groups": []}','2026-11-20T06:00:55.000000+00:00',6,'sha256');
CREATE TABLE schedules (
    job  NOT NULL PRIMARY KEY,
    seen TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO "schedules" VALUES(X'636166EDB3A9','2026-11-20T06:00:00.000000+00:00');
CREATE TABLE sessions (
    id         TEXT PRIMARY KEY,
    generation INTEGER NOT NULL,
    em_url     TEXT NOT NULL,
    started    TEXT NOT NULL,
    sealed     BLOB NOT NULL
) WITHOUT ROWID;
INSERT INTO "sessions" VALUES('s2',1,'https://em.example.com:9398','2026-11-20T06:01:41.000000+00:00',X'007365616C6564FF');
CREATE TABLE undos (
    key      INTEGER PRIMARY KEY,
    run      INTEGER NOT NULL REFERENCES runs (key),
    started  TEXT NOT NULL,
    ended    TEXT,
    returned INTEGER NOT NULL,
    removed  INTEGER NOT NULL,
    left     INTEGER NOT NULL
);
INSERT INTO "undos" VALUES(1,1,'2026-11-20T06:01:10.000000+00:00','2026-11-20T06:01:11.000000+00:00',1,2,3);
CREATE INDEX leases_of_run ON leases (run);
CREATE INDEX leases_by_state ON leases (state);
CREATE INDEX problems ON outcomes (run) WHERE verdict IN ('refused', 'failed');
CREATE INDEX asides_held ON asides (run) WHERE state = 'held';
CREATE INDEX undos_of_run ON undos (run);
CREATE INDEX drops_by_time ON drops (taken);
CREATE INDEX drops_unfinished ON drops (taken) WHERE state <> 'ended';
CREATE INDEX drills_by_time ON drills (ended);
CREATE INDEX drills_of_job ON drills (job, ended);
COMMIT;
PRAGMA user_version = 4;
