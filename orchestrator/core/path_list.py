"""A list of guest paths in a file, as scanners and people write them."""

from orchestrator.core.errors import JobInvalid
from orchestrator.core.lists import numbered_texts
from orchestrator.core.paths import GuestPath, PathRefused, parse_guest_path

MOST_PATHS = 1_000_000
"""Paths in one list. Who wants more wants their folders."""

SHOWN = 5
"""Wrong lines that are told one by one."""


def paths_in(content: bytes, place: str) -> list[str]:
    """The paths of a list, each once, in its order. Quotes around a path are left out.

    JobInvalid, which names `place`, for a list that is none, and with the number of each line that is no guest path.
    """
    found, wrong = dict[GuestPath, str](), list[str]()
    for number, text in numbered_texts(content, place):
        plain = text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text
        try:
            found.setdefault(parse_guest_path(plain), plain)
        except PathRefused as error:
            wrong.append(f"{number}: {error}")
    if wrong:
        more = f"; and {len(wrong) - SHOWN:,} more" if len(wrong) > SHOWN else ""
        raise JobInvalid(place=place, problems=f"line {'; '.join(wrong[:SHOWN])}{more}")
    if len(found) > MOST_PATHS:
        what = f"it has more than {MOST_PATHS:,} paths"
        raise JobInvalid(place=place, problems=f"{what}; name the folders that hold them")
    return list(found.values())
