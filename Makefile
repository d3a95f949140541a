# Everything goes into .venv. `make lab` and `make test` install what they need first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Test processes, each with a cluster of its own (about 700 MB); most tests wait for a broker, not for a core.
# Then, one by one, what wants the machine to itself: tests that compare times, and the browser: containers that
# come and go are a change of network to it, and it drops its connections.
WORKERS ?= 3
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help install lab test check notebooks pictures docs teeth bench slow campaign recipes soak leaks clean

help: ## Show the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 20

$(VENV)/.python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "kafkalab needs Python 3.11 or later: make lab PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.lab: $(VENV)/.python pyproject.toml
	$(BIN)/pip install --quiet --progress-bar on -e .
	@touch $@

$(VENV)/.all: $(VENV)/.python pyproject.toml
	$(BIN)/pip install --quiet --progress-bar on -e '.[test,dev]'
	@touch $@ $(VENV)/.lab

install: $(VENV)/.all ## Install the course with its test and development tools

lab: $(VENV)/.lab ## Open JupyterLab on chapter 00 with a real cluster under it
	@$(BIN)/kafkalab lab

test: install ## Prove everything: units, cluster, notebooks, browser
	$(BIN)/python -m pytest -m "not slow and not alone and not browser" -n $(WORKERS) --dist loadfile
	$(BIN)/python -m pytest -m "not slow and (alone or browser)"

check: install ## Lint, types, import contract, notebook hygiene
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/yamllint --strict .github .pre-commit-config.yaml environment.yml
	$(BIN)/python -m kafkalab.course.hygiene notebooks
	$(BIN)/python -m kafkalab.course.documents --check

notebooks: install ## Execute and normalise every notebook in place
	$(BIN)/python -m kafkalab.course.execute notebooks

pictures: install ## Film the real lab for the README: docs/lab.gif
	$(BIN)/python -m tests.browser.pictures docs/lab.gif

docs: install ## Write the documents that are made from data
	$(BIN)/python -m kafkalab.course.documents

teeth: install ## Break the producer in many ways: every chapter must notice what concerns it
	$(BIN)/python -m kafkalab.course.teeth

bench: install ## Measure: start-up of the cluster, the producer beside its peers
	$(BIN)/kafkalab bench start
	$(BIN)/kafkalab bench producers
	$(BIN)/kafkalab bench profile

slow: install ## What takes too long for `make test`: every wrong answer, every chapter to the byte and in Chromium
	$(BIN)/python -m pytest -m "slow and not browser" -n 2 --dist loadfile
	$(BIN)/python -m pytest -m "slow and browser"

campaign: install ## Twenty storms of faults over the producer; without idempotence they must do damage
	$(BIN)/kafkalab campaign --seeds 20
	$(BIN)/kafkalab campaign --seeds 5 --idempotence off

recipes: install ## Every recipe of the fault lab with every client it applies to, and its control
	$(BIN)/python -m pytest tests/faults/test_recipes.py

soak: install ## Ten minutes of load while brokers die and freeze: every record is accounted for
	$(BIN)/python -m kafkalab.faults.soak

leaks: install ## A hundred start/kill/restart cycles: nothing may be left behind
	$(BIN)/python -m pytest tests/cluster/test_leaks.py --cycles 100

clean: ## Remove the environment and everything generated
	rm -rf $(VENV) artifacts build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
