# CPNet, replicated. `make` lists the targets.

# The first that runs of Python 3.11 to 3.13.
PYTHON ?= $(firstword $(foreach v,3.11 3.12 3.13,$(shell python$(v) -c "" 2>/dev/null && echo python$(v))) python3)
REPRODUCE_BOOK = reproduce table1_live --rerun --jobs 2 --out runs/book
REPRODUCE_RESULTS = reproduce all --out results --jobs 2 $(if $(BUDGET),--budget $(BUDGET))

BIN = .venv/bin
HTML = _build/html

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup book test results platforms clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-11s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/.installed ## make .venv with the locked packages and cpnet (the other targets do it when needed)

# The stamps come last, so that an interrupted set-up starts anew. A change of pyproject.toml alone reinstalls only cpnet.
# All cores compile what pip, which has one, would; some packages hold templates that are no Python and stay as they are.
.venv/.locked: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "$(PYTHON) is no Python 3.11, 3.12 or 3.13: install one, or name it with make PYTHON=..."; exit 1; }
	@echo "Setting up .venv with $(PYTHON): some minutes the first time"
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-compile -r requirements.lock
	@$(BIN)/python -m compileall -qq -j 0 .venv/lib || true
	@touch $@

.venv/.installed: .venv/.locked pyproject.toml
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

book: setup ## train the toy study anew into runs/book, build the book, check its pages, compare fresh numbers with stored ones
	rm -rf _build runs/book
	@echo "Training the toy study, and meanwhile executing the chapters, which do not wait for it"
	OMP_NUM_THREADS=1 $(BIN)/python -m cpnet $(REPRODUCE_BOOK) & trained=$$!; \
	trap 'kill $$trained 2> /dev/null' EXIT INT TERM; \
	OMP_NUM_THREADS=1 TQDM_DISABLE=1 CPNET_LOCAL_RESULTS=$(CURDIR)/_build/results nice $(BIN)/jupyter-book build . -W -n --keep-going && \
	wait $$trained
	$(BIN)/pytest tests/test_pages.py
	$(BIN)/python -m cpnet compare runs/book results
	@echo "The book: $(CURDIR)/$(HTML)/index.html"

test: setup ## lint, types, unit tests, and the notebooks against their stored outputs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2 --dist loadfile --nbval tests notebooks

results: setup ## train what results/ lacks and store it there to be committed; BUDGET=150m begins no run after that
	OMP_NUM_THREADS=1 $(BIN)/python -m cpnet $(REPRODUCE_RESULTS)
	CPNET_LOCAL_RESULTS=results $(BIN)/python -c "$$DRAW_TABLE_1" book/images/table1.png

# Each platform with all tags that wheels for it may have.
LINUX = 2_28 2_27 2_17 2014
MACOS = 14_0_arm64 13_0_arm64 12_0_arm64 11_0_arm64 11_0_universal2 10_13_universal2 10_12_universal2 10_9_universal2
platforms: setup ## look whether every locked package has a wheel for Linux (x86-64, ARM) and macOS (ARM), Python 3.11 to 3.13
	@for python in 3.11 3.12 3.13; do \
		for tags in "$(LINUX:%=manylinux%_x86_64) manylinux1_x86_64" "$(LINUX:%=manylinux%_aarch64)" "$(MACOS:%=macosx_%)"; do \
			set -- $$tags; \
			$(BIN)/python -m pip install -q --disable-pip-version-check --dry-run --no-deps --ignore-installed --only-binary=:all: \
				--implementation cp --python-version $$python $$(printf -- '--platform %s ' $$(echo $$tags | sed 's/manylinux2_/manylinux_2_/g')) \
				--target .venv/none -r requirements.lock || exit 1; \
			echo "Python $$python, $$1: every package has a wheel"; \
		done; \
	done

clean: ## remove .venv, caches, and what `make book` wrote; your own runs in runs/ stay
	rm -rf .venv _build runs/book build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
	find . -name .git -prune -o \( -name __pycache__ -o -name .ipynb_checkpoints \) -type d -prune -exec rm -rf {} +

# The figure of the README, from stored results.
define DRAW_TABLE_1
import sys
from cpnet import figures
from cpnet.experiments import load_curves, table1
from cpnet.paper import model_names

figures.use_style()
curves = load_curves(table1.TABLE.runs())
figures.learning_curves(curves, model_names("table1"), table1.CHANCE).savefig(sys.argv[1])
endef
export DRAW_TABLE_1
