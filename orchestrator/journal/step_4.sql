-- From schema 3 to 4: on which mount host a mount was seen, and which share shows the mounts of which backup files.

ALTER TABLE leases ADD COLUMN host NOT NULL DEFAULT '';

CREATE TABLE answers (
    backup_server NOT NULL,
    kind          TEXT NOT NULL,
    os            TEXT NOT NULL,
    chain         NOT NULL,
    share         NOT NULL,
    PRIMARY KEY (backup_server, kind, os, chain)
) WITHOUT ROWID;
