-- name: one_at_a_time
-- Whoever counts seats waits here for whoever counts them now, until that transaction is over.
SELECT pg_advisory_xact_lock(hashtext(current_schema()), 1);

-- name: clear_told
-- What was told of an earlier attempt at a run is nobody's any more.
DELETE FROM told WHERE run = :run;

-- name: write_route
-- A route by which units may wait.
INSERT INTO routes (id, run, sites, seats, refused) VALUES (:id, :run, :sites, :seats, :refused)
ON CONFLICT (id) DO NOTHING;

-- name: submit
-- A unit waits. One that somebody has stays his as it is; one that is over waits again.
INSERT INTO units (run, group_id, vm, server, position, sites, seats, route, content, state)
VALUES (:run, :group, :vm, :server, :position, :sites, :seats, :route, :content, 'waiting')
ON CONFLICT (run, group_id) DO UPDATE SET
    position = excluded.position, sites = excluded.sites, seats = excluded.seats, route = excluded.route,
    content = excluded.content, refusals = '{}', unserved = NULL, state = 'waiting'
WHERE units.state <> 'taken';

-- name: waiting
-- The units of a run that wait, in their order.
SELECT run, group_id, state, position, route FROM units WHERE run = :run AND state = 'waiting' ORDER BY position;

-- name: write_order
-- What is wanted of all who work on a run.
INSERT INTO orders (run, submitter, draining, cancelled, paused, held, by_hand, mounts, mounts_of_all)
VALUES (:run, :submitter, :draining, :cancelled, :paused, :holding, :by_hand, :mounts, :mounts_of_all)
ON CONFLICT (run) DO UPDATE SET
    draining = excluded.draining, cancelled = excluded.cancelled, paused = excluded.paused, held = excluded.held,
    by_hand = excluded.by_hand, mounts = excluded.mounts, mounts_of_all = excluded.mounts_of_all,
    submitter = CASE WHEN excluded.submitter = '' THEN orders.submitter ELSE excluded.submitter END;

-- name: end_waiting
-- Units that nobody has begun are not begun once a run is to stop.
UPDATE units SET state = 'over' WHERE run = :run AND state = 'waiting' RETURNING run, group_id, state, position, route;

-- name: orders
-- What is wanted, of every run that is going on. Limits count for as long as there is something left to do.
SELECT run, draining, cancelled, paused, held, CASE WHEN EXISTS (
    SELECT 1 FROM units WHERE units.run = orders.run AND units.state <> 'over'
) THEN by_hand ELSE '[]' END FROM orders;

-- name: take_told
-- What was told and nobody has heard yet.
DELETE FROM told WHERE run = :run RETURNING number, event;

-- name: unfinished
-- How many units of a run are not over.
SELECT count(*) FROM units WHERE run = :run AND state <> 'over';

-- name: queued
-- Units of a run, or of all, that wait, by who may take them; and those whose worker is dead.
SELECT count(*), sites, refusals, false FROM units
WHERE (:run::text IS NULL OR run = :run) AND state = 'waiting' GROUP BY sites, refusals
UNION ALL
SELECT count(*), '{}', '{}', true FROM units
WHERE (:run::text IS NULL OR run = :run) AND state = 'taken' AND member NOT IN (SELECT id FROM living)
HAVING count(*) > 0;

-- name: note_unserved
-- Since when nobody could take a unit that waits, or clear up after its dead worker; no time once somebody can.
WITH looked AS (
    SELECT group_id, EXISTS (
        SELECT 1 FROM living
        WHERE kind = 'worker' AND living.state = 'serving' AND (units.state = 'taken'
          OR (cardinality(units.sites) = 0 OR site = ANY(units.sites)) AND NOT units.refusals ? name)
    ) AS served
    FROM units
    WHERE run = :run AND (state = 'waiting' OR state = 'taken' AND member NOT IN (SELECT id FROM living))
)
UPDATE units SET unserved = CASE WHEN looked.served THEN NULL ELSE clock_timestamp() END FROM looked
WHERE units.run = :run AND units.group_id = looked.group_id AND looked.served = (unserved IS NOT NULL);

-- name: give_up_unserved
-- Units that nobody could take for too long are over, not too many at once.
UPDATE units SET state = 'over', member = '', number = number + 1 WHERE run = :run AND group_id IN (
    SELECT group_id FROM units
    WHERE run = :run AND unserved < clock_timestamp() - make_interval(secs => :patience)
      AND (state = 'waiting' OR state = 'taken' AND member NOT IN (SELECT id FROM living))
    ORDER BY position LIMIT 100 FOR UPDATE SKIP LOCKED
)
RETURNING run, group_id, state, position, route, sites, refusals;

-- name: served
-- A unit is about to be mounted.
UPDATE units SET unserved = NULL WHERE run = :run AND group_id = :group AND unserved IS NOT NULL;

-- name: forgive
-- What nobody can take may be taken by those who have refused it. Since when that is so is kept.
UPDATE units SET refusals = '{}' WHERE run = :run AND state = 'waiting' AND unserved IS NOT NULL AND refusals <> '{}'
RETURNING run, group_id, state, position, route, '{}'::text[];

-- name: forget_unserved
-- While a run is not to go on, nobody is waited for.
UPDATE units SET unserved = NULL WHERE run = :run AND unserved IS NOT NULL;

-- name: forget_units
-- A run has ended. What its mounts that are left take a part of is still to be counted.
DELETE FROM units WHERE run = :run AND NOT EXISTS (
    SELECT 1 FROM leases JOIN runs ON runs.key = leases.run
    WHERE runs.id = units.run AND leases.group_id = units.group_id AND leases.state = 'left'
) RETURNING run, group_id, 'over', position, route;

-- name: forget_routes
-- A run has ended.
DELETE FROM routes WHERE run = :run;

-- name: forget_order
-- A run has ended.
DELETE FROM orders WHERE run = :run;

-- name: namesake
-- A worker of that name that lives, with the seconds since it was heard of.
SELECT host, extract(epoch FROM clock_timestamp() - seen), lease FROM members
WHERE kind = 'worker' AND name = :name AND state IN ('serving', 'draining')
  AND seen > clock_timestamp() - make_interval(secs => lease);

-- name: join
-- A new member.
INSERT INTO members (id, name, kind, site, mounts, host, version, knows, home, lease, state)
VALUES (:id, :name, :kind, :site, :mounts, :host, :version, :knows, :home, :lease, 'serving');

-- name: superseded
-- Who had the state folder of a new member before, and has ended without a word: nobody else gets the lock of that folder.
SELECT id FROM members WHERE home = :earlier AND state IN ('serving', 'draining') FOR UPDATE;

-- name: needed
-- The schema that a program has to know to work with this one, or with what it is being brought to.
SELECT version, greatest(oldest, coming) FROM journal_version;

-- name: followed
-- The runs that others that live follow, and who that is.
SELECT orders.run, members.name, members.host, extract(epoch FROM clock_timestamp() - members.seen), members.lease
FROM orders JOIN members ON members.id = orders.submitter
WHERE members.id <> :member AND (:earlier::text = '' OR members.home <> :earlier)
  AND members.state IN ('serving', 'draining') AND members.seen > clock_timestamp() - make_interval(secs => members.lease);

-- name: forget_refusals
-- A worker that begins anew may reach what it could not reach before.
UPDATE units SET refusals = refusals - :name::text WHERE state <> 'over' AND refusals ? :name::text
RETURNING run, group_id, state, position, route, ARRAY(SELECT jsonb_object_keys(refusals));

-- name: renew
-- A member lives; changes no row when it is dead.
UPDATE members SET seen = clock_timestamp(), files_per_second = :files, bytes_per_second = :bytes
WHERE id = :member AND state IN ('serving', 'draining') RETURNING kind, site;

-- name: silent
-- Members that were not heard of for too long, and dead ones whose heir was not, or has passed them on. What another is
-- looking at is left to him.
SELECT id FROM members
WHERE id <> :member AND (
    state IN ('serving', 'draining') AND seen < clock_timestamp() - make_interval(secs => lease)
    OR state = 'dead' AND NOT EXISTS (
        SELECT 1 FROM members AS heirs WHERE heirs.id = members.heir AND heirs.state IN ('serving', 'draining')
    ) AND (:member <> ALL (passed_by) OR NOT EXISTS (
        SELECT 1 FROM members AS others
        WHERE others.kind = 'worker' AND others.state IN ('serving', 'draining')
          AND others.seen > clock_timestamp() - make_interval(secs => others.lease)
          AND others.id <> ALL (members.passed_by)
    ))
)
FOR UPDATE SKIP LOCKED;

-- name: mark_dead
-- From here on nothing that this member writes is taken.
UPDATE members SET state = 'dead', heir = :heir WHERE id = :member;

-- name: take_away
-- Its units are no longer its own.
UPDATE units SET number = number + 1 WHERE member = :member AND state = 'taken';

-- name: heir_of
-- The dead that this member clears up after.
SELECT id FROM members WHERE state = 'dead' AND heir = :member;

-- name: at_site
-- The workers that may copy what is at a site: its own, and those of every site. For one of every site, all of them.
SELECT count(*) FROM members
WHERE kind = 'worker' AND (site IN (:site, '') OR :site::text = '') AND state IN ('serving', 'draining');

-- name: withdraw
-- A member that takes no more units.
UPDATE members SET state = 'draining' WHERE id = :member AND state = 'serving';

-- name: leave
-- A member goes, if it holds nothing any more; one that does is called dead after a while, and somebody clears up.
UPDATE members SET state = 'gone' WHERE id = :member AND state IN ('serving', 'draining')
  AND NOT EXISTS (SELECT 1 FROM units WHERE units.member = members.id AND units.state = 'taken')
  AND NOT EXISTS (
    SELECT 1 FROM leases JOIN sessions ON sessions.id = leases.session
    WHERE sessions.member = members.id AND leases.state IN ('intended', 'requested', 'held')
  );

-- name: bury
-- A dead member was cleared up after, by its heir, who lives.
UPDATE members SET state = 'gone' WHERE id = :member AND state = 'dead' AND heir = :heir
  AND EXISTS (SELECT 1 FROM members AS heirs WHERE heirs.id = :heir AND heirs.state IN ('serving', 'draining'));

-- name: members
-- Everyone who is not gone.
SELECT id, name, kind, site, mounts, host, version, lease, state,
    extract(epoch FROM clock_timestamp() - seen),
    (SELECT count(*) FROM units WHERE units.member = members.id AND units.state = 'taken'),
    files_per_second, bytes_per_second
FROM members WHERE state <> 'gone' ORDER BY kind DESC, site, name, started;

-- name: protected
-- Sessions of others that live, or after whom somebody who lives clears up.
SELECT sessions.id FROM sessions JOIN members ON members.id = sessions.member
WHERE members.id <> :member AND (
    members.state IN ('serving', 'draining') AND members.seen > clock_timestamp() - make_interval(secs => members.lease)
    OR members.state = 'dead' AND members.heir <> :member AND EXISTS (
        SELECT 1 FROM members AS heirs WHERE heirs.id = members.heir AND heirs.state IN ('serving', 'draining')
            AND heirs.seen > clock_timestamp() - make_interval(secs => heirs.lease)
    )
);

-- name: routes
-- The routes by which a member may have a unit now, and how near its site is to them. In use of a seat are mounts that may be
-- open, and units that are going to make theirs. What was changed by hand of all mounts counts instead of what a route says.
WITH me AS (
    SELECT site, name FROM members WHERE id = :member AND state = 'serving'
), used AS MATERIALIZED (
    SELECT seat, number FROM seats_used
)
SELECT routes.id, coalesce(array_position(sites, me.site), 0) AS distance
FROM routes CROSS JOIN me CROSS JOIN wanted LEFT JOIN orders ON orders.run = routes.run
WHERE orders.paused IS NOT TRUE AND orders.draining IS NOT TRUE AND orders.held IS NOT TRUE
  AND (orders.mounts IS NULL OR orders.mounts > (SELECT count(*) FROM holding WHERE holding.run = routes.run))
  AND (cardinality(sites) = 0 OR me.site = ANY(sites)) AND NOT me.name = ANY(refused)
  AND NOT EXISTS (
    SELECT 1 FROM used LEFT JOIN jsonb_each_text(seats) AS one ON one.key = used.seat
    WHERE used.number >= coalesce(CASE used.seat WHEN 'all' THEN wanted.mounts END, one.value::int)
  )
  AND NOT EXISTS (
    SELECT 1 FROM members AS nearer
    WHERE nearer.kind = 'worker' AND nearer.state = 'serving'
      AND nearer.seen > clock_timestamp() - make_interval(secs => nearer.lease)
      AND array_position(sites, nearer.site) < array_position(sites, me.site) AND NOT nearer.name = ANY(refused)
  )
ORDER BY distance, routes.id;

-- name: full
-- The seats that hold this unit back, and how many mounts each may carry for it. What an earlier attempt at it has left open
-- keeps others from its machine, and not the next attempt.
WITH own AS (
    SELECT count(*)::int AS number FROM holding WHERE run = :run AND group_id = :group
)
SELECT one.key, most, position, route
FROM units CROSS JOIN own CROSS JOIN jsonb_each_text(seats) AS one
JOIN seats_used AS used ON used.seat = one.key
CROSS JOIN LATERAL (
    SELECT one.value::int + CASE WHEN one.key LIKE 'machine %' THEN own.number ELSE 0 END AS most
) AS carries
CROSS JOIN wanted
WHERE units.run = :run AND units.group_id = :group
  AND used.number >= coalesce(CASE one.key WHEN 'all' THEN wanted.mounts END, most);

-- name: give
-- A unit has a worker.
UPDATE units SET state = 'taken', member = :member, number = number + 1
WHERE run = :run AND group_id = :group AND state = 'waiting'
RETURNING vm, server, position, sites, seats, content, number;

-- name: route
-- What makes a route.
SELECT run, sites, seats, refused FROM routes WHERE id = :id;

-- name: lead
-- A unit waits by another route from here on.
UPDATE units SET route = :route WHERE run = :run AND group_id = :group;

-- name: settle
-- A worker is through with a unit. What has come to its end, or is not wanted any more, is over.
UPDATE units SET member = '', state = CASE
    WHEN :over
        OR EXISTS (SELECT 1 FROM orders WHERE orders.run = units.run AND orders.draining)
        OR EXISTS (
            SELECT 1 FROM groups JOIN runs ON runs.key = groups.run
            WHERE runs.id = units.run AND groups.group_id = units.group_id AND groups.state IN ('done', 'failed')
        )
    THEN 'over' ELSE 'waiting' END
WHERE member = :member AND state = 'taken'
  AND (:run::text IS NULL OR run = :run AND group_id = :group AND number = :number)
RETURNING run, group_id, state, position, route;

-- name: refuse
-- A worker cannot do a unit, and says why.
UPDATE units SET member = '', state = 'waiting',
    refusals = refusals || jsonb_build_object((SELECT name FROM members WHERE id = :member), :why::text)
WHERE run = :run AND group_id = :group AND member = :member AND number = :number AND state = 'taken'
RETURNING run, group_id, state, position, route, ARRAY(SELECT jsonb_object_keys(refusals));

-- name: tell
-- What the submitter of a run is to hear. When it has ended nobody takes it any more.
INSERT INTO told (run, event) SELECT :run::text, :event::text WHERE EXISTS (SELECT 1 FROM orders WHERE run = :run);

-- name: sessions_of
-- The sessions of a member.
SELECT id FROM sessions WHERE member = :member;

-- name: alive
-- Whether a member lives; whoever would mark it dead waits for the end of this transaction.
SELECT 1 FROM members WHERE id = :member AND state IN ('serving', 'draining') FOR KEY SHARE;

-- name: whose
-- Who has these units, under which lease number, and who clears up after him if he is dead.
SELECT group_id, vm, number, member, CASE WHEN members.state = 'dead' THEN members.heir ELSE '' END
FROM units LEFT JOIN members ON members.id = units.member WHERE run = :run AND group_id = ANY(:groups::text[]);

-- name: overfull
-- A seat of this unit that carries more mounts than it may, once this one is made.
SELECT one.key FROM units CROSS JOIN wanted CROSS JOIN jsonb_each_text(seats) AS one
JOIN seats_used AS used ON used.seat = one.key
WHERE run = :run AND group_id = :group AND one.key NOT LIKE 'machine %'
  AND used.number > CASE one.key WHEN 'all' THEN greatest(wanted.mounts, one.value::int) ELSE one.value::int END
LIMIT 1;

-- name: held_before
-- Who else has had a mount for a unit: what they have left half done is nobody's any more.
SELECT DISTINCT leases.member FROM leases JOIN runs ON runs.key = leases.run
WHERE runs.id = :run AND leases.group_id = :group AND leases.member NOT IN ('', :member);

-- name: may_end
-- Whether a mount is a member's own, or was of one who lives no more and after whom nobody else who lives clears up.
SELECT leases.member IN ('', :member) OR NOT EXISTS (
    SELECT 1 FROM members WHERE members.id = leases.member AND (
        members.state IN ('serving', 'draining')
            AND members.seen > clock_timestamp() - make_interval(secs => members.lease)
        OR members.state = 'dead' AND members.heir <> :member AND EXISTS (
            SELECT 1 FROM members AS heirs WHERE heirs.id = members.heir AND heirs.state IN ('serving', 'draining')
                AND heirs.seen > clock_timestamp() - make_interval(secs => heirs.lease)
        )
    )
)
FROM leases WHERE id = :lease;

-- name: pass_on
-- A dead member after whom its heir cannot clear up is somebody else's, if a worker lives that has not tried it.
UPDATE members SET heir = '', passed_by = passed_by || :heir::text
WHERE id = :member AND state = 'dead' AND heir = :heir AND EXISTS (
    SELECT 1 FROM members AS others
    WHERE others.kind = 'worker' AND others.state IN ('serving', 'draining')
      AND others.seen > clock_timestamp() - make_interval(secs => others.lease)
      AND others.id <> :heir AND others.id <> ALL (members.passed_by)
);
