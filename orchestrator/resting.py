"""What an idle watcher gives back: the memory and the folders that only running jobs need."""

import ctypes
import gc
import os
from functools import cache

from orchestrator.engine.beside import in_thread
from orchestrator.engine.books import Books
from orchestrator.files import free_buffers
from orchestrator.opening import App
from orchestrator.views import forget_templates

_MMAP_THRESHOLD, _ARENA_MAX = -3, -8
"""M_MMAP_THRESHOLD and M_ARENA_MAX of mallopt(3)."""

_OF_ITS_OWN = 128 << 10
"""Bytes from which a piece of memory is one of its own and returned as soon as it is free. glibc begins with this too,
but lets it grow with the largest piece that was freed, and then buffers lie among everything else."""


def keep_memory_together() -> None:
    """Before any thread begins: let all threads take memory from one pool, and large pieces from the system. glibc
    gives each thread its own, of which little can be given back; the interpreter's lock lets them ask one after the
    other anyway. What the imports have left as garbage makes room for what comes."""
    if (library := _glibc()) is not None:
        library.mallopt(_ARENA_MAX, 1)
        library.mallopt(_MMAP_THRESHOLD, _OF_ITS_OWN)
    gc.unfreeze()
    gc.collect()
    gc.freeze()


async def let_go(app: App, books: Books) -> None:
    """Free what the journal has cached, the buffers of the copying threads, templates, and the folders that are held
    open in destinations, and return it to the system. Safe beside a run, which takes what it needs again."""
    await books.ask(app.journal.shrink)
    await in_thread(lambda: _let_go(app))


def _let_go(app: App) -> None:
    free_buffers()
    forget_templates()
    app.target.close()
    gc.collect()
    if (library := _glibc()) is not None:
        library.malloc_trim(0)


@cache
def _glibc() -> ctypes.CDLL | None:
    """The C library, if it is the one that can be told what to keep; others need no telling, or take none."""
    if os.name == "nt":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "malloc_trim") and hasattr(library, "mallopt") else None
