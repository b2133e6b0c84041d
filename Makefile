# The two commands a fresh machine needs are `make demo` and `make test`; both set up what they use.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
READY_DEV := $(VENV)/.ready-dev
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: demo serve test test-fast lint bench lock assets mini-models clean

demo: $(READY)  ## start the service, send a recording through it (FILE=..., with real models), print the transcript
	@exec $(BIN)/python demo.py

serve: $(READY)  ## the service on :8000 (PORT, CONFIG, DB_URL, CACHE_DIR, MODEL override) until Ctrl-C
	@[ -z "$$MODEL" ] || $(BIN)/python -m workers.models pull --missing "$$MODEL"
	@port=$$($(BIN)/python -m app.core.settings server.port) && exec $(BIN)/honcho start -p $$port

test: $(READY_DEV)  ## everything, in three processes: many tests wait more than they compute
	@$(BIN)/python -m pytest -n 3 --dist loadfile

test-fast: $(READY_DEV)  ## the tests that start no service and run no model, on all cores
	@$(BIN)/python -m pytest -m "not slow and not storm" -n auto

lint: $(READY_DEV)  ## ruff and mypy --strict
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

bench: $(READY_DEV)  ## the figures of bench/README.md; takes minutes, on an idle machine
	@$(BIN)/python -m bench

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 10) <= v <= (3, 13) else "Python 3.10 to 3.13 is needed, this is %d.%d; try: make PYTHON=python3.12 demo" % v)'
	@$(PYTHON) -m venv $(VENV)

$(READY): requirements.lock | $(BIN)/python
	@echo "Setting up $(VENV): several GB of Python packages, a minute or two the first time ..."
	@$(BIN)/python deploy/install.py requirements.lock
	@touch $@

# The lock for development holds that for the runtime, so both are in place afterwards.
$(READY_DEV): requirements-dev.lock | $(BIN)/python
	@echo "Setting up $(VENV), and what the tests need: several GB, a minute or two the first time ..."
	@$(BIN)/python deploy/install.py requirements-dev.lock
	@touch $(READY) $@

# UPGRADE= keeps the locked versions where the ranges still allow them. uv keeps what it finds in the file that it writes, so the
# other lock files begin as copies: all then hold the same versions.
UPGRADE := --upgrade
COMPILE := UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --universal --python-version 3.10 --generate-hashes
lock: | $(BIN)/python  ## write the lock files anew from the ranges in requirements*.txt, with the newest versions
	@$(BIN)/python -m pip install -qq --disable-pip-version-check 'uv>=0.9,<1'
	@$(COMPILE) $(UPGRADE) requirements-dev.txt -o requirements-dev.lock
	@cp requirements-dev.lock requirements-cluster.lock
	@$(COMPILE) requirements-cluster.txt -o requirements-cluster.lock
	@cp requirements-cluster.lock requirements.lock
	@$(COMPILE) requirements.txt -o requirements.lock

assets:  ## copy the console's libraries anew from npm, as app/static/vendor/package.json says (needs npm)
	@$(PYTHON) deploy/vendor.py

mini-models: $(READY_DEV)  ## train, measure and describe models/mini from nothing (hours; wants espeak-ng and flite)
	@$(BIN)/python models/mini/training

clean:  ## remove the virtual environment and caches of tools; recordings and the database stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
