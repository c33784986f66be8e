# What a person types. Everything runs from .venv, which is built from requirements.lock when needed.
# ARGS is passed on: make demo ARGS="--orders 50", make test ARGS="tests/domain -x".
# Tests run on two workers at once; WORKERS=0 runs them in one process, as a debugger needs it.

PYTHON ?= python3
ARGS ?=
WORKERS ?= 2
UV_VERSION := 0.13.9

export UV_COMPILE_BYTECODE := 1
export UV_PYTHON_DOWNLOADS := never

READY := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help demo test scenarios soak bench simulate lint lock clean

help: ## say what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

demo: $(READY) ## run everything on this machine: sandbox, lanes, Flower
	.venv/bin/lockstep demo $(ARGS)

test: lint ## lint, then the tests
	.venv/bin/python -m pytest -n $(WORKERS) $(ARGS)

scenarios: $(READY) ## which situations of the field are played by which tests
	.venv/bin/python tests/scenarios.py

soak: $(READY) ## the simulation, seed after seed, until told to stop
	PYTHONPATH=tests .venv/bin/python tests/sim/soak.py $(ARGS)

bench: $(READY) ## the measurements behind the figures in the README
	PYTHONPATH=tests .venv/bin/python tests/bench/run.py $(ARGS)

simulate: $(READY) ## one seed of the simulation, told as a story
	.venv/bin/lockstep simulate $(ARGS)

lint: $(READY) ## style, types and the floors of the house
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo

lock: $(READY) ## write requirements.lock anew after pyproject.toml changed; ARGS="--upgrade" moves what is not pinned
	.venv/bin/uv pip compile pyproject.toml --extra test --universal --python-version 3.11 --generate-hashes \
		--no-header --annotation-style line --quiet --output-file requirements.lock $(ARGS)

clean: ## remove what was built or cached, the environment too
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# uv installs from the lock in seconds where pip needs half a minute; pip is only used to get uv.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Lockstep needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python3 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo "This Python has no venv; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv
	@test -x .venv/bin/uv || .venv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	.venv/bin/uv pip sync --quiet --require-hashes --python .venv/bin/python requirements.lock
	.venv/bin/uv pip install --quiet --no-deps --no-build-isolation --python .venv/bin/python --editable .
	@touch $@
