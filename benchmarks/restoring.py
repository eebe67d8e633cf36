"""`python -m benchmarks.restoring`: one whole restore from a share by UNC path, as a process of its own.

Reads the account's password from the environment, as the product does.
"""

import argparse
from contextlib import closing
from pathlib import Path

from benchmarks.engine import VM, Share, config_of, plan_for, run_engine
from orchestrator.core.fidelity import Metadata, Wishes
from orchestrator.files import LocalTarget, Sidecar
from orchestrator.reaching import make_source

START = "import gc; gc.disable(); from benchmarks.restoring import main; gc.freeze(); gc.enable(); main()"
"""What Python runs: it begins as the console script does."""
PASSWORD = "SHARE_PASSWORD"  # noqa: S105 - the name of the variable


def main() -> None:
    """Restore what lies in Volume1 of the folder `below` of a share."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.restoring")
    parser.add_argument("unc")
    parser.add_argument("--below", type=Path, required=True, help="where the share's folder lies on this machine")
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--user", required=True)
    parser.add_argument("--port", type=int, default=445)
    parser.add_argument("--copies", type=int, default=16)
    parser.add_argument("--connections", type=int, default=2)
    parser.add_argument("--encrypt", default="if-asked")
    parser.add_argument("--metadata", type=Metadata, default=Metadata.BASIC, help="what is read beside the bytes")
    words = parser.parse_args()
    account = {
        "path": words.unc, "username": words.user, "password_env": PASSWORD, "port": words.port,
        "connections": words.connections, "encrypt": words.encrypt,
    }  # fmt: skip
    config = config_of(words.unc, words.to / "target", words.to / "state", words.copies, "none", [account])
    hidden, shown = words.below / "hidden" / VM, words.below / "shown" / VM
    with closing(make_source(config)) as source, closing(Sidecar(words.to / "state" / "run")) as sidecar:
        target = LocalTarget(config.targets.allow, opening=source.open, streams=source.open_stream)
        share = Share(words.unc, source, lambda: hidden.rename(shown), lambda: shown.rename(hidden))
        plan = plan_for(words.to / "target", wishes=Wishes(words.metadata))
        report = run_engine(config, share, plan, target.hashing(config.copying.checksum, sidecar))
    if report.exit_code != 0:
        raise SystemExit(f"the run ended with {report.exit_code}: {report.problems[:3]}")


if __name__ == "__main__":
    main()
