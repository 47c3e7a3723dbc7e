# `make demo` and `make test` are the two commands: from a bare clone each does all the set-up it needs.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ENGINE := scripts/engine

help: ## Say what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.ready: pyproject.toml scripts/setup
	@PYTHON=$(PYTHON) scripts/setup $(VENV)

setup: $(VENV)/.ready ## Make .venv with reprobox and what its tests need

demo: $(VENV)/.ready ## Build examples/digits-torch and train it, seeded, in a container
	@scripts/with-engine scripts/demo

lint: $(VENV)/.ready ## Style, types and the order of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: $(VENV)/.ready ## Lint, unit tests with coverage, and the tests that need an engine
	@scripts/with-engine scripts/test

test-long: $(VENV)/.ready ## The tests that `make test` leaves out, because they take long
	@scripts/with-engine scripts/test long

test-gpu: $(VENV)/.ready ## On a machine with a GPU and torch, TensorFlow or JAX: five equal runs of each model, and the cost
	REPROBOX_GPU_SUITE=1 $(BIN)/python -m pytest tests/gpu -m gpu -q -s

bench: $(VENV)/.ready ## Measure the speed table, both sides in one run
	@scripts/with-engine $(BIN)/python benchmarks/bench.py

clean: ## Remove what the targets above made here
	rm -rf $(VENV) .cache .reprobox build dist

.PHONY: help setup demo lint test test-long test-gpu bench clean
