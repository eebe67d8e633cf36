"""Errors of the system in the words of the taxonomy."""

import errno
import os

import pytest

from orchestrator.core.errors import FileError
from orchestrator.core.reasons import Reason
from orchestrator.files.translate import Side, Translating, explain, file_error, reason_of

SOURCE, TARGET = Side.SOURCE, Side.TARGET


@pytest.mark.parametrize(
    ("number", "side", "reason"),
    [
        (errno.EACCES, SOURCE, Reason.ACCESS_DENIED),
        (errno.EPERM, SOURCE, Reason.ACCESS_DENIED),
        (errno.EACCES, TARGET, Reason.TARGET_DENIED),
        (errno.EPERM, TARGET, Reason.TARGET_DENIED),
        (errno.EROFS, TARGET, Reason.TARGET_DENIED),
        (errno.ENOENT, SOURCE, Reason.VANISHED),
        (errno.ESTALE, SOURCE, Reason.READ_ERROR),
        (errno.ENOTCONN, SOURCE, Reason.READ_ERROR),
        (errno.EHOSTDOWN, SOURCE, Reason.READ_ERROR),
        (errno.EIO, SOURCE, Reason.READ_ERROR),
        (errno.EIO, TARGET, Reason.WRITE_ERROR),
        (errno.ENOSPC, TARGET, Reason.NO_SPACE),
        (errno.EDQUOT, TARGET, Reason.NO_SPACE),
        (errno.ENAMETOOLONG, SOURCE, Reason.TOO_LONG),
        (errno.ENAMETOOLONG, TARGET, Reason.TOO_LONG),
        (errno.EINVAL, TARGET, Reason.NAME_UNUSABLE),
        (errno.EILSEQ, TARGET, Reason.NAME_UNUSABLE),
        (errno.EINVAL, SOURCE, Reason.READ_ERROR),
        (errno.EISDIR, TARGET, Reason.TARGET_KIND),
        (errno.ENOTDIR, TARGET, Reason.TARGET_KIND),
        (errno.EEXIST, TARGET, Reason.EXISTS),
        (errno.ELOOP, TARGET, Reason.OUTSIDE_TARGET),
        (errno.ELOOP, SOURCE, Reason.LINK_SKIPPED),
        (errno.ETXTBSY, TARGET, Reason.LOCKED),
        (errno.EBUSY, SOURCE, Reason.LOCKED),
        (errno.EAGAIN, SOURCE, Reason.LOCKED),
        (errno.ENOMEM, SOURCE, Reason.READ_ERROR),
        (errno.ENOMEM, TARGET, Reason.WRITE_ERROR),
    ],
)
def test_each_error_number_has_its_reason_on_each_side(number: int, side: Side, reason: Reason) -> None:
    assert reason_of(OSError(number, os.strerror(number)), side) is reason


def test_an_error_without_a_number_is_a_failure_of_its_side() -> None:
    assert reason_of(OSError("odd"), SOURCE) is Reason.READ_ERROR
    assert reason_of(OSError("odd"), TARGET) is Reason.WRITE_ERROR


@pytest.mark.parametrize(
    ("number", "side", "reason"),
    [
        (32, SOURCE, Reason.LOCKED),
        (33, TARGET, Reason.LOCKED),
        (112, TARGET, Reason.NO_SPACE),
        (123, TARGET, Reason.NAME_UNUSABLE),
        (206, SOURCE, Reason.TOO_LONG),
        (225, SOURCE, Reason.ACCESS_DENIED),
        (5, SOURCE, Reason.ACCESS_DENIED),
    ],
)
def test_windows_errors_are_told_apart_where_python_folds_them(number: int, side: Side, reason: Reason) -> None:
    error = PermissionError(errno.EACCES, "as Windows says")
    error.winerror = number  # type: ignore[attr-defined]
    assert reason_of(error, side) is reason


def test_a_message_has_the_cause_what_the_system_says_and_what_to_do() -> None:
    message = explain(OSError(errno.ENOSPC, "No space left on device"), Reason.NO_SPACE)
    assert message == (
        "the destination is full or over quota (No space left on device); make room, then `orchestrator resume`"
    )
    assert "(odd)" in explain(OSError("odd"), Reason.READ_ERROR)
    assert "(OSError)" in explain(OSError(), Reason.READ_ERROR)


def test_an_error_is_named_by_its_file() -> None:
    error = file_error(OSError(errno.ENOENT, "gone"), SOURCE, "a/b")
    assert str(error).startswith("a/b: ")
    assert error.facts["what"] == explain(OSError(errno.ENOENT, "gone"), Reason.VANISHED)


def test_only_errors_of_the_system_are_translated() -> None:
    with pytest.raises(FileError), Translating(SOURCE, "a"):
        raise TimeoutError(errno.ETIMEDOUT, "no answer")
    with pytest.raises(KeyError), Translating(SOURCE, "a"):
        raise KeyError("a")
    with Translating(SOURCE, "a"):
        pass
