-- name: begin_run
-- A new run, or an old one that runs again: everything but its key is written anew.
INSERT INTO runs (id, job, state, started, plan, ended, exit_code, checksum)
VALUES (:id, :job, :state, :started, :plan, :ended, :exit_code, :checksum)
ON CONFLICT (id) DO UPDATE SET
    job = excluded.job, state = excluded.state, started = excluded.started, plan = excluded.plan,
    ended = excluded.ended, exit_code = excluded.exit_code, checksum = excluded.checksum;

-- name: forget_problems
-- What is tried again when a run goes on must not be told twice. What a worker is at just now is not tried again.
DELETE FROM outcomes
WHERE run = (SELECT key FROM runs WHERE id = :run) AND verdict IN ('refused', 'failed')
  AND group_id NOT IN (
    SELECT group_id FROM groups WHERE run = (SELECT key FROM runs WHERE id = :run) AND state = 'done'
    UNION ALL SELECT group_id FROM units WHERE units.run = :run AND units.state = 'taken'
  );

-- name: end_run
-- How a run ended; changes no row when the run is unknown.
UPDATE runs SET state = :state, ended = :ended, exit_code = :exit_code WHERE id = :id;

-- name: run
-- One run.
SELECT id, job, state, started, plan, ended, exit_code, checksum FROM runs WHERE id = :id;

-- name: runs
-- All runs, newest first; of runs begun at the same instant the one written last.
SELECT id, job, state, started, plan, ended, exit_code, checksum FROM runs ORDER BY started DESC, key DESC;

-- name: heads
-- All runs, newest first, without their plans.
SELECT id, job, state, started, '', ended, exit_code, checksum FROM runs ORDER BY started DESC, key DESC;

-- name: run_key
-- The short key of a run.
SELECT key FROM runs WHERE id = :run;

-- name: write_group
-- A group as it is now.
INSERT INTO groups (run, group_id, vm, state, message, seconds)
VALUES (:run, :group, :vm, :state, :message, :seconds)
ON CONFLICT (run, group_id) DO UPDATE SET
    vm = excluded.vm, state = excluded.state, message = excluded.message, seconds = excluded.seconds;

-- name: wait_group
-- A group waits, unless a worker is at it just now.
INSERT INTO groups (run, group_id, vm, state, message, seconds)
VALUES (:run, :group, :vm, :state, :message, :seconds)
ON CONFLICT (run, group_id) DO UPDATE SET
    vm = excluded.vm, state = excluded.state, message = excluded.message, seconds = excluded.seconds
WHERE NOT EXISTS (
    SELECT 1 FROM units JOIN runs ON runs.id = units.run
    WHERE runs.key = groups.run AND units.group_id = groups.group_id AND units.state = 'taken'
);

-- name: in_hand
-- How many machines of a run a worker has, or wait for one.
SELECT count(*) FROM units WHERE run = :run AND state <> 'over';

-- name: groups
-- The groups of a run, by id.
SELECT runs.id, group_id, vm, groups.state, message, seconds
FROM groups JOIN runs ON runs.key = groups.run
WHERE runs.id = :run ORDER BY group_id;

-- name: vm_seconds
-- Per machine the duration of the newest group that ended well.
SELECT DISTINCT ON (vm) vm, seconds, runs.started
FROM groups JOIN runs ON runs.key = groups.run
WHERE groups.state = 'done' AND seconds IS NOT NULL ORDER BY vm, runs.started DESC, runs.key DESC;

-- name: write_lease
-- A lease as it is now; its place in the order, and whose it is, stay those of its first writing.
INSERT INTO leases (id, run, group_id, session, point, state, opened, before, task_href, mount_href, share, folder,
                    ended, note, host, member)
VALUES (:id, :run, :group, :session, :point, :state, :opened, :before, :task_href, :mount_href, :share, :folder,
        :ended, :note, :host, :member)
ON CONFLICT (id) DO UPDATE SET
    run = excluded.run, group_id = excluded.group_id, session = excluded.session, point = excluded.point,
    state = excluded.state, opened = excluded.opened, before = excluded.before, task_href = excluded.task_href,
    mount_href = excluded.mount_href, share = excluded.share, folder = excluded.folder, ended = excluded.ended,
    note = excluded.note, host = excluded.host;

-- name: leases
-- The leases of a run, oldest first.
SELECT leases.id, runs.id, group_id, session, point, leases.state, opened, before, task_href, mount_href, share,
       folder, leases.ended, note, host
FROM leases JOIN runs ON runs.key = leases.run
WHERE runs.id = :run ORDER BY opened, leases.key;

-- name: open_leases
-- The leases of any run in one of the states of a JSON list, oldest first.
SELECT leases.id, runs.id, group_id, session, point, leases.state, opened, before, task_href, mount_href, share,
       folder, leases.ended, note, host
FROM leases JOIN runs ON runs.key = leases.run
WHERE leases.state IN (SELECT json_array_elements_text(:states::json)) ORDER BY opened, leases.key;

-- name: write_session
-- A sealed session.
INSERT INTO sessions (id, generation, em_url, started, sealed, member)
VALUES (:id, :generation, :em_url, :started, :sealed, :member)
ON CONFLICT (id) DO UPDATE SET
    generation = excluded.generation, em_url = excluded.em_url, started = excluded.started, sealed = excluded.sealed,
    member = excluded.member;

-- name: sessions
-- Every sealed session, oldest first.
SELECT id, generation, em_url, started, sealed FROM sessions ORDER BY started, id;

-- name: erase_session
-- Forget a session; what is left of it in the files of the server stays sealed.
DELETE FROM sessions WHERE id = :id;

-- name: record
-- What became of many files, none of them there twice. What is restored stays restored; everything else gives way to
-- what came later.
INSERT INTO outcomes (run, group_id, guest_path, target_path, verdict, size, mtime_ns, checksum, reason, message, stood,
                      fidelity)
SELECT * FROM unnest(:run::bigint[], :group::text[], :guest_path::text[], :target_path::text[], :verdict::text[],
                     :size::bigint[], :mtime_ns::bigint[], :checksum::text[], :reason::text[], :message::text[],
                     :stood::text[], :fidelity::text[])
ON CONFLICT (run, group_id, path_key(guest_path)) DO UPDATE SET
    target_path = excluded.target_path, verdict = excluded.verdict, size = excluded.size,
    mtime_ns = excluded.mtime_ns, checksum = excluded.checksum, reason = excluded.reason, message = excluded.message,
    stood = excluded.stood, undone = 0, fidelity = excluded.fidelity
WHERE outcomes.verdict <> 'restored' OR excluded.verdict = 'restored';

-- name: written
-- What is known of files. LATERAL with a limit, so that each of them is looked up and none is read through.
SELECT found.group_id, found.guest_path, found.verdict, found.size, found.reason
FROM unnest(:run::bigint[], :group::text[], :guest_path::text[]) AS asked (run, group_id, guest_path)
CROSS JOIN LATERAL (
    SELECT * FROM outcomes
    WHERE outcomes.run = asked.run AND outcomes.group_id = asked.group_id
      AND path_key(outcomes.guest_path) = path_key(asked.guest_path) LIMIT 1
) AS found;

-- name: totals
-- How many files of each group had which outcome, and how many bytes they hold.
SELECT group_id, verdict, count(*), sum(size)::bigint
FROM outcomes JOIN runs ON runs.key = outcomes.run
WHERE runs.id = :run GROUP BY group_id, verdict;

-- name: problems
-- Refused and failed files, by group and path; a limit of -1 is none.
SELECT group_id, guest_path, target_path, verdict, size, mtime_ns, checksum, reason, message, stood, fidelity
FROM outcomes
WHERE run = (SELECT key FROM runs WHERE id = :run) AND verdict IN ('refused', 'failed')
ORDER BY group_id, guest_path LIMIT NULLIF(:limit::bigint, -1);

-- name: restored
-- Restored files, by target path.
SELECT group_id, guest_path, target_path, verdict, size, mtime_ns, checksum, reason, message, stood, fidelity
FROM outcomes
WHERE run = (SELECT key FROM runs WHERE id = :run) AND verdict = 'restored'
ORDER BY target_path, group_id, guest_path;

-- name: write_original
-- A path that EM was asked to restore to its original location, as it is now.
INSERT INTO originals (run, group_id, guest_path, vm, standing, state, session, asked, before, task_href, size, message,
                       ended)
VALUES (:run, :group, :guest_path, :vm, :standing, :state, :session, :asked, :before, :task_href, :size, :message,
        :ended)
ON CONFLICT (run, group_id, path_key(guest_path)) DO UPDATE SET
    vm = excluded.vm, standing = excluded.standing, state = excluded.state, session = excluded.session,
    asked = excluded.asked, before = excluded.before, task_href = excluded.task_href, size = excluded.size,
    message = excluded.message, ended = excluded.ended;

-- name: originals
-- What EM was asked for by a run, in the order of asking.
SELECT runs.id, group_id, guest_path, vm, standing, originals.state, session, asked, before, task_href, size, message,
       originals.ended
FROM originals JOIN runs ON runs.key = originals.run
WHERE runs.id = :run ORDER BY asked, group_id, guest_path;

-- name: originals_of_vm
-- What EM was asked for by any run, of one machine, oldest first.
SELECT runs.id, group_id, guest_path, vm, standing, originals.state, session, asked, before, task_href, size, message,
       originals.ended
FROM originals JOIN runs ON runs.key = originals.run
WHERE vm = :vm ORDER BY asked, runs.key;

-- name: open_originals
-- What EM was asked for by any run, in one of the states of a JSON list, oldest first.
SELECT runs.id, group_id, guest_path, vm, standing, originals.state, session, asked, before, task_href, size, message,
       originals.ended
FROM originals JOIN runs ON runs.key = originals.run
WHERE originals.state IN (SELECT json_array_elements_text(:states::json)) ORDER BY asked, runs.key;

-- name: forget_originals
-- What EM was asked for by a run.
DELETE FROM originals WHERE run = (SELECT key FROM runs WHERE id = :run);

-- name: write_aside
-- A file that is going to be set aside, or is by now somewhere else.
INSERT INTO asides (run, root, held, relative, size, mtime_ns, checksum, new_size, new_checksum, state)
VALUES (:run, :root, :held, :relative, :size, :mtime_ns, :checksum, :new_size, :new_checksum, :state)
ON CONFLICT (run, path_key(root), path_key(held)) DO UPDATE SET
    relative = excluded.relative, size = excluded.size, mtime_ns = excluded.mtime_ns, checksum = excluded.checksum,
    new_size = excluded.new_size, new_checksum = excluded.new_checksum, state = excluded.state;

-- name: asides
-- Files that a run holds aside, from one on, as many as are asked for.
SELECT root, held, relative, size, mtime_ns, checksum, new_size, new_checksum, state FROM asides
WHERE run = (SELECT key FROM runs WHERE id = :run) AND state = 'held'
  AND (path_key(root), path_key(held)) > (path_key(:root::text), path_key(:held::text))
ORDER BY path_key(root), path_key(held) LIMIT :limit;

-- name: was_aside
-- One row when a run was going to hold a file there.
SELECT 1 FROM asides WHERE run = (SELECT key FROM runs WHERE id = :run)
  AND path_key(root) = path_key(:root::text) AND path_key(held) = path_key(:held::text);

-- name: aside_totals
-- How many files of a run are set aside in each destination, and how many bytes they hold.
SELECT root, count(*), sum(size)::bigint FROM asides
WHERE run = (SELECT key FROM runs WHERE id = :run) AND state = 'held' GROUP BY root ORDER BY root;

-- name: runs_with_asides
-- Runs that hold files aside.
SELECT id FROM runs WHERE key IN (SELECT run FROM asides WHERE state = 'held');

-- name: forget_asides
-- The files a run has set aside.
DELETE FROM asides WHERE run = (SELECT key FROM runs WHERE id = :run);

-- name: note_made
-- Folders that a run has made.
INSERT INTO made (run, path) SELECT * FROM unnest(:run::bigint[], :path::text[]) ON CONFLICT DO NOTHING;

-- name: made
-- Folders that a run has made, the deeper ones of a folder before it.
SELECT path FROM made WHERE run = (SELECT key FROM runs WHERE id = :run) ORDER BY path DESC;

-- name: forget_made
-- The folders a run has made.
DELETE FROM made WHERE run = (SELECT key FROM runs WHERE id = :run);

-- name: to_undo
-- Restored files whose restoring has not been undone, from one on, as many as are asked for.
SELECT group_id, guest_path, target_path, verdict, size, mtime_ns, checksum, reason, message, stood, fidelity
FROM outcomes
WHERE run = (SELECT key FROM runs WHERE id = :run) AND verdict = 'restored' AND undone = 0
  AND (group_id, path_key(guest_path)) > (:group, path_key(:guest_path::text))
ORDER BY group_id, path_key(guest_path) LIMIT :limit;

-- name: mark_undone
-- The restoring of a file has been undone.
UPDATE outcomes SET undone = 1
WHERE run = :run AND group_id = :group AND path_key(guest_path) = path_key(:guest_path::text);

-- name: stood
-- How many restored files of a run had what in their place.
SELECT stood, count(*) FROM outcomes
WHERE run = (SELECT key FROM runs WHERE id = :run) AND verdict = 'restored' GROUP BY stood;

-- name: begin_undo
-- An undo begins.
INSERT INTO undos (run, started, returned, removed, "left") VALUES (:run, :started, 0, 0, 0);

-- name: end_undo
-- How the newest undo of a run has ended.
UPDATE undos SET ended = :ended, returned = :returned, removed = :removed, "left" = :left
WHERE key = (SELECT max(key) FROM undos WHERE run = :run);

-- name: undos
-- The undos of a run, oldest first.
SELECT started, ended, returned, removed, "left" FROM undos
WHERE run = (SELECT key FROM runs WHERE id = :run) ORDER BY key;

-- name: forget_undos
-- The undos of a run.
DELETE FROM undos WHERE run = (SELECT key FROM runs WHERE id = :run);

-- name: forget_stage
-- What became of the folders of a stage, before it is written anew.
DELETE FROM folders WHERE run = :run AND group_id = :group AND stage = :stage;

-- name: write_folders
-- How many folders of a stage have one fidelity.
INSERT INTO folders (run, group_id, stage, fidelity, number) VALUES (:run, :group, :stage, :fidelity, :number);

-- name: fidelity
-- How many files and folders of each group have which fidelity.
SELECT group_id, fidelity, count(*) FROM outcomes
WHERE run = (SELECT key FROM runs WHERE id = :run) AND fidelity <> '' GROUP BY group_id, fidelity
UNION ALL
SELECT group_id, fidelity, sum(number)::bigint FROM folders
WHERE run = (SELECT key FROM runs WHERE id = :run) GROUP BY group_id, fidelity;

-- name: write_drop
-- A claim as it is now; its place among those taken at the same instant stays that of its first writing.
INSERT INTO drops (id, file, taken, state, digest, owner, job, run, attempts, next_try, due, ended, exit_code, line)
VALUES (:id, :file, :taken, :state, :digest, :owner, :job, :run, :attempts, :next_try, :due, :ended, :exit_code,
        :line)
ON CONFLICT (id) DO UPDATE SET
    file = excluded.file, taken = excluded.taken, state = excluded.state, digest = excluded.digest,
    owner = excluded.owner, job = excluded.job, run = excluded.run, attempts = excluded.attempts,
    next_try = excluded.next_try, due = excluded.due, ended = excluded.ended, exit_code = excluded.exit_code,
    line = excluded.line;

-- name: drop
-- One claim.
SELECT id, file, taken, state, digest, owner, job, run, attempts, next_try, due, ended, exit_code, line FROM drops
WHERE id = :id;

-- name: unfinished_drops
-- Every claim that has not ended, oldest first.
SELECT id, file, taken, state, digest, owner, job, run, attempts, next_try, due, ended, exit_code, line FROM drops
WHERE state <> 'ended' ORDER BY taken, key;

-- name: recent_drops
-- The newest claims.
SELECT id, file, taken, state, digest, owner, job, run, attempts, next_try, due, ended, exit_code, line FROM drops
ORDER BY taken DESC, key DESC LIMIT :limit;

-- name: write_schedule
-- Up to when the due times of a schedule have been dealt with.
INSERT INTO schedules (job, seen) VALUES (:job, :seen)
ON CONFLICT (path_key(job)) DO UPDATE SET seen = excluded.seen;

-- name: schedules
-- Every schedule, by job.
SELECT job, seen FROM schedules ORDER BY job;

-- name: forget_schedule
-- A schedule that is no more.
DELETE FROM schedules WHERE path_key(job) = path_key(:job::text);

-- name: write_drill
-- A drill.
INSERT INTO drills (run, job, ended, groups, files, bytes, seconds, slowest, slowest_vm, verify_seconds, differences,
                    removed, exit_code)
VALUES (:run, :job, :ended, :groups, :files, :bytes, :seconds, :slowest, :slowest_vm, :verify_seconds, :differences,
        :removed, :exit_code)
ON CONFLICT (run) DO UPDATE SET
    job = excluded.job, ended = excluded.ended, groups = excluded.groups, files = excluded.files,
    bytes = excluded.bytes, seconds = excluded.seconds, slowest = excluded.slowest, slowest_vm = excluded.slowest_vm,
    verify_seconds = excluded.verify_seconds, differences = excluded.differences, removed = excluded.removed,
    exit_code = excluded.exit_code;

-- name: drills
-- Every drill, newest first.
SELECT run, job, ended, groups, files, bytes, seconds, slowest, slowest_vm, verify_seconds, differences,
       removed, exit_code
FROM drills ORDER BY ended DESC, key DESC;

-- name: drills_of_job
-- The drills of one job, newest first.
SELECT run, job, ended, groups, files, bytes, seconds, slowest, slowest_vm, verify_seconds, differences,
       removed, exit_code
FROM drills WHERE path_key(job) = path_key(:job::text) ORDER BY ended DESC, key DESC;

-- name: keep
-- A single value.
INSERT INTO kept (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: kept
-- A single value; no row when it was never kept.
SELECT value FROM kept WHERE name = :name;

-- name: forget_outcomes
-- The files of a run.
DELETE FROM outcomes WHERE run = (SELECT key FROM runs WHERE id = :run);

-- name: forget_folders
-- What became of the folders of a run.
DELETE FROM folders WHERE run = (SELECT key FROM runs WHERE id = :run);

-- name: forget_leases
-- The leases of a run.
DELETE FROM leases WHERE run = (SELECT key FROM runs WHERE id = :run);

-- name: forget_groups
-- The groups of a run.
DELETE FROM groups WHERE run = (SELECT key FROM runs WHERE id = :run);

-- name: forget_run
-- A run, after all that belongs to it.
DELETE FROM runs WHERE id = :run;

-- name: old_drops
-- Claims that ended before a time, but for those of runs that stay; `gone` is a JSON list of runs that do not.
SELECT id FROM drops
WHERE state = 'ended' AND ended < :before
  AND (run NOT IN (SELECT id FROM runs) OR run IN (SELECT json_array_elements_text(:gone::json)))
ORDER BY taken, key;

-- name: forget_drop
-- A claim.
DELETE FROM drops WHERE id = :id;

-- name: answers
-- Which share shows the mounts of which chain.
SELECT backup_server, kind, os, chain, share FROM answers ORDER BY backup_server, kind, os, chain;

-- name: write_answer
-- The share that shows the mounts of a chain, as it is now.
INSERT INTO answers (backup_server, kind, os, chain, share) VALUES (:backup_server, :kind, :os, :chain, :share)
ON CONFLICT (path_key(backup_server), kind, os, path_key(chain)) DO UPDATE SET share = excluded.share;
