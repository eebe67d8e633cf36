"""Golden files: what a view gives is compared with a file that a person has read.

To accept a change, delete the golden file and run the test once: it writes the file and fails.
"""

from pathlib import Path

_FOLDER = Path(__file__).parent / "golden"


def assert_golden(name: str, text: str) -> None:
    file = _FOLDER / name
    if not file.exists():
        file.write_text(text, "utf-8")
        raise AssertionError(f"{file.name} was not there and is written now; read it, then run again")
    assert text == file.read_text("utf-8")
