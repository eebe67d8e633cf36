"""The text file that the textfile collector of node_exporter reads.

Source: the README of node_exporter, "Textfile Collector": files ending in `.prom`, replaced atomically.
"""

import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

READABLE = 0o644
"""node_exporter runs as another user."""


def replace_file(path: Path, content: bytes) -> None:
    """A reader sees the old file or the new one, never half of either. OSError when it cannot be written."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
        os.chmod(name, READABLE)
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise


def metrics_in(path: Path) -> Iterable[Metric]:
    """What an earlier process has written; nothing when there is no such file, or it is not one of ours."""
    try:
        return list(text_string_to_metric_families(path.read_text("utf-8")))
    except (OSError, ValueError):
        return []
