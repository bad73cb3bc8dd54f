# CPNet, replicated. `make` lists the targets.

PYTHON ?= python3.11
REPRODUCE_BOOK = reproduce table1_live --rerun --jobs 2 --out runs/book
REPRODUCE_RESULTS = reproduce all --out results --jobs 2 $(if $(BUDGET),--budget $(BUDGET))

BIN = .venv/bin
HTML = _build/html

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup book test results clean

help: ## list the targets
	@sed -nE 's/^([a-z]+):.*## (.*)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 15

setup: .venv/.installed ## make .venv with the locked packages and cpnet (the other targets do it when needed)

# The stamps come last, so that an interrupted set-up starts anew. A change of pyproject.toml alone reinstalls only cpnet.
.venv/.locked: requirements.lock
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) not found: install it, or name another with make PYTHON=..."; exit 1; }
	@echo "Setting up .venv with $(PYTHON): some minutes the first time"
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -r requirements.lock
	@touch $@

.venv/.installed: .venv/.locked pyproject.toml
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

book: setup ## train the toy study anew into runs/book, build the book, compare fresh numbers with stored ones
	rm -rf _build runs/book
	$(BIN)/python -m cpnet $(REPRODUCE_BOOK)
	OMP_NUM_THREADS=1 TQDM_DISABLE=1 CPNET_LOCAL_RESULTS=$(CURDIR)/_build/results $(BIN)/jupyter-book build . -W -n --keep-going
	@$(BIN)/python -c "$$CHECK_PAGES" $(HTML)
	$(BIN)/python -m cpnet compare runs/book results
	@echo "The book: $(CURDIR)/$(HTML)/index.html"

test: setup ## lint, types, unit tests, and the notebooks against their stored outputs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest --numprocesses 2 --dist loadfile
	$(BIN)/pytest --nbval notebooks/

results: setup ## train what results/ lacks and store it there to be committed; BUDGET=150m begins no run after that
	OMP_NUM_THREADS=1 $(BIN)/python -m cpnet $(REPRODUCE_RESULTS)
	CPNET_LOCAL_RESULTS=results $(BIN)/python -c "$$DRAW_TABLE_1" book/images/table1.png

clean: ## remove .venv, caches, and what `make book` wrote; your own runs in runs/ stay
	rm -rf .venv _build runs/book build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
	find . -name .git -prune -o \( -name __pycache__ -o -name .ipynb_checkpoints \) -type d -prune -exec rm -rf {} +

# The figure of the README, from stored results.
define DRAW_TABLE_1
import sys
from cpnet import figures
from cpnet.experiments import load_curves, table1

figures.use_style()
figures.learning_curves(load_curves(table1.TABLE.runs()), table1.CHANCE).savefig(sys.argv[1])
endef
export DRAW_TABLE_1

# Every page of the table of contents must be there, with a redirect to the first at the root.
define CHECK_PAGES
import sys
from pathlib import Path
from sphinx_external_toc.parsing import parse_toc_yaml

html = Path(sys.argv[1])
pages = ["index", *parse_toc_yaml("_toc.yml")]
missing = [page for page in pages if not (html / f"{page}.html").is_file()]
if missing:
    sys.exit(f"not built: {', '.join(missing)}")
endef
export CHECK_PAGES
