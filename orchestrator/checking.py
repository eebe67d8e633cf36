"""`orchestrator check`: everything that can be known before anything is mounted, asked and graded. Writes nothing."""

from collections.abc import Sequence
from contextlib import closing

from orchestrator.config import Config
from orchestrator.core.errors import EmError, ExitCode, JobInvalid
from orchestrator.core.plan import Plan
from orchestrator.core.preflight import (
    Check,
    Finding,
    Grade,
    exit_code,
    failed,
    machines,
    offered,
    passed,
    unreachable_fall_backs,
)
from orchestrator.engine.preflight import Wanted, preflight, wanted_by
from orchestrator.enterprise_manager import Client
from orchestrator.listing import NamedJob
from orchestrator.opening import engine_settings, make_client, now, stopped_from_outside
from orchestrator.planning import close, em_findings, find_plan, unheard
from orchestrator.reaching import make_source, make_target, takes


async def check_all(config: Config, jobs: Sequence[NamedJob]) -> list[Finding]:
    """What is found about EM, the shares and the destinations; of `jobs`, or of the whole config when there are none.

    What cannot be asked because something before it failed is not there. StoppedEarly; ConfigInvalid.
    """
    client = make_client(config)
    async with client, stopped_from_outside(unheard, None) as stop:
        with stop.forestalls():
            try:
                findings = await em_findings(client, config)
                plans = [] if exit_code(findings) else await _inside(client, config, jobs, findings)
            finally:
                await close(client)
            return findings + await _outside(config, jobs, plans)
    raise AssertionError("a forestalled block returns or raises")


async def _inside(client: Client, config: Config, jobs: Sequence[NamedJob], findings: list[Finding]) -> list[Plan]:
    """The plans of `jobs`; what EM says to our account is added to `findings`."""
    username = config.enterprise_manager.username
    try:
        await client.open()
    except EmError as error:
        findings.append(failed(Check.LOGON, error))
        return []
    findings.append(passed(Check.LOGON, f"{username} may log on"))
    try:
        findings.append(offered(await client.glimpse()))
    except EmError as error:
        findings.append(offered(error))
        return []
    plans = []
    for named in jobs:
        try:
            one = await find_plan(client, config, named, named.job.name, {})
        except (EmError, JobInvalid) as error:
            findings.append(failed(Check.JOB, error, named.job.name))
            continue
        plans.append(one)
        findings += _planned(named, one)
    return plans


def _planned(named: NamedJob, one: Plan) -> list[Finding]:
    problems = [
        Finding(Check.JOB, Grade.FAIL, f"{named.place}: {problem}", "", (named.job.name,), ExitCode.WORDS)
        for problem in one.problems
    ]
    good = passed(Check.JOB, f"{named.place}: {len(one.groups):,} to mount", named.job.name)
    return [*(problems or [good]), *machines(one, now())]


async def _outside(config: Config, jobs: Sequence[NamedJob], plans: Sequence[Plan]) -> list[Finding]:
    """The shares and destinations: of the plans, or all that the config names when no job was given."""
    wanted = wanted_by(plans)
    if not jobs:
        wanted = Wanted([one.name for one in config.backup_servers], dict.fromkeys(config.targets.allow, ()))
    with closing(make_source(config)) as source, closing(make_target(config, source)) as target:
        settings = engine_settings(config)
        findings = (await preflight(wanted, target, source, settings, takes)).findings
        return findings + unreachable_fall_backs(plans, lambda server: settings.reach(server) is not None)
