-- name: begin_run
-- A new run, or an old one that goes on.
INSERT INTO run (id, job, state, started, ended, exit_code, plan)
VALUES (:id, :job, :state, :started, :ended, :exit_code, :plan)
ON CONFLICT (id) DO UPDATE SET state = excluded.state, ended = excluded.ended, exit_code = excluded.exit_code;

-- name: forget_problems
-- What a run that goes on will try again must not be told twice.
DELETE FROM outcome
WHERE run = :run AND verdict IN ('refused', 'failed')
  AND mount_group NOT IN (SELECT id FROM mount_group WHERE run = :run AND state = 'done');

-- name: end_run
-- How a run ended.
UPDATE run SET state = :state, ended = :ended, exit_code = :exit_code WHERE id = :id;

-- name: run
-- One run.
SELECT id, job, state, started, ended, exit_code, plan FROM run WHERE id = :id;

-- name: runs
-- Every run, newest first.
SELECT id, job, state, started, ended, exit_code, plan FROM run ORDER BY started DESC, id DESC;

-- name: write_group
-- A group as it is now.
INSERT INTO mount_group (run, id, vm, state, message, seconds)
VALUES (:run, :id, :vm, :state, :message, :seconds)
ON CONFLICT (run, id) DO UPDATE
SET state = excluded.state, message = excluded.message, seconds = excluded.seconds;

-- name: groups
-- The groups of a run.
SELECT run, id, vm, state, message, seconds FROM mount_group WHERE run = :run ORDER BY id;

-- name: vm_seconds
-- How long each machine took when it last ended well; the newest run wins.
SELECT vm, seconds FROM mount_group JOIN run ON run.id = mount_group.run
WHERE mount_group.state = 'done' AND seconds IS NOT NULL ORDER BY run.started, run.id;

-- name: write_lease
-- A lease as it is now.
INSERT INTO lease (id, run, mount_group, session, point, state, opened, before, task_href, mount_href, share, folder,
                   ended, note)
VALUES (:id, :run, :mount_group, :session, :point, :state, :opened, :before, :task_href, :mount_href, :share, :folder,
        :ended, :note)
ON CONFLICT (id) DO UPDATE
SET state = excluded.state, task_href = excluded.task_href, mount_href = excluded.mount_href,
    share = excluded.share, folder = excluded.folder, ended = excluded.ended, note = excluded.note;

-- name: leases
-- The leases of a run, oldest first.
SELECT * FROM lease WHERE run = :run ORDER BY number;

-- name: open_leases
-- Every lease that EM may still hold, oldest first.
SELECT * FROM lease WHERE state IN ('intended', 'requested', 'held', 'lost', 'left') ORDER BY number;

-- name: write_session
-- A sealed session.
INSERT INTO session (id, generation, em_url, started, sealed) VALUES (:id, :generation, :em_url, :started, :sealed)
ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed;

-- name: session
-- A sealed session.
SELECT id, generation, em_url, started, sealed FROM session WHERE id = :id;

-- name: erase_session
-- Overwritten as well: the connection runs with secure_delete.
DELETE FROM session WHERE id = :id;

-- name: record
-- An outcome. What this run has restored stays restored; any other outcome gives way to a newer one.
INSERT INTO outcome (run, mount_group, guest_path, target_path, verdict, size, mtime_ns, checksum, reason, message)
VALUES (:run, :mount_group, :guest_path, :target_path, :verdict, :size, :mtime_ns, :checksum, :reason, :message)
ON CONFLICT (run, mount_group, guest_path) DO UPDATE
SET target_path = excluded.target_path, verdict = excluded.verdict, size = excluded.size,
    mtime_ns = excluded.mtime_ns, checksum = excluded.checksum, reason = excluded.reason, message = excluded.message
WHERE outcome.verdict <> 'restored' OR excluded.verdict = 'restored';

-- name: totals
-- Files and bytes by group and verdict.
SELECT mount_group, verdict, count(*), sum(size) FROM outcome WHERE run = :run GROUP BY mount_group, verdict;

-- name: problems
-- Refused and failed files, by group and path; a limit of -1 means all.
SELECT mount_group, guest_path, target_path, verdict, size, mtime_ns, checksum, reason, message FROM outcome
WHERE run = :run AND verdict IN ('refused', 'failed') ORDER BY mount_group, guest_path LIMIT :most;

-- name: restored_page
-- Restored files after a given one, by group and guest path.
SELECT mount_group, guest_path, target_path, verdict, size, mtime_ns, checksum, reason, message FROM outcome
WHERE run = :run AND verdict = 'restored' AND (mount_group, guest_path) > (:mount_group, :guest_path)
ORDER BY mount_group, guest_path LIMIT :most;

-- name: settled
-- The guest paths of a group that need no second try.
SELECT guest_path FROM outcome WHERE run = :run AND mount_group = :mount_group AND verdict IN ('restored', 'skipped');
