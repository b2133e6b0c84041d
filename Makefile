# The two commands a fresh machine needs are `make demo` and `make test`; both set up what they use.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
READY_DEV := $(VENV)/.ready-dev
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: demo serve test lint bench mini-models clean

demo: $(READY)  ## start the service, send a real recording through it, print the transcript
	@exec $(BIN)/python demo.py

serve: $(READY)  ## the service on :8000 (PORT, CONFIG, DB_URL, CACHE_DIR override) until Ctrl-C
	@port=$$($(BIN)/python -m app.core.settings server.port) && exec $(BIN)/honcho start -p $$port

test: $(READY_DEV)  ## everything, on the mini models
	@$(BIN)/python -m pytest

lint: $(READY_DEV)  ## ruff and mypy --strict
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

bench: $(READY_DEV)  ## the figures of bench/README.md; takes minutes, on an idle machine
	@$(BIN)/python -m bench

$(READY): requirements.txt
	@echo "Setting up $(VENV): Python packages, several GB, a few minutes the first time ..."
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 10) <= v <= (3, 13) else "Python 3.10 to 3.13 is needed, this is %d.%d; try: make PYTHON=python3.12 demo" % v)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -r requirements.txt
	@touch $@

$(READY_DEV): requirements-dev.txt $(READY)
	@echo "Setting up what the tests need ..."
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -r requirements-dev.txt
	@touch $@

mini-models: $(READY_DEV)  ## train, measure and describe models/mini from nothing (hours; wants espeak-ng and flite)
	@$(BIN)/python models/mini/training

clean:  ## remove the virtual environment and caches of tools; recordings and the ledger stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
