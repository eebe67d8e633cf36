-- From schema 4 to 5: what EM was asked to restore to its original location.

CREATE TABLE originals (
    run        INTEGER NOT NULL REFERENCES runs (key),
    group_id   NOT NULL,
    guest_path NOT NULL,
    vm         NOT NULL,
    standing   TEXT NOT NULL,
    state      TEXT NOT NULL,
    session    TEXT NOT NULL,
    asked      TEXT NOT NULL,
    before     TEXT NOT NULL,
    task_href  TEXT NOT NULL,
    size       INTEGER,
    message    NOT NULL,
    ended      TEXT,
    PRIMARY KEY (run, group_id, guest_path)
) WITHOUT ROWID;
CREATE INDEX originals_by_state ON originals (state);
