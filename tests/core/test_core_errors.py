"""Every error says what happened and what to do, is raised with the facts its message needs, and knows its reach."""

import ast
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

import orchestrator
from orchestrator.core import errors, fleet_errors, lifecycle
from orchestrator.core.errors import Blast, ExitCode, FileError, MountLeft, OrchestratorError
from orchestrator.core.reasons import Reason

PACKAGE = Path(orchestrator.__file__).parent
CLASSES = {
    name: kind
    for module in (errors, fleet_errors, lifecycle)
    for name, kind in vars(module).items()
    if isinstance(kind, type) and issubclass(kind, OrchestratorError)
}


def needs(kind: type[OrchestratorError]) -> set[str]:
    """The placeholders of a class's message, and the arguments that its constructor asks for."""
    names = {name for _, name, _, _ in string.Formatter().parse(kind.__doc__ or "") if name}
    return names | ({"reason"} if issubclass(kind, FileError) else set())


def calls(source: str) -> Iterator[ast.Call]:
    """Calls of our error classes; an event of the same name (`MountLeft`) is another thing."""
    tree = ast.parse(source)
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    events = {name.name for node in imports if node.module == "orchestrator.core.events" for name in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and called(node) in CLASSES.keys() - events:
            yield node


def called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def wrong_calls(source: str) -> list[str]:
    """Constructor calls of our errors that would fail, or print a hole, when they happen."""
    found = []
    for call in calls(source):
        given = {keyword.arg for keyword in call.keywords}
        missing = needs(CLASSES[called(call)]) - given
        if call.args or (None not in given and missing):
            found.append(f"line {call.lineno}: {called(call)} lacks {sorted(missing)} or has a positional argument")
    return found


def test_every_error_is_made_with_the_facts_that_its_message_needs() -> None:
    wrong = {
        str(file.relative_to(PACKAGE)): found
        for file in sorted(PACKAGE.rglob("*.py"))
        if "simulator" not in file.parts and (found := wrong_calls(file.read_text("utf-8")))
    }
    assert not wrong


@pytest.mark.parametrize(
    "source",
    [
        "raise EmUnreachable(url='x')",
        "raise errors.MountFailed(cause='x')",
        "raise FileError(guest_path='x', what='y')",
        "raise ConfigInvalid('text')",
    ],
)
def test_a_call_that_lacks_a_fact_is_found(source: str) -> None:
    assert wrong_calls(source)


@pytest.mark.parametrize(
    "source", ["raise EmUnreachable(url=1, cause=2)", "raise EmUnreachable(**facts)", "ValueError('x')"]
)
def test_a_good_call_is_left_alone(source: str) -> None:
    assert not wrong_calls(source)


@pytest.mark.parametrize("kind", CLASSES.values(), ids=CLASSES)
def test_every_message_is_whole_on_one_line(kind: type[OrchestratorError]) -> None:
    facts: dict[str, object] = dict.fromkeys(needs(kind), "fact") | {"seconds": 5.0}
    if issubclass(kind, FileError):
        facts["reason"] = Reason.LOCKED
    message = str(kind(**facts))
    assert len(message.splitlines()) == 1
    assert "  " not in message
    assert kind.__doc__ is not None
    assert message.count("{") == kind.__doc__.count("{{")


@pytest.mark.parametrize("kind", CLASSES.values(), ids=CLASSES)
def test_every_class_has_its_own_words_and_knows_its_reach_and_exit_code(kind: type[OrchestratorError]) -> None:
    assert "__doc__" in vars(kind)
    assert isinstance(kind.transient, bool)
    assert isinstance(kind.blast, Blast)
    assert isinstance(kind.exit_code, ExitCode)
    if kind not in (OrchestratorError, lifecycle.IllegalStep):
        assert kind.exit_code not in (ExitCode.OK, ExitCode.BUG)


@pytest.mark.parametrize(
    ("family", "code"),
    [("WordsError", 2), ("EmError", 4), ("FileError", 3), ("StateError", 5)],
)
def test_a_family_keeps_its_exit_code_apart_from_the_named_exceptions(family: str, code: int) -> None:
    others = {"MountLeft": 7, "RunUnknown": 2}
    for name, kind in CLASSES.items():
        if issubclass(kind, CLASSES[family]):
            assert kind.exit_code == others.get(name, code), name


def test_what_reaches_one_mount_or_file_never_ends_the_job() -> None:
    for name, kind in CLASSES.items():
        if issubclass(kind, errors.MountError):
            assert kind.blast is Blast.MOUNT, name
        if issubclass(kind, FileError):
            assert kind.blast is Blast.FILE, name


def test_only_what_may_pass_by_itself_is_transient() -> None:
    transient = {name for name, kind in CLASSES.items() if kind.transient}
    assert transient == {
        "EmUnreachable", "SessionEnded", "EmBusy", "MountTimedOut", "MountLost", "DropFolderUnusable",
        "RunFollowed", "SeatTaken",
    }  # fmt: skip


def test_the_facts_stay_at_hand_beside_the_message() -> None:
    error = MountLeft(vm="fs01", href="/m/1", cause="no answer")
    assert str(error) == "The mount of fs01 (/m/1) could not be deleted: no answer. `orchestrator sweep` tries again."
    assert error.facts["href"] == "/m/1"
    assert FileError(reason=Reason.LOCKED, guest_path="C:\\a", what="held").reason is Reason.LOCKED


def test_every_reason_has_its_own_name_a_cause_an_owner_and_an_action() -> None:
    assert len({reason.slug for reason in Reason}) == len(Reason) == len(Reason.__members__)
    for reason in Reason:
        assert Reason.of(reason.slug) is reason
        assert reason.slug == reason.slug.lower().replace("_", "-").replace(" ", "-")
        assert reason.cause
        assert reason.action
        assert reason.owner in {"operator", "backup admin", "nobody"}
    with pytest.raises(KeyError):
        Reason.of("no-such-reason")
