# Boomerang: `make demo` shows it, `make test` tests it. Both install what they need into .venv first.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCK := $(BIN)/python -m piptools compile --quiet --strip-extras --allow-unsafe --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-header
ARGS ?=

.PHONY: help install install-dev demo up test simulation check bench chaos docs dashboards-preview lock

help:  ## what can be made
	@echo "make demo          install, start everything, play a demo shop, print where to look (Ctrl-C ends it)"
	@echo "make up            install, start everything without the demo shop"
	@echo "make test          install, run the tests            make test ARGS='-k cart'"
	@echo "make install       install alone (quick when nothing changed)"
	@echo "make simulation    2,000 seeds x 2,000 events of the simulated installation; hours of CPU   make simulation ARGS=--cascade"
	@echo "make check         format, lint, types, import contracts, alert rules"
	@echo "make bench         measure                           make bench ARGS=engine"
	@echo "make chaos         kills, outages, poison and the rest at full size   make chaos ARGS='kills --scale 0.1'"
	@echo "make docs          renew the pages, dashboards and rules that follow from the code"
	@echo "make dashboards-preview   draw the dashboards against a real Prometheus, keep the page and its picture"
	@echo "make lock          renew the locks from requirements*.in"

# A stamp is newer than what it was made from: nothing to do.
install: .venv/stamp-run

install-dev: .venv/stamp-dev

.venv/stamp-python: .ci/find-python
	@.ci/find-python .venv

.venv/stamp-run: .venv/stamp-python requirements.lock pyproject.toml app/embedded/kafka.lock
	@echo "Installing Python packages into .venv ..."
	@.ci/install-lock requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@$(BIN)/boomerang install-embedded
	@touch $@

.venv/stamp-dev: .venv/stamp-run requirements-dev.lock
	@echo "Installing what the tests need ..."
	@.ci/install-lock requirements-dev.lock
	@touch $@

demo: install
	@$(BIN)/boomerang demo $(ARGS)

up: install
	@$(BIN)/boomerang up $(ARGS)

test: install-dev
	@$(BIN)/python -m pytest $(if $(ARGS),$(ARGS),--numprocesses auto --maxprocesses 4)

simulation: install-dev
	@$(BIN)/python -m tests.simulation $(ARGS)

check: install-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@.ci/check-rules

bench: install-dev
	@$(BIN)/python -m bench $(ARGS)

chaos: install-dev
	@$(BIN)/python -m tests.chaos $(ARGS)

docs: install-dev
	@$(BIN)/python docs/generate.py
	@$(BIN)/python dashboards/generate.py

dashboards-preview: install-dev
	@PREVIEW_FOLDER=var/preview $(BIN)/python -m pytest -q tests/dashboards
	@echo "var/preview/preview.html and preview.png: a preview, not Grafana"

lock: install-dev
	$(LOCK) $(ARGS) --output-file requirements.lock requirements.in
	$(LOCK) $(ARGS) --output-file requirements-dev.lock requirements-dev.in
	$(BIN)/boomerang install-embedded --relock
