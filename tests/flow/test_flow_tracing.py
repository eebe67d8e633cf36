"""Traces of real runs: to a collector that listens, to one that hangs, to none, and without OpenTelemetry."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from orchestrator.cli.measuring import CLOSE_WITHIN
from tests.support.flow import Flow, entry_of, flow, small

pytestmark = pytest.mark.flow


@dataclass
class Collector:
    """What takes OTLP over HTTP, as a collector would; or takes the request and never answers."""

    hangs: bool = False
    spans: list[Span] = field(default_factory=list)
    services: set[str] = field(default_factory=set)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    async def take(self, request: web.Request) -> web.Response:
        self.asked.set()
        if self.hangs:
            await self.released.wait()
        export = ExportTraceServiceRequest.FromString(await request.read())
        for resource in export.resource_spans:
            names = (one.value.string_value for one in resource.resource.attributes if one.key == "service.name")
            self.services.update(names)
            self.spans += [span for scope in resource.scope_spans for span in scope.spans]
        return web.Response(content_type="application/x-protobuf")


@asynccontextmanager
async def collecting(*, hangs: bool = False) -> AsyncIterator[Collector]:
    collector = Collector(hangs)
    app = web.Application()
    app.router.add_post("/v1/traces", collector.take)
    async with TestServer(app, host="127.0.0.1") as server:
        collector.url = str(server.make_url("/"))
        yield collector
        collector.released.set()


def configured(em: Flow, endpoint: str) -> str:
    em.configure(tracing={"otlp_endpoint": endpoint})
    return em.job(*[entry_of(machine) for machine in em.estate.machines])


def attribute(span: Span, name: str) -> str:
    return next((one.value.string_value for one in span.attributes if one.key == name), "")


async def test_a_collector_gets_the_whole_run_with_its_groups_mounts_and_requests(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em, collecting() as collector:
        done = await em.run("run", configured(em, collector.url))
        assert done.code == 0, done.everything
        assert "traces" not in done.err
        assert collector.services == {"orchestrator"}
        names = Counter(span.name for span in collector.spans)
        assert (names["run"], names["group"], names["mount"]) == (1, 2, 2)
        requests = [span for span in collector.spans if span.kind == Span.SPAN_KIND_CLIENT]
        assert len(requests) == len(em.requests())
        [run] = [span for span in collector.spans if span.name == "run"]
        below = [span for span in collector.spans if span.parent_span_id == run.span_id]
        assert Counter(span.name for span in below)["group"] == 2
        assert Counter(span.name for span in below)["DELETE /vmRestorePoints/{id}/mounts/{id}"] == 2
        machines = {attribute(span, "orchestrator.vm") for span in collector.spans if span.name == "group"}
        assert machines == {"fs01", "lx01"}
        sent = "".join(map(str, collector.spans))
        secrets = [(one.id, one.token) for one in em.simulator.enterprise.sessions.all]
        assert [one for pair in secrets for one in pair if one in sent] == []


async def test_a_collector_that_hangs_costs_a_run_a_few_seconds_at_its_end_and_nothing_else(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em, collecting(hangs=True) as collector:
        running = await em.start("run", configured(em, collector.url))
        await running.event("run_ended")
        ended = time.monotonic()
        done = await running.done()
        assert time.monotonic() - ended < CLOSE_WITHIN + 4
        assert done.code == 0, done.everything
        assert collector.asked.is_set()
        assert "traces" in done.err
        assert "opentelemetry" not in done.err
        assert em.restored() == em.expected()
        em.assert_nothing_left()


async def test_a_collector_that_is_away_is_told_of_in_one_line(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        endpoint = f"http://127.0.0.1:{unused_port()}"
        done = await em.run("--quiet", "run", configured(em, endpoint))
        assert done.code == 0, done.everything
        assert em.restored() == em.expected()
        lines = done.err.splitlines()
        assert [line for line in lines if "traces" in line] == lines
        assert len(lines) <= 2
        assert endpoint in done.err


async def test_without_opentelemetry_nothing_is_begun_and_the_message_says_what_to_install(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        hidden = tmp_path / "without" / "opentelemetry"
        hidden.mkdir(parents=True)
        (hidden / "__init__.py").write_text("raise ModuleNotFoundError('No module', name='opentelemetry')\n")
        job = configured(em, "http://127.0.0.1:4318")
        path = f"{hidden.parent}:{Path(__file__).parents[2]}"
        done = await em.run("run", job, env={"PYTHONPATH": path})
        assert done.code == 2, done.everything
        assert "pip install 'orchestrator[otel]'" in done.err
        assert "tracing.otlp_endpoint" in done.err
        em.assert_untouched()
        em.configure()
        assert (await em.run("run", job, env={"PYTHONPATH": path})).code == 0
