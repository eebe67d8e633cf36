-- The fleet: who is there, what is to be done, what is wanted of a run, and what is told of it.
-- Whether a member lives is a matter of this database's clock alone.

CREATE TABLE members (
    id      TEXT COLLATE "C" PRIMARY KEY,               -- never used twice
    name    TEXT COLLATE "C" NOT NULL,
    kind    TEXT COLLATE "C" NOT NULL,                  -- core.fleet.MemberKind
    site    TEXT COLLATE "C" NOT NULL,
    mounts  INTEGER NOT NULL,
    host    TEXT COLLATE "C" NOT NULL,
    version TEXT COLLATE "C" NOT NULL,
    lease   DOUBLE PRECISION NOT NULL,      -- seconds without a renewal after which it is dead
    state   TEXT COLLATE "C" NOT NULL,                  -- core.fleet.MemberState
    heir    TEXT COLLATE "C" NOT NULL DEFAULT '',       -- who clears up after a dead one
    started TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    seen    TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX members_living ON members (state) WHERE state <> 'gone';

CREATE TABLE units (
    run      TEXT COLLATE "C" NOT NULL,                 -- no reference: it is asked for by name
    group_id TEXT COLLATE "C" NOT NULL,
    vm       TEXT COLLATE "C" NOT NULL,
    server   TEXT COLLATE "C" NOT NULL,
    position INTEGER NOT NULL,
    sites    TEXT[] COLLATE "C" NOT NULL,               -- in order; empty: every site
    seats    JSONB NOT NULL,                -- what its mount takes a part of, and how many each carries
    content  TEXT COLLATE "C" NOT NULL,                 -- the plan of its run with this group alone
    state    TEXT COLLATE "C" NOT NULL,                 -- core.fleet.UnitState
    member   TEXT COLLATE "C" NOT NULL DEFAULT '',      -- who has it
    number   INTEGER NOT NULL DEFAULT 0,    -- the lease number: another each time it is given out or taken away
    refusals JSONB NOT NULL DEFAULT '{}',   -- why which members could not do it
    PRIMARY KEY (run, group_id)
);
CREATE INDEX units_waiting ON units (position) WHERE state = 'waiting';
CREATE INDEX units_taken ON units (member) WHERE state = 'taken';

CREATE TABLE orders (
    run       TEXT COLLATE "C" PRIMARY KEY,
    submitter TEXT COLLATE "C" NOT NULL,
    draining  BOOLEAN NOT NULL DEFAULT false,
    cancelled BOOLEAN NOT NULL DEFAULT false,
    paused    BOOLEAN NOT NULL DEFAULT false
);

CREATE TABLE told (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run    TEXT COLLATE "C" NOT NULL,
    event  TEXT COLLATE "C" NOT NULL
);
CREATE INDEX told_of_run ON told (run, number);
