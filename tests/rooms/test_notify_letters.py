"""Templates of the operator: checked when they are read, harmless when they are hostile, never a reason for silence."""

import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest
from jinja2 import Template

from orchestrator.core.announce import Kind
from orchestrator.core.errors import ConfigInvalid
from orchestrator.notify import letters
from orchestrator.notify.letters import Letter, Writer
from orchestrator.notify.samples import sample
from orchestrator.notify.templates import read_template
from tests.support.outside import World

AT = datetime(2026, 11, 24, 3, 12, tzinfo=UTC)
PLACE = "notifications[1].template"
Read = Callable[[str], Awaitable[Template]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    return lambda text: anyio.to_thread.run_sync(template, tmp_path, text)


def template(folder: Path, text: str) -> Template:
    file = folder / "night.j2"
    file.write_text(text, "utf-8")
    return read_template(file, PLACE)


async def written(world: World, chosen: Template | None, kind: Kind = Kind.PARTIAL) -> Letter:
    writer = Writer("ops mail", chosen, lambda run: f"/state/runs/{run}", "backup-01", world.means())
    return await writer.write("id-1", sample(kind, AT))


async def test_the_first_line_is_the_title_and_the_rest_the_text(read: Read) -> None:
    mine = await read(
        "{{ job }} on {{ host }}: {{ failed }} failed\n\n"
        "{% if exit_code == 3 %}{{ bytes|size }} in {{ seconds|duration }}{% endif %}\n\n"
        "{% for command in commands %}\n* {{ command }}\n{% endfor %}\n"
    )
    world = World()
    letter = await written(world, mine)
    assert letter.title == "sample on backup-01: 10 failed"
    assert letter.text == (
        "5.22 GiB in 12 min 34 s\n* orchestrator report sample-20261124T010000Z\n"
        "* orchestrator run /state/runs/sample-20261124T010000Z/residual.toml"
    )
    assert (letter.values["title"], letter.values["text"]) == (letter.title, letter.text)
    assert world.notices == []


async def test_a_template_may_wrap_the_built_in_words(read: Read) -> None:
    letter = await written(World(), await read("PROD {{ title }}\n{{ text }}Call 4711."))
    assert letter.title == "PROD [test] orchestrator: sample finished, 12 files not restored"
    assert letter.text.endswith("UTC\nCall 4711.")


@pytest.mark.parametrize("kind", list(Kind))
async def test_every_name_may_be_used_for_every_kind(read: Read, kind: Kind) -> None:
    everything = "\n".join(f"{{{{ {name} }}}}" for name in sorted(letters.VARIABLES))
    world = World()
    assert (await written(world, await read(everything), kind)).text
    assert world.notices == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("title\n{% if job %}\n{{ run }", "line 3: unexpected '}'"),
        ("{{ job|shout }}", "line 1: No filter named 'shout'"),
        ("a\nb\n{% endfor %}", "line 3: Encountered unknown tag 'endfor'"),
        ("{{ jop }}", "unknown variable jop; did you mean job?"),
    ],
)
def test_a_wrong_template_is_a_config_error_with_file_and_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigInvalid) as error:
        template(tmp_path, text)
    assert str(error.value).startswith(f"{PLACE}: ")
    assert "night.j2" in str(error.value)
    assert told in str(error.value)


def test_a_template_that_is_not_there_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match=r"cannot be read: .*No such file"):
        read_template(tmp_path / "none.j2", PLACE)


@pytest.mark.parametrize(
    "text",
    [
        "t\n{{ job.__class__.__mro__[1].__subclasses__() }}",
        "t\n{{ ''.__class__ }}",
        "t\n{{ examples.append('x') }}",
        "t\n{% for n in range(10**9) %}x{% endfor %}",
        "t\n{% include '/etc/passwd' %}",
        "t\n{{ 1 / 0 }}",
        "t\n{{ job + 1 }}",
    ],
)
async def test_a_template_that_fails_or_reaches_for_more_is_told_of_and_the_message_goes_out(
    read: Read, text: str
) -> None:
    world = World()
    letter = await written(world, await read(text))
    assert "12 files not restored" in letter.title
    assert "orchestrator report" in letter.text
    (told,) = world.notices
    assert told.startswith("notifications: the template of ops mail failed: ")


async def test_a_template_that_gives_nothing_sends_the_built_in_words(read: Read) -> None:
    assert "12 files not restored" in (await written(World(), await read("\n"))).title


async def test_a_text_without_bounds_is_cut(read: Read) -> None:
    letter = await written(World(), await read("t\n{% for n in range(90000) %}xxxxx{% endfor %}"))
    assert len(letter.text) == letters.TEXT_LIMIT


async def test_a_title_stays_on_its_line(read: Read) -> None:
    letter = await written(World(), await read("a\x1b[2J{{ job }}\rb\ntext"))
    assert "\x1b" not in letter.title
    assert "\r" not in letter.title


async def test_a_template_that_never_ends_is_given_up_and_not_used_again(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letters, "RENDER_WITHIN", 0.05)
    release, asked = threading.Event(), []
    world = World()
    means = world.means()

    async def slow_thread(function: Callable[[], Any]) -> Any:
        def run() -> Any:
            asked.append(function)
            release.wait(10)
            return function()

        return await means.in_thread(run)

    writer = Writer("ops mail", await read("mine\ntext"), str, "", replace(means, in_thread=slow_thread))
    first = await writer.write("1", sample(Kind.FINISHED, AT))
    second = await writer.write("2", sample(Kind.FINISHED, AT))
    release.set()
    assert "1,234 files restored" in first.title
    assert "1,234 files restored" in second.title
    assert len(asked) == 1
    assert "is not used any more" in world.notices[0]
    await anyio.lowlevel.checkpoint()
