# Two commands: `make run` and `make test`. Everything they need beyond Python is installed into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Installed once for each state of the requirements: the second start finds the stamp and goes on.
STAMP := $(VENV)/installed-$(shell cat requirements.txt requirements-dev.txt | cksum | cut -d' ' -f1)

.DEFAULT_GOAL := help
.PHONY: help run test test-peers lint bench bench-cache bench-pipes migrate catalog

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 16

run: $(STAMP) ## Start everything on http://127.0.0.1:8000 (HOST, PORT)
	@exec $(BIN)/python -W ignore:XDG_RUNTIME_DIR dev.py

test: $(STAMP) ## Lint, types, and every test, the browser's too
	@.ci/chromium
	@$(MAKE) --no-print-directory lint
	$(BIN)/pytest -n 2 --dist loadfile --ignore tests/browser --ignore tests/system --ignore tests/test_run.py
	$(BIN)/pytest -n 2 tests/browser
	$(BIN)/pytest -n 2 --dist loadfile tests/system tests/test_run.py

test-peers: $(STAMP) ## Against LiteLLM, the SDKs of Meta and Google, and Tinybird's parser on ClickHouse
	@$(PYTHON) -m venv $(VENV)/peers
	@$(VENV)/peers/bin/pip install --quiet --disable-pip-version-check -r tests/peers/requirements.txt
	@$(PYTHON) -m venv $(VENV)/ads-peers
	@$(VENV)/ads-peers/bin/pip install --quiet --disable-pip-version-check -r tests/peers/requirements-ads.txt
	@$(PYTHON) -m venv $(VENV)/pipes-peers
	@$(VENV)/pipes-peers/bin/pip install --quiet --disable-pip-version-check -r tests/peers/requirements-pipes.txt
	$(BIN)/pytest tests/peers

lint: $(STAMP) ## ruff and mypy
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: $(STAMP) ## Measure the product against reading the provider directly
	@exec $(BIN)/python -m bench

bench-cache: $(STAMP) ## A scripted day of two people: what was read from the prompt cache
	@exec $(BIN)/python -W ignore:XDG_RUNTIME_DIR -m bench.cache

bench-pipes: $(STAMP) ## Milliseconds per pipe on a million rows
	@exec $(BIN)/python -W ignore:XDG_RUNTIME_DIR -m bench.pipes

migrate: $(STAMP) ## Bring the database at DATABASE_URL to the newest revision
	@exec $(BIN)/python -m webapp.db.migrate

catalog: $(STAMP) ## Refresh prices and abilities of models from PyPI
	@$(PYTHON) -m venv $(VENV)/catalog
	@$(VENV)/catalog/bin/pip install --quiet --disable-pip-version-check --upgrade genai-prices
	@$(VENV)/catalog/bin/pip install --quiet --disable-pip-version-check --upgrade --no-deps litellm
	@$(VENV)/catalog/bin/python catalog.py

$(STAMP):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11")'
	@[ -e $(VENV) ] && was=there; $(PYTHON) -m venv $(VENV) || \
	  { echo "No venv. On Debian: apt install python3-venv"; [ "$$was" ] || rm -rf $(VENV); exit 1; }
	@echo "Installing into $(VENV)"
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@rm -f $(VENV)/installed-*
	@touch $@
