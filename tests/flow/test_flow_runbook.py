"""The runbook is done as it is read: every command of every chapter, in a world in which that trouble is there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.reading import ROOT
from tests.support.runbook import Chapter, chapters
from tests.support.warm import warmed
from tests.support.worlds import WORLDS

pytestmark = pytest.mark.flow
CHAPTERS = chapters(ROOT / "docs" / "runbook.md")


@pytest.fixture(scope="session")
def warm() -> Iterator[Path]:
    with warmed() as socket:
        yield socket


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.world)
async def test_what_a_chapter_says_is_what_happens(chapter: Chapter, tmp_path: Path, warm: Path) -> None:
    async with WORLDS[chapter.world].begun(tmp_path, warm) as night:
        wrong = await night.read(chapter)
        assert not wrong, "\n\n".join(wrong)
