# Everything runs in .venv; nothing outside this folder is touched, except that `make test` as root installs
# Debian's rabbitmq-server, chromium and docker-compose where they cannot be had otherwise.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# some accounts forbid bytecode: every one of the tests' many processes would compile the whole project anew
unexport PYTHONDONTWRITEBYTECODE
PIP_FLAGS := --disable-pip-version-check -q -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test check unit integration faults docs clean

help: ## Show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1|/' | column -t -s'|'

$(VENV)/base: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("voicefarm needs Python 3.11 or newer; set PYTHON=") if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing voicefarm into $(VENV) ..."
	@$(BIN)/python -m pip install $(PIP_FLAGS) -e .
	@touch $@

$(VENV)/test: $(VENV)/base
	@echo "installing what the tests need into $(VENV) ..."
	@$(BIN)/python -m pip install $(PIP_FLAGS) -e '.[test,gptsovits]'
	@touch $@

demo: $(VENV)/base ## Render the example book with the draft voice (no GPU, no services, no root)
	@VOICEFARM_HOME="$(CURDIR)/.voicefarm" $(BIN)/voicefarm render examples/audiobook/fables.epub -o out/fables

# tests of the first part wait for servers half of their time; farms that are killed and wiped must not outlast their leases
test: $(VENV)/test ## Install what the tests need and run all of them, on a real Postgres and a real RabbitMQ
	@$(BIN)/python tests/support/install_services.py
	@$(BIN)/python -m pytest -n 3 --dist worksteal --ignore tests/faults
	@$(BIN)/python -m pytest -n 2 --dist worksteal tests/faults

unit: $(VENV)/test ## The tests that need no service
	@$(BIN)/python -m pytest tests/unit tests/properties tests/parity tests/repo

integration: $(VENV)/test ## The tests on real servers, without the faults
	@$(BIN)/python tests/support/install_services.py
	@$(BIN)/python -m pytest tests/integration tests/e2e

faults: $(VENV)/test ## Kill, stop and wipe things while a book renders
	@$(BIN)/python tests/support/install_services.py
	@$(BIN)/python -m pytest -n 2 --dist worksteal tests/faults

check: $(VENV)/test ## Formatting, lint, types, and who may import whom
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

docs: $(VENV)/test ## Regenerate the pages that are made from code
	@$(BIN)/python docs/generate.py

clean: ## Remove the environment, the demo's output and its state
	rm -rf $(VENV) .voicefarm out build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
