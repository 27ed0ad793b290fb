# Everything happens in .venv, which `make` builds from requirements.lock.
# Needed beside GNU make and git: Python 3.11 or newer with pip and venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
INSTALLING := $(VENV)/.installing
FAKETIME := $(VENV)/.faketime
MARK = echo $$PPID > $(INSTALLING)
WHEELS := build/wheel
WHEEL_VENV := build/wheel-venv
# only errors: what a machine's own pip settings make it warn of is no news here
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help up install check test oracle chaos lint wheel format lock bench clean

help: ## show this
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: $(INSTALLED) ## from nothing: schedule and run what is in tasks.d, until ^C
	@exec $(BIN)/taskcfg up

check: lint ## format, lint, types, import contracts, unit tests
	$(BIN)/python -m pytest -q tests/unit tests/test_house.py

test: lint wheel $(FAKETIME) ## from nothing: `make check` and every test, on the built wheel
	TASKCFG_TEST_COMMAND=$(abspath $(WHEEL_VENV)/bin/taskcfg) $(BIN)/python -m pytest -q -n 3 --dist worksteal

oracle: $(INSTALLED) ## every answer about cron rules against cron acted out: some minutes
	TASKCFG_TEST_ORACLE=whole $(BIN)/python -m pytest -q -n 2 --dist worksteal tests/oracle

chaos: $(INSTALLED) $(FAKETIME) ## what may break is broken, in full size: many minutes, a table in build/chaos.md
	TASKCFG_TEST_CHAOS=whole $(BIN)/python -m pytest -q tests/chaos

lint: $(INSTALLED)
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy --no-error-summary
	@echo $(BIN)/lint-imports; said=$$($(BIN)/lint-imports 2>&1) || { echo "$$said"; exit 1; }

format: $(INSTALLED) ## put every file into the common layout
	$(BIN)/ruff check --quiet --fix-only .
	$(BIN)/ruff format .

bench: $(INSTALLED) ## measure, and compare with limits and peers
	$(BIN)/python benchmarks

install: $(INSTALLED) ## only build .venv

# pip is not atomic: while it runs a mark with make's process id stands in .venv,
# and whoever finds a dead one's mark builds .venv again from nothing.
$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "taskcfg needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>/dev/null || echo missing): try make PYTHON=python3.12"; exit 1; }
	@if [ -s $(INSTALLING) ] && kill -0 $$(cat $(INSTALLING)) 2>/dev/null; then \
	  echo "another make is installing into $(VENV): wait for it"; exit 1; fi
	@if [ -e $(INSTALLING) ] || ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	  echo "building $(VENV)"; rm -rf $(VENV) && mkdir $(VENV) && $(MARK) && $(PYTHON) -m venv $(VENV); fi
	@$(MARK)
	@rm -f $@
	@echo "installing requirements.lock"
	@$(PIP) install --no-compile --require-hashes --requirement requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@rm $(INSTALLING)
	@touch $@

# Clocks that tests set wrong come from a library that is compiled: a machine without a compiler tests the rest.
$(FAKETIME): requirements-faketime.lock $(INSTALLED)
	@$(PIP) install --no-deps --require-hashes --requirement requirements-faketime.lock >$@.log 2>&1 || \
	  echo "libfaketime cannot be built here, which takes gcc and make ($@.log): tests with wrong clocks are not run"
	@touch $@

# The wheel gets a venv of its own, which borrows everything else from .venv.
# Borrowed by a path line, .venv's editable taskcfg stays behind.
wheel: $(INSTALLED)
	@rm -rf $(WHEELS) $(WHEEL_VENV)
	@$(PIP) wheel --no-deps --no-build-isolation --wheel-dir $(WHEELS) .
	@$(BIN)/python -m venv --without-pip $(WHEEL_VENV)
	@$(PIP) --python $(WHEEL_VENV)/bin/python install --no-deps --no-index $(WHEELS)/*.whl
	@$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
	  > $$($(WHEEL_VENV)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/borrowed.pth

lock: ## resolve requirements.lock anew (needs uv)
	@UV=$$(command -v uv || echo $(BIN)/uv); [ -x "$$UV" ] || { echo "make lock needs uv: pip install uv"; exit 1; }; \
	  $$UV pip compile pyproject.toml --quiet --universal --generate-hashes --group dev --extra redis \
	  --python-version 3.11 --no-header --no-annotate --output-file requirements.lock

clean: ## delete everything made here, except the data in .taskcfg
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
