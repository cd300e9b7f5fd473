# Needs Python >= 3.11, make and the network to the package registry. `make` alone lists the targets.
PYTHON ?= python3
BIN := .venv/bin
RUNS := .venv/.runs
STAMP := .venv/.installed
WORKERS ?= 4
MINUTES ?= 30
SECONDS ?= 120
TALLY := $(CURDIR)/.chaos.ndjson
FILES := service headrace tests loadtests migrations

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help install demo test check fuzz chaos bench soak house tables constraints clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-12s %s\n", $$1, $$2}'

install: $(STAMP) ## make .venv with everything

# uv is quick; pip, which reads its own configuration, is tried where uv finds no way.
define install
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt -e . $(1) || { \
	  echo "uv found no way; trying pip"; \
	  $(BIN)/python -m pip install -qq --upgrade 'pip>=25.1' && \
	  $(BIN)/python -m pip install -qq -c constraints.txt -e . $(1); }
	@touch $@
endef

# The browser that tests look at pages with is a package of the system; without it they are skipped.
ROOT := $(shell test "$$(id -u)" = 0 || echo sudo -n)
define browser
	@command -v chromium >/dev/null || { echo "Installing chromium (once)"; \
	  { $(ROOT) apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	    $(ROOT) apt-get install -qq -y --no-install-recommends chromium; } >/dev/null 2>&1 || \
	  echo "chromium could not be installed; the tests in a browser are skipped"; }
endef

# What the service itself needs.
$(RUNS): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Headrace needs Python 3.11 or later; $(PYTHON) is: $$($(PYTHON) --version 2>&1 || true)"; \
	  echo "Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || { echo "Making .venv"; $(PYTHON) -m venv .venv; }
	@echo "Installing into .venv (once)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt uv || true
	$(call install)

# And what checks and tests need: servers of every part, the ClickHouse engine.
$(STAMP): $(RUNS)
	@echo "Installing what tests need (once)"
	$(call install,--group dev)

# So are Prometheus and Alertmanager, which check and try the rules. Their programs alone are taken
# out of the packages, so that no service of theirs ever runs, and the two files that Alertmanager
# looks for where Debian has them.
TEMPLATES := usr/share/prometheus/alertmanager
define prometheus
	@test -x $(BIN)/promtool -a -x $(BIN)/amtool -a -e $(BIN)/default.tmpl || { echo "Fetching prometheus (once)"; \
	  folder=$$(mktemp -d); packages="prometheus prometheus-alertmanager"; \
	  ( cd $$folder && { apt-get download -qq $$packages || \
	      { $(ROOT) apt-get update -qq && apt-get download -qq $$packages; }; } && \
	    for package in *.deb; do dpkg-deb -x $$package . || exit 1; done ) >/dev/null 2>&1 && \
	  cp $$folder/usr/bin/* $$folder/$(TEMPLATES)/*.tmpl $(BIN)/ || \
	  echo "prometheus could not be fetched; the tests of alerts are skipped"; \
	  test -e /$(TEMPLATES) || { $(ROOT) mkdir -p /$(TEMPLATES) && \
	    $(ROOT) cp $$folder/$(TEMPLATES)/*.tmpl /$(TEMPLATES)/; } || \
	  echo "/$(TEMPLATES) could not be made; the tests of Alertmanager are skipped"; \
	  rm -rf $$folder; }
endef

# What lets one process see another time than the machine; its library alone is taken.
define otherclock
	@ls $(BIN)/../lib/libfaketimeMT.so.1 >/dev/null 2>&1 || { echo "Fetching libfaketime (once)"; \
	  folder=$$(mktemp -d); ( cd $$folder && { apt-get download -qq libfaketime || \
	    { $(ROOT) apt-get update -qq && apt-get download -qq libfaketime; }; } && \
	    dpkg-deb -x *.deb . ) >/dev/null 2>&1 && \
	  cp $$folder/usr/lib/*/faketime/libfaketimeMT.so.1 $(BIN)/../lib/ || \
	  echo "libfaketime could not be fetched; the test of clocks that jump is skipped"; \
	  rm -rf $$folder; }
endef

demo: $(RUNS) ## start everything and replay the flights of 2013 into it
	@$(BIN)/headrace demo $(ARGS)

# What tests write lies in memory where that has plenty of room and lets programs run: every commit
# of theirs would wait for the disk.
SCRATCH = $(shell awk '/MemAvailable/ { exit $$2 < 10000000 }' /proc/meminfo 2>/dev/null && \
  df -Pk /dev/shm 2>/dev/null | awk 'END { exit $$4 < 10000000 }' && \
  ! grep -q ' /dev/shm [^ ]* [^ ]*noexec' /proc/mounts && echo TMPDIR=/dev/shm)

# Each file of tests stays in one process; files in the order of their names, the quick ones last.
# Many wait for something most of their time, so more of them run than there are cores.
test: $(STAMP) ## all tests, WORKERS=4 beside each other (ARGS="-k name" for some)
	$(browser)
	$(prometheus)
	$(otherclock)
	@$(SCRATCH) $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(STAMP) ## format, lint, types, import direction, documentation
	@$(BIN)/ruff format --check --quiet $(FILES) || { echo "run: $(BIN)/ruff format $(FILES)"; exit 1; }
	@$(BIN)/ruff check --quiet $(FILES)
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python -m pytest -q tests/house

fuzz: $(STAMP) ## every property test, with other stories than `make test` tells (docs/reliability.md)
	@HEADRACE_TEST_STORIES=other $(BIN)/python -m pytest -m hypothesis -n $(WORKERS) $(ARGS)

chaos: $(STAMP) ## a thousand stories an engine, SECONDS=120 of random kills a layout, every other fault
	$(otherclock)
	@HEADRACE_TEST_STORIES=other HEADRACE_TEST_CASES=1000 $(BIN)/python -m pytest \
	  tests/flows/test_model.py --timeout=3600 $(ARGS)
	@rm -f $(TALLY)
	@HEADRACE_TEST_CHAOS_SECONDS=$(SECONDS) HEADRACE_TEST_CHAOS_TALLY=$(TALLY) \
	  HEADRACE_TEST_PIPELINE_RECORDS=200000 HEADRACE_TEST_DELIVERY_ROWS=100000 \
	  $(BIN)/python -m pytest tests/chaos --timeout=900 $(ARGS); failed=$$?; \
	  $(BIN)/python -m tests.chaos.tally $(TALLY) && exit $$failed

bench: $(STAMP) ## measure, and write the table of docs/performance.md
	@$(BIN)/python -m loadtests $(ARGS)

soak: $(STAMP) ## MINUTES=30 of steady load: does memory grow, or files, tasks, the stream?
	@$(BIN)/python -m loadtests soak --minutes $(MINUTES) --report soak.html --json soak.json $(ARGS)

house: $(STAMP) ## how long files and functions are, and who imports whom both ways
	@$(BIN)/python -m tests.house.numbers

tables: $(STAMP) ## write the tables of docs/ that are made from the code
	@$(BIN)/python -m tests.house.tables

constraints: $(STAMP) ## resolve constraints.txt anew
	@$(BIN)/uv pip compile --quiet --universal --upgrade --python-version 3.11 --no-annotate \
	  --no-header --group dev pyproject.toml -o constraints.txt

clean: ## forget .venv and every cache (never ./data)
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
