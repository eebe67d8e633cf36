# ruff: noqa: E501 - a fault is shown as it stands in the code
"""The faults that are planted into a copy of the package, one at a time: see tests/chaos/mutations.py."""

from dataclasses import dataclass

CHAOS = (
    "tests/chaos/test_every_event.py",
    "tests/chaos/test_every_call.py",
    "tests/chaos/test_session_killer.py",
    "tests/chaos/test_lease_machine.py",
    "tests/chaos/test_events_add_up.py",
    "tests/chaos/test_nothing_moves.py",
    "tests/chaos/test_proof_of_absence.py",
    "tests/rooms/test_em_client.py",
)
NEIGHBOURS = "tests/chaos/test_bad_neighbours.py"
NOTHING_MOVES = "tests/chaos/test_nothing_moves.py"
ABSENCE = "tests/chaos/test_proof_of_absence.py"
SESSIONS = "tests/chaos/test_session_killer.py"
LEASES = "tests/chaos/test_lease_machine.py"
CLIENT = "tests/rooms/test_em_client.py"
HANGING = "tests/rooms/test_engine_hanging.py"
MANNERS = "tests/rooms/test_engine_manners.py"
OPENING = "tests/rooms/test_opening.py"
TROUBLE = "tests/chaos/test_source_trouble.py"
HEALTH = "tests/core/test_core_health.py"
TARGET = "tests/rooms/test_files_target.py"
WALK = "tests/rooms/test_files_walk.py"
CONTINUING = "tests/rooms/test_files_continuing.py"
STOPPING = "tests/flow/test_flow_stopping.py"
STOP_FILE = "tests/flow/test_flow_stop_file.py"
SERVICE = "tests/rooms/test_cli_service.py"
BEATEN = "tests/chaos/test_beaten_fleet.py"
UNITS = "tests/rooms/test_fleet_units.py"
TENURE = "tests/rooms/test_engine_tenure.py"


@dataclass(frozen=True)
class Mutation:
    """`old` stands once in `file` and becomes `new`; `tests` are the files that should notice."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...] = CHAOS


LAWS = (
    Mutation(
        "no shield on release",
        "engine/leases.py",
        "with CancelScope(shield=True):\n            with move_on_after(self._rooms.settings.unmount_timeout):",
        "with CancelScope(shield=False):\n            with move_on_after(self._rooms.settings.unmount_timeout):",
    ),
    Mutation(
        "no intended row",
        "engine/leases.py",
        "        await self._books.write_lease(row)\n        return Lease(row, generation, self._rooms.mounts)",
        "        return Lease(row, generation, self._rooms.mounts)",
    ),
    Mutation(
        "final name written directly",
        "files/authors.py",
        '    return f".{short}{mark}{PARTIAL_SUFFIX}"',
        "    return name",
    ),
    Mutation(
        "times forgotten",
        "files/staging.py",
        "                folder.set_file_times(partial, writing, entry.mtime_ns)\n",
        "",
    ),
    Mutation(
        "cookie jar on",
        "enterprise_manager/transport.py",
        "cookie_jar=aiohttp.DummyCookieJar(),",
        "cookie_jar=aiohttp.CookieJar(unsafe=True),",
    ),
    Mutation(
        "no single flight",
        "enterprise_manager/session.py",
        "            if self._live is not refused:\n                return self.live()\n",
        "",
    ),
    Mutation(
        "generation not checked",
        "enterprise_manager/client.py",
        "        if live.generation != generation:\n",
        "        if False:\n",
    ),
    Mutation(
        "no shield on handing over what is done",
        "engine/scribe.py",
        "with move_on_after(HANDOVER_WITHIN, shield=True), suppress",
        "with move_on_after(HANDOVER_WITHIN), suppress",
    ),
    Mutation(
        "sessions without mounts are not swept",
        "engine/sweeping.py",
        "held: dict[str, list[LeaseRow]] = {session: [] for session in kept",
        "held: dict[str, list[LeaseRow]] = {session: [] for session in ()",
    ),
    Mutation(
        "an empty share proves a mount gone",
        "core/locate.py",
        "        return listing.identity == identity\n",
        "        return True\n",
    ),
    Mutation(
        "waiting for a thread is a stall",
        "engine/pulse.py",
        "    last: float | None = None\n",
        "    last: float | None = field(default_factory=time.monotonic)\n",
    ),
    Mutation(
        "what follows a file that stalled is left out",
        "engine/stages.py",
        "        left = batch.works[reached:]\n",
        "        left = ()\n",
    ),
    Mutation(
        "a file that is told of twice counts twice",
        "engine/scribe.py",
        "totals, over = change(outcomes, befores), solved(outcomes, befores)",
        "totals, over = change(outcomes, [None for _ in befores]), ()",
    ),
    Mutation(
        "restored before it is flushed",
        "engine/scribe.py",
        "self._silent = not await self._flushed(self._flush)",
        "await self._flushed(self._flush)",
    ),
)
"""Faults against the laws, each looked for by the whole of the chaos tests."""

CASES = (
    Mutation(
        "a share that hangs is waited for",
        "engine/calls.py",
        "                beside.start_soon(pulse.watch, self._stall, patience)\n",
        "",
        (HANGING, NOTHING_MOVES + "::test_a_walk_that_does_not_get_on_fails_what_was_asked_for_there_and_nothing_else"),
    ),
    Mutation(
        "a share that hangs is asked again and again",
        "engine/calls.py",
        "            raise TimeoutError(errno.ETIMEDOUT, told, where)\n",
        "",
        (
            HANGING,
            NOTHING_MOVES + "::test_a_share_that_cannot_be_listed_before_a_mount_costs_its_machines_and_one_wait",
        ),
    ),
    Mutation(
        "a file that hangs is waited for",
        "engine/pulse.py",
        "            self.scope.cancel()\n",
        "            pass\n",
        (
            NOTHING_MOVES + "::test_a_share_that_hangs_while_files_are_copied_is_given_up_as_a_whole",
            NEIGHBOURS + "::test_a_read_that_does_not_move_is_given_up_and_tried_once_more_at_the_end",
        ),
    ),
    Mutation(
        "a share that hangs is given up file by file",
        "engine/stages.py",
        '            raise MountStalled(vm=self.course.group.vm, cause=f"{root}: {error.strerror}") from error\n',
        "            return\n",
        (NOTHING_MOVES + "::test_a_share_that_hangs_while_files_are_copied_is_given_up_as_a_whole",),
    ),
    Mutation(
        "a flush that hangs is waited for",
        "engine/scribe.py",
        "                waiting.start_soon(self._limit, waiting.cancel_scope)\n",
        "",
        (NOTHING_MOVES + "::test_a_flush_that_never_ends_is_left_behind_and_nothing_is_told_as_restored",),
    ),
    Mutation(
        "a second request to stop does not reach a flush that hangs",
        "engine/scribe.py",
        "        with move_on_after(longest) as patience, self._stop.governs(patience):\n",
        "        with move_on_after(longest):\n",
        (NOTHING_MOVES + "::test_a_flush_that_never_ends_is_left_behind_and_nothing_is_told_as_restored",),
    ),
    Mutation(
        "a journal that hangs is waited for",
        "engine/books.py",
        "        with move_on_after(ANSWER_WITHIN, shield=True):\n",
        "        with move_on_after(None, shield=True):\n",
        (
            HANGING,
            NOTHING_MOVES + "::test_a_journal_that_does_not_answer_ends_the_run_as_one_that_fails_and_leaves_no_mount",
        ),
    ),
    Mutation(
        "a journal that hangs is asked again and again",
        "engine/books.py",
        "                if self._hanging is not None and not self._hanging.over:\n",
        "                if False:\n",
        (
            HANGING,
            NOTHING_MOVES + "::test_a_journal_that_does_not_answer_ends_the_run_as_one_that_fails_and_leaves_no_mount",
        ),
    ),
    Mutation(
        "a drop folder that hangs keeps the watcher",
        "engine/answering.py",
        "                with mine.forestalls():  # the drop folder may hang\n                    content = await to_thread.run_sync(self._jobs.content, running.row, abandon_on_cancel=True)\n",
        "                content = await to_thread.run_sync(self._jobs.content, running.row, abandon_on_cancel=True)\n",
        ("tests/rooms/test_engine_watcher.py",),
    ),
    Mutation(
        "an answer to a job that hangs is waited for",
        "engine/intake.py",
        "            with fail_after(ANSWER_WITHIN):\n",
        "            with fail_after(None):\n",
        ("tests/rooms/test_engine_watcher.py",),
    ),
    Mutation(
        "no heartbeat of the session",
        "engine/sessions.py",
        "            await session.touch()\n",
        "            pass\n",
        (SESSIONS + "::test_the_heartbeat_keeps_the_session_while_nothing_is_mounted",),
    ),
    Mutation(
        "no heartbeat of the mounts",
        "engine/groups.py",
        "                guarded.start_soon(beat, self._rooms, lease)\n",
        "",
        (SESSIONS + "::test_the_heartbeat_asks_for_every_mount_that_is_open_because_an_idle_one_may_be_closed",),
    ),
    Mutation(
        "a mount that EM no longer has goes unnoticed",
        "engine/heartbeat.py",
        "    except (SessionEnded, NotFound) as error:\n        raise MountLost(vm=lease.row.point.vm, cause=str(error)) from error\n",
        "    except SessionEnded as error:\n        raise MountLost(vm=lease.row.point.vm, cause=str(error)) from error\n",
        (SESSIONS + "::test_a_mount_that_em_no_longer_has_is_one_loss_and_is_made_again",),
    ),
    Mutation(
        "holders of a mount are not told of a renewal",
        "engine/sessions.py",
        "            self._ended.pop(older).set()\n",
        "            self._ended.pop(older)\n",
        (SESSIONS + "::test_when_one_meets_the_end_of_the_session_all_who_hold_its_mounts_are_told_at_once",),
    ),
    Mutation(
        "a share folder that vanishes is many file errors",
        "engine/copying.py",
        "        return root is None or root.kind is EntryKind.UNREADABLE\n",
        "        return False\n",
        (NEIGHBOURS + "::test_a_folder_that_vanishes_is_one_lost_mount_and_not_many_file_errors",),
    ),
    Mutation(
        "a mount that is lost is not made again",
        "engine/groups.py",
        "                losses = 0 if self._files(group) > before else losses + 1\n",
        "                losses = LOSSES_WITHOUT_PROGRESS\n",
        (SESSIONS + "::test_a_mount_that_em_no_longer_has_is_one_loss_and_is_made_again",),
    ),
    Mutation(
        "a refused renewal is tried by everybody",
        "enterprise_manager/session.py",
        "                self._live = None\n            raise\n",
        "                pass\n            raise\n",
        (
            CLIENT + "::test_a_refused_renewal_is_not_tried_again_until_it_is_opened",
            "tests/review/test_review_run.py::test_a_wrong_password_in_the_middle_is_tried_once_however_many_machines_wait",
        ),
    ),
    Mutation(
        "large files begin anew after a loss",
        "files/staging.py",
        "        if entry.size < self.continue_from:\n            return None\n",
        "        return None\n",
        (CONTINUING,),
    ),
    Mutation(
        "what another run left of a large file is gone on with",
        "files/target.py",
        "            if entry.size >= self._staging.continue_from and key not in self._interrupted:\n",
        "            if False:\n",
        (CONTINUING,),
    ),
    Mutation(
        "a kept block is not compared",
        "files/continuing.py",
        "            if _same_block(descriptor, reading, size - block, block) and _read_again",
        "            if _read_again",
        (CONTINUING,),
    ),
    Mutation(
        "a lost answer is not waited for while EM mounts",
        "engine/leases.py",
        "            until = deadline if at_work else min(deadline, begun + SETTLE)\n",
        "            until = min(deadline, begun + SETTLE)\n",
        (NEIGHBOURS + "::test_a_lost_answer_is_waited_for_as_long_as_em_is_at_work_on_a_mount",),
    ),
    Mutation(
        "a POST without an answer counts as no mount",
        "engine/leases.py",
        "        return await self._await_new(lease, current_time() + self._rooms.settings.unmount_timeout)\n",
        "        return []\n",
        (LEASES,),
    ),
    Mutation(
        "a task that stays Running is waited for",
        "engine/leases.py",
        "            if current_time() + pause > deadline:\n                if",
        "            if False:\n                if",
        (NEIGHBOURS + "::test_a_task_that_never_ends_is_reported_and_can_be_swept",),
    ),
    Mutation(
        "an unmount that hangs is waited for",
        "engine/leases.py",
        "            with move_on_after(self._rooms.settings.unmount_timeout):\n                try:\n                    await self._delete",
        "            with move_on_after(None):\n                try:\n                    await self._delete",
        (NEIGHBOURS + "::test_an_unmount_that_hangs_is_abandoned_named_and_swept_later",),
    ),
    Mutation(
        "a delete is tried once",
        "enterprise_manager/wire/requests.py",
        '    return Request("DELETE", href, f"the deletion of {href}", repeatable=True)\n',
        '    return Request("DELETE", href, f"the deletion of {href}", repeatable=False)\n',
        (NEIGHBOURS + "::test_a_delete_that_fails_at_first_is_repeated_until_the_mount_is_gone",),
    ),
    Mutation(
        "a delete whose task failed counts as done",
        "engine/leases.py",
        "            if task is None or task.success:\n                return\n            await sleep(pause)\n",
        "            return\n            await sleep(pause)\n",
        (MANNERS,),
    ),
    Mutation(
        "a mount that is left is not told",
        "engine/leases.py",
        "            self._emit_left(lease, cause)\n",
        "",
        (NEIGHBOURS + "::test_an_unmount_that_hangs_is_abandoned_named_and_swept_later",),
    ),
    Mutation(
        "a mount that is left counts as released",
        "engine/leases.py",
        "                await self._record(lease, LeaseStep.LEFT, note=cause, ended=True)\n",
        "                await self._record(lease, LeaseStep.RELEASED, note=cause, ended=True)\n",
        (NEIGHBOURS + "::test_an_unmount_that_hangs_is_abandoned_named_and_swept_later",),
    ),
    Mutation(
        "the session of a mount that is left is logged off",
        "engine/restore.py",
        "    if rooms.session.generation in settled or not books.knows(rooms.session.generation):\n",
        "    if True:\n",
        (NEIGHBOURS + "::test_an_unmount_that_hangs_is_abandoned_named_and_swept_later",),
    ),
    Mutation(
        "Retry-After is not honoured",
        "enterprise_manager/retrying.py",
        "        return retry_after(said, self._clock()) + pause\n",
        "        return pause\n",
        (CLIENT + "::test_what_is_safe_to_repeat_is_repeated_with_jitter",),
    ),
    Mutation(
        "503 is not tried again",
        "enterprise_manager/retrying.py",
        "    return isinstance(failed, EmUnreachable | EmBusy)\n",
        "    return isinstance(failed, EmUnreachable)\n",
        (CLIENT + "::test_what_is_safe_to_repeat_is_repeated_with_jitter",),
    ),
    Mutation(
        "tasks are polled without a pause",
        "engine/leases.py",
        "            await sleep(pause)\n            pause = min(pause * 1.5, self._rooms.settings.poll_most)\n            task =",
        "            task =",
        (MANNERS,),
    ),
    Mutation(
        "tasks are polled ten times a second",
        "config_limits.py",
        '        default=1.0, gt=0, description="Seconds before a task of EM',
        '        default=0.1, gt=0, description="Seconds before a task of EM',
        (MANNERS,),
    ),
    Mutation(
        "no cap on requests",
        "enterprise_manager/pacing.py",
        "            await self._sleep(-self._tokens / self._rate)\n",
        "            pass\n",
        (CLIENT + "::test_over_time_no_more_requests_are_sent_than_the_cap_allows_whoever_sends_them",),
    ),
    Mutation(
        "a dead session is not taken up again",
        "engine/sweeping.py",
        "        return await rooms.reviver.revive(kept.sealed)\n",
        "        return None\n",
        (
            STOPPING + "::test_after_a_kill_a_new_run_sweeps_before_it_mounts",
            STOPPING + "::test_after_a_kill_in_the_middle_of_copying_resume_sweeps_and_completes",
        ),
    ),
    Mutation(
        "what a dead run held is not swept",
        "engine/sweeping.py",
        "    for row in await books.ask(rooms.leases.open_leases):\n",
        "    for row in ():\n",
        (STOPPING + "::test_after_a_kill_a_new_run_sweeps_before_it_mounts",),
    ),
    Mutation(
        "groups that are done are done again",
        "engine/restore.py",
        "known[group.id].state is not GroupState.DONE\n",
        "True\n",
        ("tests/chaos/test_events_add_up.py::test_what_earlier_processes_did_is_told_first_their_problems_too",),
    ),
    Mutation(
        "nothing is flushed in the mode by batch",
        "engine/scribe.py",
        "        if self._flush is not None and not self._silent:\n",
        "        if False:\n",
        (NEIGHBOURS + "::test_in_the_durable_mode_by_batch_the_disk_is_flushed_before_the_journal_says_restored",),
    ),
    Mutation(
        "the mode by batch is not handed on",
        "opening.py",
        '            flush=self.target.flush if config.copying.durable == "batch" else None,\n',
        "            flush=None,\n",
        (OPENING,),
    ),
    Mutation(
        "the mode by file does not flush the file",
        "files/staging.py",
        "                if self.durable:\n                    os.fsync(writing)\n",
        "",
        (TARGET,),
    ),
    Mutation(
        "the mode by file does not flush the folder",
        "files/staging.py",
        "                folder.sync()\n",
        "                pass\n",
        (TARGET,),
    ),
    Mutation(
        "the mode by file is not handed on",
        "reaching.py",
        'local, config.copying.checksum, durable=durable == "file",',
        "local, config.copying.checksum, durable=False,",
        (OPENING,),
    ),
    Mutation(
        "the mode by file is not handed on to copying processes",
        "opening.py",
        'checksum, config.copying.durable == "file", read_back',
        "checksum, False, read_back",
        (OPENING,),
    ),
    Mutation(
        "a mount is in the journal but not on the disk",
        "journal/store.py",
        "            self._connection.execute(f\"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}\")\n",
        "            pass\n",
        ("tests/rooms/test_journal_store.py",),
    ),
    Mutation(
        "a second process may use the state folder",
        "locking.py",
        "            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)\n",
        "            pass\n",
        (STOPPING + "::test_a_second_orchestrator_on_the_same_state_folder_ends_with_5_and_the_first_goes_on",),
    ),
    Mutation(
        "the first request to stop cancels",
        "engine/stopping.py",
        "        if not self.draining:\n            self.drain()\n        elif",
        "        if not self.draining:\n            self.cancel()\n        elif",
        (STOPPING + "::test_a_drain_finishes_the_file_in_flight",),
    ),
    Mutation(
        "the second request to stop does nothing",
        "engine/stopping.py",
        "        elif not self.cancelled:\n            self.cancel()\n",
        "",
        (STOPPING + "::test_two_signals_give_up_the_file_in_flight_and_resume_completes",),
    ),
    Mutation(
        "a drain may take for ever",
        "engine/stopping.py",
        "        await sleep(grace)\n        if not self.cancelled:\n            self.cancel()\n",
        "        await sleep(grace)\n",
        (NEIGHBOURS + "::test_a_drain_that_takes_longer_than_its_grace_becomes_a_cancel",),
    ),
    Mutation(
        "systemd is not asked for time at each deletion",
        "cli/service.py",
        "                words = [*words, _extension()]\n",
        "                pass\n",
        (SERVICE,),
    ),
    Mutation(
        "systemd is not asked for time while a deletion takes long",
        "cli/service.py",
        "            words.append(_extension())\n",
        "            pass\n",
        (SERVICE,),
    ),
    Mutation(
        "a stop file asks nothing",
        "engine/stopping.py",
        "            stop.ask()\n        await sleep(every)\n",
        "            pass\n        await sleep(every)\n",
        (STOP_FILE + "::test_a_stop_file_drains_the_run_that_is_going_on_and_is_taken_away",),
    ),
    Mutation(
        "a server that fails is not paused",
        "core/health.py",
        "TRIP_AFTER = 3\n",
        "TRIP_AFTER = 1 << 30\n",
        (
            HEALTH,
            NEIGHBOURS
            + "::test_a_backup_server_whose_mounts_keep_failing_is_paused_and_given_up_and_the_others_finish",
        ),
    ),
    Mutation(
        "after a pause a server gets all its mounts at once",
        "core/health.py",
        "            return 1 if now >= self.until else 0\n",
        "            return configured if now >= self.until else 0\n",
        (HEALTH, MANNERS),
    ),
    Mutation(
        "after a pause nothing is tried",
        "core/health.py",
        "            return 1 if now >= self.until else 0\n",
        "            return 0\n",
        (HEALTH, MANNERS),
    ),
    Mutation(
        "a server is never given up",
        "core/health.py",
        "    if trips > PROBES:\n",
        "    if False:\n",
        (
            HEALTH,
            NEIGHBOURS
            + "::test_a_backup_server_whose_mounts_keep_failing_is_paused_and_given_up_and_the_others_finish",
        ),
    ),
    Mutation(
        "a failing server keeps its mounts",
        "core/health.py",
        "    weaker = replace(health, failures=failures, share=health.share / 2)\n",
        "    weaker = replace(health, failures=failures)\n",
        (HEALTH, MANNERS),
    ),
    Mutation(
        "a slow server keeps its mounts",
        "core/health.py",
        "    share = health.share / 2 if slow else",
        "    share = health.share if slow else",
        (HEALTH, MANNERS),
    ),
    Mutation(
        "a good mount gives everything back",
        "core/health.py",
        "min(1.0, health.share + 1 / configured)",
        "1.0",
        (HEALTH, MANNERS),
    ),
    Mutation(
        "the health of a server is not asked for",
        "engine/seats.py",
        "        allowed = {name.casefold(): self._of(name).mounts(self._limits.of_server(name), now) for name in servers}\n",
        "        allowed = {name.casefold(): self._limits.of_server(name) for name in servers}\n",
        (MANNERS,),
    ),
    Mutation(
        "nobody waits for the end of a pause",
        "engine/seats.py",
        "        with move_on_after(next_change(self._health, current_time())):\n",
        "        with move_on_after(None):\n",
        (MANNERS, NEIGHBOURS + "::test_a_paused_server_that_recovers_is_used_again"),
    ),
    Mutation(
        "how long a mount took is not told to its seat",
        "engine/groups.py",
        "            self._seats.mounted(server, lease.seconds)\n",
        "            self._seats.mounted(server, 1.0)\n",
        (NEIGHBOURS + "::test_how_long_a_mount_took_is_known_where_the_places_are_given",),
    ),
    Mutation(
        "what fails in passing is not tried again",
        "engine/stages.py",
        "            await stage.again()\n",
        "",
        (NEIGHBOURS + "::test_a_file_that_fails_for_a_passing_reason_is_restored_at_the_end",),
    ),
    Mutation(
        "what stalls is not tried again",
        "engine/stages.py",
        "        Reason.STALLED,\n",
        "",
        (NEIGHBOURS + "::test_a_read_that_does_not_move_is_given_up_and_tried_once_more_at_the_end",),
    ),
    Mutation(
        "a run that only fails goes on",
        "engine/scribe.py",
        "        if hopeless and not self._stop.draining:\n",
        "        if False:\n",
        (NEIGHBOURS + "::test_a_run_that_only_produces_errors_is_stopped",),
    ),
    Mutation(
        "a full destination is not noticed",
        "engine/space.py",
        "        fits = free >= size\n",
        "        fits = True\n",
        (NEIGHBOURS + "::test_a_full_destination_pauses_says_so_and_goes_on_when_there_is_room", MANNERS),
    ),
    Mutation(
        "a destination is filled to the last byte",
        "engine/space.py",
        "        return free - self._rooms.settings.reserve\n",
        "        return free\n",
        (MANNERS,),
    ),
    Mutation(
        "what was granted does not count as used",
        "engine/space.py",
        "        self._free[destination] = looked, free - size if fits else free\n",
        "        self._free[destination] = looked, free\n",
        (MANNERS,),
    ),
    Mutation(
        "a destination that stays full is waited for",
        "engine/space.py",
        "            if current_time() > until:\n",
        "            if False:\n",
        (NEIGHBOURS + "::test_a_destination_that_stays_full_ends_the_run_resumable_and_with_no_mount",),
    ),
    Mutation(
        "what failed is no job",
        "artefacts.py",
        "    if residual_job(planned, problems) is not None:\n",
        "    if False:\n",
        (NEIGHBOURS + "::test_what_stays_locked_is_in_the_residual_job_and_running_that_finishes_the_night",),
    ),
    Mutation(
        "the residual job restores what nobody can cure",
        "core/residual.py",
        "or reason in NOT_REPEATED ",
        "",
        ("tests/core/test_core_residual.py",),
    ),
    Mutation(
        "the residual job forgets the restore point",
        "core/residual.py",
        '        "restore_point": group.point.uid,\n',
        "",
        ("tests/core/test_core_residual.py",),
    ),
    Mutation(
        "an unreadable folder ends the walk",
        "files/walk.py",
        "        except OSError as error:\n            yield unreadable(folder.relative, error)\n",
        "        finally:\n            pass\n",
        (WALK, TROUBLE),
    ),
    Mutation(
        "an unreadable file is skipped in silence",
        "files/walk.py",
        "            except OSError as error:\n                yield unreadable(relative, error)\n                continue\n",
        "            except OSError:\n                continue\n",
        (WALK, TROUBLE),
    ),
    Mutation(
        "a file that is locked is a write error",
        "files/translate.py",
        "    errno.EBUSY: Reason.LOCKED,\n",
        "",
        ("tests/rooms/test_files_translate.py", TROUBLE),
    ),
    Mutation(
        "a file that vanished is a read error",
        "files/translate.py",
        "    errno.ENOENT: Reason.VANISHED,\n",
        "",
        ("tests/rooms/test_files_translate.py", TROUBLE),
    ),
    Mutation(
        "a file that grew is cut off",
        "files/copying.py",
        "        if not count or copied > size:\n            break\n",
        "        if not count:\n            break\n        if copied > size:\n            return\n",
        (TARGET, TROUBLE),
    ),
    Mutation(
        "a file that shrank is restored",
        "files/copying.py",
        "    if copied != size:\n        raise changed(relative, size, copied)\n",
        "",
        (TARGET, TROUBLE),
    ),
    Mutation(
        "a name that no disk holds ends the walk",
        "engine/walking.py",
        "        except PathRefused as error:\n            self._outcomes.append(self._refused(entry, str(guest), error.reason, str(error)))\n            return\n",
        "        finally:\n            pass\n",
        (TROUBLE,),
    ),
    Mutation(
        "of two names that differ in case the second wins",
        "engine/walking.py",
        "        if self.folds_case and (other := self._same_but_for_case(entry.relative)):\n",
        "        if False and (other := self._same_but_for_case(entry.relative)):\n",
        (TROUBLE,),
    ),
    Mutation(
        "the staging name is as long as the name",
        "files/authors.py",
        "    short = hashlib.blake2b(name.encode(_ENCODING, _ERRORS), digest_size=8).hexdigest()\n",
        "    short = name\n",
        (TARGET, TROUBLE),
    ),
    Mutation(
        "a folder that contains itself is walked for ever",
        "files/walk.py",
        '    return CIRCLE if identity in trail else ""\n',
        '    return ""\n',
        (WALK,),
    ),
    Mutation(
        "links are followed",
        "files/walk.py",
        "                status = child.stat(follow_symlinks=False)\n",
        "                status = child.stat(follow_symlinks=True)\n",
        (WALK, TROUBLE),
    ),
    Mutation(
        "a pipe is read",
        "core/decide.py",
        "        case EntryKind.SPECIAL:\n            return Refuse(Reason.SPECIAL)\n",
        "",
        (TROUBLE,),
    ),
    Mutation(
        "a very large folder is held in memory",
        "files/walk.py",
        "    first = list(islice(children, SORTED_AT_MOST + 1))\n",
        "    first = list(children)\n",
        (WALK,),
    ),
    Mutation(
        "what a dead worker had mounted is not deleted",
        "engine/inheriting.py",
        "        return await sweep(rooms, self._books, within=0)\n",
        "        return [], []\n",
        (BEATEN,),
    ),
    Mutation(
        "a worker that begins sweeps what is its heirs'",
        "fleet.py",
        "        if self.renewals is not None and self.renewals.member.kind is MemberKind.WORKER:\n",
        "        if False:\n",
        (UNITS,),
    ),
    Mutation(
        "two workers have one partial name",
        "files/authors.py",
        '    return f".{id[:MARK]}" if id else ""\n',
        '    return ""\n',
        ("tests/rooms/test_files_authors.py",),
    ),
    Mutation(
        "who has a unit and not who has made its mount may write about that",
        "journal_postgres/fence.py",
        "        if not known:\n",
        "        if True:\n",
        ("tests/rooms/test_fleet_fence.py",),
    ),
    Mutation(
        "a worker that waited for longer than its lease writes one piece more",
        "engine/tenure.py",
        "            check(count)\n            self._tenure.check()\n",
        "            self._tenure.check()\n            check(count)\n",
        (TENURE,),
    ),
)
"""One fault for each trouble that is met, looked for by the tests of that part."""
