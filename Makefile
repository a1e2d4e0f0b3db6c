# `make demo` and `make test` set everything up: a machine needs only Python (3.10 or newer) and make.
.PHONY: help setup demo test soak again flags lint reference docs diagrams photograph bench corpus api dist rehearse \
	release lock upgrade clean

PYTHON = python3
export PYTHON
# Engines, the CDK's caches and the journals of runs stay in the working tree.
export FAILURE_DESTINATIONS_CACHE = $(CURDIR)/.cache
export FAILURE_DESTINATIONS_STATE = $(CURDIR)/.cache/state
# Hundreds of programs that tests start import the same modules: compiled once, they start faster.
unexport PYTHONDONTWRITEBYTECODE
BIN = .venv/bin
# The tests whose templates a feature flag of the CDK may change.
FLAGGED = tests/test_cdk_flags.py tests/test_async_config.py tests/test_channel.py tests/test_copies.py \
	tests/test_cover.py tests/test_deployed_stacks.py tests/test_destination.py tests/test_event_sources.py \
	tests/test_examples.py tests/test_jsii_package.py tests/test_losses.py tests/test_monitoring.py tests/test_notifier.py \
	tests/test_policies.py tests/test_polled_losses.py tests/test_polled_monitoring.py tests/test_refusals.py \
	tests/test_replayer.py tests/test_replayer_of_batches.py tests/test_schedule.py tests/test_source_queues.py \
	tests/check/test_cdk_apps.py tests/check/test_event_sources_of_tools.py \
	tests/check/test_validation.py

help: ## List the targets
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

setup: .venv/ready ## Create .venv and node_modules

.venv/ready: requirements/dev.txt requirements/uv.txt package-lock.json pyproject.toml scripts/setup.sh
	@sh scripts/setup.sh

demo: .venv/ready ## Deploy the tutorial's app to this machine and find its failed event
	@$(BIN)/python scripts/demo.py $(if $(PAGE),--page)

test: .venv/ready ## Run every test except the long ones
	@$(BIN)/python -m pytest -m "not soak" -n 3 --dist loadfile

soak: .venv/ready ## Run the long tests: engines and programs that are killed
	@$(BIN)/python -m pytest -m soak -n 3 --dist loadfile

again: .venv/ready ## Run the tests that failed last, one at a time
	@$(BIN)/python -m pytest --last-failed --last-failed-no-failures none

flags: .venv/ready ## Run the tests of templates with the feature flags that `cdk init` writes
	@CDK_FLAGS=recommended $(BIN)/python -m pytest -m "not soak" -n 2 --dist loadfile $(FLAGGED)

lint: .venv/ready ## Check style, types, who imports whom, and that requirements are current
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/mypy
	sh scripts/lock.sh --check

reference: .venv/ready ## Write the generated parts of the documentation
	@$(BIN)/python -m scripts.write_reference

docs: .venv/ready ## Build the documentation into dist/docs; a warning is an error
	@$(BIN)/python -m sphinx -W --keep-going -q -E docs dist/docs
	@echo dist/docs/index.html

diagrams: .venv/ready ## Draw docs/images from the examples' templates
	@$(BIN)/python -m scripts.draw_architecture

photograph: .venv/ready ## Take docs/images/page.png, the picture of the operator's page
	@$(BIN)/python -m scripts.photograph

bench: .venv/ready ## Compare with the same resources, and the same replay, written by hand
	@$(BIN)/python benchmarks/definition.py
	@$(BIN)/python benchmarks/replay.py
	@$(BIN)/python benchmarks/look.py
	@$(BIN)/python benchmarks/check.py
	@$(BIN)/python benchmarks/audit.py
	@$(BIN)/python benchmarks/cover.py

corpus: .venv/ready ## Run the check on a folder of templates: make corpus TEMPLATES=folder
	@$(BIN)/python -m scripts.corpus $(if $(TEMPLATES),"$(TEMPLATES)") $(OPTIONS)

api: .venv/ready ## Record the public API, after it has changed
	@$(BIN)/python -m scripts.public_api

dist: .venv/ready ## Build and check wheel and sdist in dist/python
	@$(BIN)/python -m scripts.dist

rehearse: .venv/ready ## Publish to an index on this machine, install from it, upgrade
	@$(BIN)/python -m scripts.rehearse

release: .venv/ready ## Prepare a release in the working tree: make release VERSION=0.2.0
	@$(BIN)/python -m scripts.release $(VERSION)

lock: .venv/ready ## Write requirements/*.txt after a change in pyproject.toml
	sh scripts/lock.sh

upgrade: .venv/ready ## Write requirements/*.txt with the newest versions
	sh scripts/lock.sh --upgrade

clean: ## Remove what the other targets made
	rm -rf .venv .cache node_modules dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
