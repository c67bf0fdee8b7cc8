# Everything starts from a fresh checkout: each target makes what it needs. See docs/operations.md for settings.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Servers are started by the dozen: none of them should compile the source anew.
unexport PYTHONDONTWRITEBYTECODE
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help install run test test-embedded test-installed soak check bench bench-large clean lock

help:
	@echo "make run      a server with demo data on http://127.0.0.1:8000"
	@echo "make test     all tests, on the embedded PostgreSQL and on PostgreSQL 15"
	@echo "make check    ruff, mypy, import-linter: seconds"
	@echo "make bench    ratios against what the database can do in the same run; bench-large with a million customers"
	@echo "make soak     the long proofs"
	@echo "make install  the virtual environment .venv with the locked versions"

install: $(VENV)/installed

$(VENV)/installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Rapport needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --require-hashes -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	touch $@

run: install
	$(BIN)/rapport serve --demo

check: install
	$(BIN)/ruff check src tests migrations benchmarks examples
	$(BIN)/ruff format --check src tests migrations benchmarks examples
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

test: check test-embedded test-installed

# A file of tests is run by one of as many processes as there are cores, each with a database and a server of its own;
# tests/conftest.py says which come first.
PARALLEL := -n 3 --dist loadfile --no-loadscope-reorder

test-embedded: install
	$(BIN)/python -m pytest $(PARALLEL)

test-installed: install postgresql-15
	$(BIN)/python -m pytest $(PARALLEL) --postgres 15

soak: install
	RAPPORT_SOAK=1 $(BIN)/python -m pytest --timeout 7200

bench: install postgresql-15
	$(BIN)/python -m benchmarks

bench-large: install postgresql-15
	$(BIN)/python -m benchmarks --large

# PostgreSQL 15 of the system's packages: the oldest that Rapport runs on, and the home of pgbench.
.PHONY: postgresql-15
postgresql-15:
	@test -x /usr/lib/postgresql/15/bin/postgres || { \
	  echo "installing postgresql-15"; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql-15 >/dev/null; }

lock: install
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet --upgrade -o requirements.lock

clean:
	rm -rf $(VENV) .hypothesis .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
