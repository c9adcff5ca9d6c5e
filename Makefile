VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime-installed
DEV := $(VENV)/.dev-installed
DOCS := $(VENV)/.docs-installed
CPU := $(VENV)/.torch-chosen
CPU_TORCH := https://download.pytorch.org/whl/cpu
PYTHONS := python3.11 python3 python3.12 python3.13 python3.14

.PHONY: help setup demo test check format docs

help: ## list what there is
	@sed -nE 's/^([a-z]+):.*## (.*)/make \1\t\2/p' Makefile | expand -t 16

setup: $(DEV) ## install the package with the tools for its development

demo: $(RUNTIME) ## train on made-up motions with offline agents, and write a report
	$(BIN)/skeletonagent demo --out runs/demo

test: $(DEV) ## run all tests in random order; the last lines say what was skipped and how to run it
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --maxprocesses 8

check: $(DEV) ## lint, formatting, types, import direction, spelling, dependencies
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/codespell
	$(BIN)/deptry src

format: $(DEV) ## put the code into the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(DOCS) ## build the documents as a site, in build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "build/site/index.html"

$(BIN)/python:
	@for python in $(PYTHONS); do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "$$python -m venv $(VENV)"; \
	    exec $$python -m venv $(VENV); \
	  fi; \
	done; \
	echo "no Python 3.11 or newer found among: $(PYTHONS)" >&2; exit 1

# The package index has PyTorch for Linux with CUDA alone, 4 GB more than the CPU build takes. Where
# PyTorch's own index cannot be reached, pip takes what it finds. TORCH=any leaves the choice to pip.
$(CPU): | $(BIN)/python
ifneq ($(TORCH),any)
	@$(BIN)/python -c 'import torch' 2>/dev/null || $(BIN)/python -m pip install --quiet --no-deps \
	  --retries 0 --timeout 20 -c constraints.txt --index-url $(CPU_TORCH) torch 2>/dev/null \
	  || echo "no CPU build of PyTorch at $(CPU_TORCH): pip takes what the package index has"
endif
	@touch $@

$(RUNTIME): pyproject.toml constraints.txt | $(CPU)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e .
	@touch $@

$(DEV): pyproject.toml constraints.txt | $(CPU)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@ $(RUNTIME)

$(DOCS): pyproject.toml constraints.txt | $(CPU)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[docs]'
	@touch $@ $(RUNTIME)
