"""A list file: one text on each line, or each ended by NUL, as `find -print0` and spreadsheets write them."""

import codecs
import re

from orchestrator.core.errors import JobInvalid

_WIDE = ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"), (codecs.BOM_UTF8, "utf-8-sig"))


def texts_in(content: bytes, place: str) -> tuple[str, ...]:
    """The texts of a list, each once, in their order. UTF-8, or UTF-16 with a byte order mark, as Windows writes it.

    With NUL in it the list is separated by that alone, and every character counts. Else each line is a text without
    the space around it; empty lines and those that begin with `#` are none. JobInvalid, which names `place`, when it
    is neither encoding, or holds nothing.
    """
    return tuple(dict.fromkeys(text for _, text in numbered_texts(content, place)))


def numbered_texts(content: bytes, place: str) -> list[tuple[int, str]]:
    """The texts as in `texts_in`, each with the number of its line, or of its place between the NULs."""
    texts = _split(_decoded(content, place))
    if not texts:
        raise JobInvalid(place=place, problems="the list is empty; put one name on each line")
    return texts


def _split(text: str) -> list[tuple[int, str]]:
    if "\x00" in text:
        return [(number, part) for number, part in enumerate(text.split("\x00"), 1) if part and part != "\n"]
    lines = ((number, line.strip()) for number, line in enumerate(re.split(r"\r\n|\n|\r", text), 1))
    return [(number, line) for number, line in lines if line and not line.startswith("#")]


def _decoded(content: bytes, place: str) -> str:
    encoding = next((encoding for mark, encoding in _WIDE if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as cause:
        line = content.count(b"\n", 0, cause.start) + 1
        what = f"line {line} is not {'UTF-16' if encoding == 'utf-16' else 'UTF-8'} text (byte {cause.start})"
        raise JobInvalid(place=place, problems=f"{what}; save the list as UTF-8") from cause
    if encoding == "utf-8" and re.match(r"[^\x00]\x00[^\x00]\x00|\x00[^\x00]\x00[^\x00]", text):
        raise JobInvalid(place=place, problems="looks like UTF-16 without a byte order mark; save the list as UTF-8")
    return text
