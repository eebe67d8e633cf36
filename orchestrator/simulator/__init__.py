"""Enterprise Manager in a box: a TLS server that plays EM over a seeded estate of real folders.

May touch: sockets, its own estate folder, threads for disk work. Promises: it is strict where EM is documented to
be strict, every open question of the documentation is a switch of `Settings`, a mount makes a folder appear in a
share and an unmount takes it away, and a fault that never fired fails the test that scripted it. Refuses: every
other room, core too, because a shared parser would share the misunderstanding.
"""

from orchestrator.simulator.box import LogEntry, OpenMount, OpenSession, Simulator
from orchestrator.simulator.estate import Estate, Machine, Point, Volume
from orchestrator.simulator.faults import (
    CutFile,
    Delay,
    Drop,
    EndSession,
    FailedTaskButMounted,
    FailTask,
    Fault,
    Garbage,
    Hang,
    HeldTask,
    ShortFile,
    SlowTask,
    Status,
    StuckTask,
    VanishFolder,
)
from orchestrator.simulator.populate import EstateSpec, build_estate
from orchestrator.simulator.process import simulate
from orchestrator.simulator.rendering import render_config, render_job
from orchestrator.simulator.server import Server, serving
from orchestrator.simulator.settings import Settings

__all__ = [
    "CutFile",
    "Delay",
    "Drop",
    "EndSession",
    "Estate",
    "EstateSpec",
    "FailTask",
    "FailedTaskButMounted",
    "Fault",
    "Garbage",
    "Hang",
    "HeldTask",
    "LogEntry",
    "Machine",
    "OpenMount",
    "OpenSession",
    "Point",
    "Server",
    "Settings",
    "ShortFile",
    "Simulator",
    "SlowTask",
    "Status",
    "StuckTask",
    "VanishFolder",
    "Volume",
    "build_estate",
    "render_config",
    "render_job",
    "serving",
    "simulate",
]
