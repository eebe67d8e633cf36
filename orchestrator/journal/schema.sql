-- Schema 1. Times are ISO 8601 text in UTC; sizes are bytes; paths are UTF-8 with lone surrogates kept (see rows.py).
CREATE TABLE run (
  id TEXT PRIMARY KEY,
  job TEXT NOT NULL,
  state TEXT NOT NULL,
  started TEXT NOT NULL,
  ended TEXT,
  exit_code INTEGER,
  plan TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE mount_group (
  run TEXT NOT NULL REFERENCES run (id),
  id TEXT NOT NULL,
  vm TEXT NOT NULL,
  state TEXT NOT NULL,
  message TEXT NOT NULL,
  seconds REAL,
  PRIMARY KEY (run, id)
) WITHOUT ROWID;

CREATE TABLE session (
  id TEXT PRIMARY KEY,
  generation INTEGER NOT NULL,
  em_url TEXT NOT NULL,
  started TEXT NOT NULL,
  sealed BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE lease (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  run TEXT NOT NULL REFERENCES run (id),
  mount_group TEXT NOT NULL,
  session TEXT NOT NULL,
  point TEXT NOT NULL,
  state TEXT NOT NULL,
  opened TEXT NOT NULL,
  before TEXT NOT NULL,
  task_href TEXT NOT NULL,
  mount_href TEXT NOT NULL,
  share TEXT NOT NULL,
  folder TEXT NOT NULL,
  ended TEXT,
  note TEXT NOT NULL
);
CREATE INDEX lease_of_run ON lease (run);
CREATE INDEX lease_by_state ON lease (state);

CREATE TABLE outcome (
  run TEXT NOT NULL REFERENCES run (id),
  mount_group TEXT NOT NULL,
  guest_path BLOB NOT NULL,
  target_path BLOB NOT NULL,
  verdict TEXT NOT NULL,
  size INTEGER NOT NULL,
  mtime_ns INTEGER NOT NULL,
  checksum TEXT NOT NULL,
  reason TEXT,
  message TEXT NOT NULL,
  PRIMARY KEY (run, mount_group, guest_path)
) WITHOUT ROWID;
CREATE INDEX outcome_problems ON outcome (run, verdict) WHERE verdict IN ('refused', 'failed');
