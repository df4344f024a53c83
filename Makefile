# Needs Python 3.11 or newer, make and a C compiler. Another Python: make PYTHON=python3.12 test
PYTHON ?= $(or $(shell for name in python3.11 python3.12 python3.13 python3; do $$name -c '' 2>&- && echo $$name && break; done),python3)
RUN = .venv/bin
JOBS ?= 2

.PHONY: help demo live test setup-demo setup-test lint model clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: setup-demo ## set up the runtime, then caption the recorded call that comes along
	@$(RUN)/edgevoice demo

live: setup-demo ## set up the runtime, then caption the microphone
	@$(RUN)/edgevoice live

test: lint ## set up everything, then check the code and run all tests
	OMP_NUM_THREADS=1 $(RUN)/python -m pytest -n $(JOBS) --dist loadfile -m "not alone and not sound"
	$(RUN)/python -m pytest -m "alone or sound"

lint: setup-test ## ruff, mypy and the import contracts
	$(RUN)/ruff check
	$(RUN)/ruff format --check
	$(RUN)/mypy
	$(RUN)/lint-imports

model: setup-test ## rebuild the bundled reader and model from nothing (hours)
	bash scripts/build_model.sh

setup-demo:
	@PYTHON=$(PYTHON) bash scripts/debian-packages.sh demo
	@$(PYTHON) scripts/setup.py demo

setup-test:
	@PYTHON=$(PYTHON) bash scripts/debian-packages.sh test
	@$(PYTHON) scripts/setup.py test

clean: ## remove the environment and everything that was built
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
