# The commands of the project; each is explained in CONTRIBUTING.md.
SHELL := /bin/bash
PYTHON ?= python3
PYTHON313 ?= python3.13
BIN := .venv/bin
UV := $(BIN)/uv
UV_VERSION := 0.13.9
URL ?= http://127.0.0.1:8787
CODEX169 := .codex169/node_modules/.bin/codex
AXE := .axe/node_modules/axe-core/axe.min.js
OIDC_PROVIDER := .oidc-provider/node_modules/oidc-provider/package.json

.PHONY: help setup run test test-fast test-postgres15 test-py313 test-codex169 lint audit-dependencies format gen record-baseline record-sessions docs-check bench endurance container-check systemd-check staging lock
.DEFAULT_GOAL := help

help:  ## Show the commands
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 14

setup: .venv/.installed  ## Install everything into the project (.venv), nothing else

$(UV):
	@tools/venv "$(PYTHON)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.venv/.installed: $(UV) requirements.lock pyproject.toml
	@echo "autopilot: installing into .venv (a minute or so the first time)" >&2
	@$(UV) pip sync --quiet --require-hashes --python $(BIN)/python requirements.lock
	@$(UV) pip install --quiet --no-deps --python $(BIN)/python uv==$(UV_VERSION) --editable .
	@touch $@

run: setup  ## Run everything: database, server, companion, Codex (data in .autopilot)
	@AUTOPILOT_HOME="$${AUTOPILOT_HOME:-$(CURDIR)/.autopilot}" exec $(BIN)/autopilot up

test: setup lint  ## Everything a change must pass, each suite in its budget; SUITES="api cli" for some
	@tools/system-packages
	@tools/system-packages --where-available postgresql-15
	@tools/system-packages --where-available chromium dbus-daemon libnss3-tools
	@tools/system-packages --where-available fonts-inter fonts-jetbrains-mono
	@tools/system-packages --where-available webkit2gtk-driver xvfb
	$(BIN)/python tools/suites.py $(SUITES)

test-fast: setup  ## Contract, SDK and what every process needs, without Codex or long runs: half a minute
	$(BIN)/pytest -q -n 2 -m "not e2e and not slow" tests/contract tests/client tests/ops

test-postgres15: setup  ## One leg of `make test`: database and runtime on Debian's Postgres 15
	@tools/system-packages --where-available postgresql-15
	$(BIN)/python tools/suites.py postgres15

.venv313/.installed: .venv/.installed
	@echo "autopilot: installing into .venv313 (a minute or so the first time)" >&2
	@$(UV) venv --quiet --clear --python "$(PYTHON313)" .venv313
	@$(UV) pip sync --quiet --require-hashes --python .venv313/bin/python requirements.lock
	@$(UV) pip install --quiet --no-deps --python .venv313/bin/python --editable .
	@touch $@

test-py313: setup  ## One leg of `make test`: the SDK on Python 3.13, as phones have it
	$(BIN)/python tools/suites.py py313

$(CODEX169):
	@npm install --silent --no-audit --no-fund --prefix .codex169 @openai/codex@0.169.0

$(OIDC_PROVIDER):
	@npm install --silent --no-audit --no-fund --prefix .oidc-provider oidc-provider@9.13.3

$(AXE):
	@npm install --silent --no-audit --no-fund --prefix .axe axe-core@4.14.1

test-codex169: setup $(CODEX169)  ## Every test of the companion on Codex 0.169.0, through npm (`make test` runs the core of them)
	TEST_CODEX="$(CURDIR)/$(CODEX169)" $(BIN)/pytest -q -n 3 -m e2e tests/companion $(ARGS)

lint: setup docs-check  ## Style, types, layers, schema, documents
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyrefly check
	PYTHONPATH=ios/src $(BIN)/lint-imports --no-logo
	PYTHONPATH=tools $(BIN)/python -m autopilot_schema check
	$(BIN)/python tools/parity.py check

audit-dependencies: setup  ## Ask whether a locked dependency has a known vulnerability; says so where there is no network
	$(BIN)/python tools/audit_dependencies.py

record-baseline: setup  ## Record what a new Codex says of its protocol: CODEX=/path/to/codex
	$(BIN)/python tools/record_baseline.py $(CODEX)

record-sessions: setup  ## Record what a new Codex says in the tests' scenarios: CODEX=/path/to/codex
	$(BIN)/python tools/record_sessions.py $(CODEX) $(SCENARIOS)

gen: setup  ## Generate the contract's classes and the OpenAPI document from proto/, and the pages of the access matrix and of parity
	PYTHONPATH=tools $(BIN)/python -m autopilot_schema gen
	$(BIN)/python tools/access_matrix.py
	$(BIN)/python tools/parity.py

endurance: setup  ## Every seeded suite with its full count of seeds (hours); ARGS="-k kill" for some of them
	@tools/system-packages
	$(BIN)/pytest -q --endurance -m "seeds or endurance" $(ARGS)
	@if command -v npm >/dev/null; then $(MAKE) test-codex169 ARGS=; fi

bench: setup  ## Measure: appends, replay, opening, fan-out, latency, each against a peer or limit of the same run (10 minutes)
	@tools/system-packages nginx-light libnginx-mod-nchan chromium
	@for name in append replay open latency fanout codex hostile web ios; do $(BIN)/python bench/$$name.py || exit 1; done

container-check: setup  ## Build and run the container as the guide says (podman): BASE=root.tar, ARGS="--podman … --build …"
	$(BIN)/python tools/container_check.py $(if $(BASE),--base "$(BASE)") $(ARGS)

systemd-check: setup  ## Run deploy/systemd/autopilot.service under a real systemd, in namespaces of its own (root)
	$(BIN)/python tools/systemd_check.py

staging: setup  ## Four chains of calls against any deployment: make staging URL=https://… (after autopilot login there)
	AUTOPILOT_STAGING_URL=$(URL) $(BIN)/pytest -q tests/e2e/test_staging.py

docs-check: setup  ## Links, settings, invariants, statements of the protocol, sizes, house rules
	$(BIN)/python tools/docs_check.py

format: setup  ## Let the formatter have its way
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(UV)  ## Choose the versions of all dependencies anew (requirements.lock, with hashes)
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --extra codex --group dev pyproject.toml -o requirements.lock
