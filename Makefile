# chargerd: `make demo` shows it, `make test` proves it. Needs Debian 12 or 13 with git, make and python3-venv.

PYTHON ?= python3
VENV := .venv
PEERS := .venv-peers
BIN := $(VENV)/bin
DEMO_SPEED ?= 60
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: help venv demo test test-system bench bench-peers deb lint clean

help:
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

venv: $(VENV)/ready ## make .venv from the hash-locked lists

$(VENV)/ready: packaging/requirements-build.txt packaging/requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "chargerd needs Python 3.11 or newer: sudo apt install python3"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null \
	  || { echo "Python's venv is missing: sudo apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --require-hashes -r packaging/requirements-build.txt
	$(BIN)/pip install --quiet --require-hashes --no-build-isolation -r packaging/requirements-dev.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --config-settings editable_mode=compat --editable .
	@touch $@

demo: venv ## a simulated home with the real daemon; Ctrl-C ends it
	@DEMO_SPEED=$(DEMO_SPEED) $(BIN)/chargerd demo

test: venv ## everything that needs only Python
	$(BIN)/pytest -m "not system" -n 2 $(PYTEST)

test-system: venv ## what needs Debian packages, Node or root
	$(BIN)/pytest -m system tests/system -n 3 --dist worksteal $(PYTEST)

deb: venv ## the packages for Debian 12 and 13, amd64 and arm64, into dist/; needs root
	$(BIN)/python packaging/deb.py

bench: venv ## every benchmark beside its reference; fails when a limit is missed
	@$(BIN)/python benchmarks/table.py --traces benchmarks/traces $(BENCH)

bench-peers: $(PEERS)/ready ## the log beside sqlite-utils and eventsourcing, in an environment of their own
	@$(PEERS)/bin/python benchmarks/table.py --only peers --traces benchmarks/traces $(BENCH)

$(PEERS)/ready: packaging/requirements-peers.txt
	$(PYTHON) -m venv --clear $(PEERS)
	$(PEERS)/bin/pip install --quiet --require-hashes -r packaging/requirements-peers.txt
	@touch $@

lint: venv ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean: ## remove what make and the demo made
	rm -rf $(VENV) $(PEERS) .demo dist .pytest_cache .mypy_cache .ruff_cache
