# The commands of the project; each is explained in CONTRIBUTING.md.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
UV := $(BIN)/uv

.PHONY: help setup run test test-fast lint format gen docs-check bench endurance staging lock
.DEFAULT_GOAL := help

help:  ## Show the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 14

setup: .venv/.installed  ## Install everything into the project (.venv), nothing else

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "autopilot needs Python 3.11 or newer: make setup PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet uv==0.13.9

.venv/.installed: $(UV) requirements.lock pyproject.toml
	$(UV) pip sync --quiet --require-hashes --python $(BIN)/python requirements.lock
	$(UV) pip install --quiet --no-deps --python $(BIN)/python uv==0.13.9 --editable .
	@touch $@

lock: $(UV)  ## Choose the versions of all dependencies anew (requirements.lock, with hashes)
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --extra codex --group dev pyproject.toml -o requirements.lock

lint: setup  ## Style, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyrefly check
	$(BIN)/lint-imports --no-logo

format: setup  ## Let the formatter have its way
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: setup lint  ## Everything a change must pass
	$(BIN)/pytest -q

test-fast: setup  ## What needs no Codex and no long run: under a minute
	$(BIN)/pytest -q -m "not e2e and not slow"
