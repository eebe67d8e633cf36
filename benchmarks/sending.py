"""`python -m benchmarks.sending`: one whole restore of a local folder to a share by UNC path, as a process of its own.

Reads the account's password from the environment, as the product does.
"""

import argparse
from contextlib import closing
from pathlib import Path

from benchmarks.engine import config_of, plan_for, real_share, run_engine
from benchmarks.restoring import PASSWORD
from orchestrator.reaching import make_source, make_target


def main() -> None:
    """Restore the folder `tree` to the UNC path `to`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sending")
    parser.add_argument("tree", type=Path)
    parser.add_argument("--to", required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--user", required=True)
    parser.add_argument("--port", type=int, default=445)
    parser.add_argument("--copies", type=int, default=16)
    parser.add_argument("--connections", type=int, default=2)
    words = parser.parse_args()
    account = {
        "path": words.to.rpartition("\\")[0], "username": words.user, "password_env": PASSWORD, "port": words.port,
        "connections": words.connections,
    }  # fmt: skip
    share = real_share(words.tree)
    config = config_of(share.folder, words.to, words.state, words.copies, "none", [account])
    with closing(make_source(config)) as source:
        report = run_engine(config, share, plan_for(words.to), make_target(config, source))
    if report.exit_code != 0:
        raise SystemExit(f"the run ended with {report.exit_code}: {report.problems[:3]}")


if __name__ == "__main__":
    main()
