# For users: `make run` and `make test`. Each sets up all that it needs and may be repeated.
PYTHON ?= python3
VENV ?= .venv
OUT ?= runs/first
DIST ?= dist
DATA ?= ../shared/datasets
ARGS ?=
ARCH ?= aarch64

BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check
SAMPLES := lightcam_edge/samples

.PHONY: help run test lint types format wheel bundle test-arm model clean

help: ## Show the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 10

run: $(VENV)/.runtime ## Draw a box on a sample photograph with the bundled model
	@$(BIN)/lightcam-edge run $(SAMPLES)/bird.jpg --out $(OUT)
	@echo "Look at $(OUT)/bird.jpg"

test: $(VENV)/.dev ## Pass the tests (ARGS='-k box' for some of them)
	@$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/.dev ## Check style and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/.dev ## Check types
	@$(BIN)/mypy

format: $(VENV)/.dev ## Put imports and layout in order
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

wheel: $(VENV)/.dev ## Build the source archive, and the wheel from it, into dist/
	@rm -f $(DIST)/*.whl $(DIST)/*.tar.gz
	@$(BIN)/python -m build --outdir $(DIST) .

bundle: ## Put all that a board without a network needs into dist/ (ARCH=aarch64 PYTHON=3.11)
	@$(MAKE) --no-print-directory wheel PYTHON=python3
	@$(BIN)/python deploy/bundle.py $(DIST)/*.whl --arch $(ARCH) --python $(PYTHON) --out $(DIST)

test-arm: $(VENV)/.dev ## Install and run on emulated ARM boards, as root (ARGS=trixie-arm64 for one)
	@deploy/proof/arm.sh $(BIN)/python $(ARGS)

model: $(VENV)/.dev ## Rebuild the bundled models from the data sets in DATA
	$(BIN)/python benchmarks/build_models.py --data-root $(DATA)

clean: ## Remove what the other targets made, but not runs/
	rm -rf $(VENV) $(DIST) build .mypy_cache .pytest_cache .ruff_cache

$(VENV)/.runtime: pyproject.toml $(VENV)/.created
	@echo "Installing lightcam-edge in $(VENV) (once)"
	@$(PIP) --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/.created
	@echo "Installing lightcam-edge with TensorFlow and the test tools in $(VENV) (once, 2.7 GB)"
	@$(PIP) --editable '.[dev]'
	@touch $(VENV)/.runtime $@

# A stamp and not the folder: an interrupted set-up starts again.
$(VENV)/.created:
	@command -v $(PYTHON) >/dev/null || { echo "error: there is no $(PYTHON): sudo apt install python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "error: $$($(PYTHON) -V) is too old, Python 3.10 or newer is needed: make PYTHON=python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "error: $(PYTHON) cannot make virtual environments: sudo apt install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@touch $@
