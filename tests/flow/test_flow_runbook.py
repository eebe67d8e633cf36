"""The runbook is done as it is read: every command of every chapter, in a world in which that trouble is there."""

from pathlib import Path

import pytest

from tests.docs.reading import ROOT
from tests.support.runbook import Chapter, chapters
from tests.support.worlds import WORLDS

pytestmark = pytest.mark.flow
CHAPTERS = chapters(ROOT / "docs" / "runbook.md")


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.world)
async def test_what_a_chapter_says_is_what_happens(chapter: Chapter, tmp_path: Path) -> None:
    async with WORLDS[chapter.world].begun(tmp_path) as night:
        wrong = await night.read(chapter)
        assert not wrong, "\n\n".join(wrong)
