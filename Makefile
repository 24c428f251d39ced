# The two commands that matter: `make demo` and `make test`. Both set up what they need and can be repeated at will.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
DATA   ?=
FAST   ?=
WHOLE  ?=
BASE   := .freehold-cache
MINUTES ?= 5
UPGRADE ?=
COOLDOWN ?=
SBOM   ?= sbom.json
JOBS   ?= 2
# What is installed is what lock/ names, with its hash, as wheels: no code of a package runs while it is installed.
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCKED := $(PIP) install --require-hashes --no-deps --only-binary :all:
PARTS  := $(patsubst %,--requirement lock/%.txt,gateway engine postgres otel demo train-libraries dev)

.PHONY: help demo test lock sbom test-long lint types bench-gateway bench-peers bench-proof bench-steady fuzz format clean
help:  ## Show this list.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

$(VENV)/.ready: pyproject.toml $(wildcard lock/*.txt)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "Freehold needs Python 3.11 or newer as '$(PYTHON)'. Install it, or run: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "This Python has no venv module. Install it (Debian: apt-get install python3-venv), then run make again."; exit 1; }
	@echo "Setting up $(VENV): about 2 minutes the first time."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(LOCKED) --requirement lock/build.txt
	@$(LOCKED) --requirement lock/torch-cpu.txt 2>/dev/null || \
	  { echo "pip's index has no CPU build of torch for this Python; taking the public one (on Linux with CUDA, 3 GB)."; \
	    $(LOCKED) --requirement lock/torch.txt; }
	@$(LOCKED) $(PARTS)
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@$(PIP) check || { echo "What is locked does not fit pyproject.toml: run make lock."; exit 1; }
	@touch $@

demo: $(VENV)/.ready  ## Watch a product leave its rented model in 5 minutes (FAST=1, WHOLE=1, DATA=folder: your rows).
	@$(BIN)/freehold demo $(if $(FAST),--fast) $(if $(WHOLE),--whole) $(if $(DATA),--data "$(DATA)")

test: $(VENV)/.ready  ## Format, lint, types, then all tests but the long ones (JOBS=2 at once).
	@echo "format"; $(BIN)/ruff format --check .
	@echo "lint";   $(BIN)/ruff check .
	@echo "types";  $(BIN)/mypy
	@echo "base";   $(BIN)/freehold --state $(BASE) pull smollm2-135m
	@echo "tests";  FREEHOLD_BASE=$(BASE) $(BIN)/pytest -m "not slow" -o faulthandler_timeout=120 --numprocesses $(JOBS) --dist loadfile
	@echo "Next: make demo"

test-long: $(VENV)/.ready  ## The tests that take minutes.
	@$(BIN)/freehold --state $(BASE) pull smollm2-135m
	@FREEHOLD_BASE=$(BASE) $(BIN)/pytest -m slow

bench-peers: $(VENV)/.ready  ## Set up the gateways by others that bench-gateway measures beside Freehold.
	@$(BIN)/python bench/gateway/peers/install.py

bench-gateway: $(VENV)/.ready  ## Measure the gateway beside nginx and the peers (needs wrk, nginx; 20 minutes).
	@$(BIN)/python bench/gateway.py --json

bench-steady: $(VENV)/.ready  ## Measure what a busy hour does to the record and to rollback (half an hour, Linux).
	@$(BIN)/python bench/steady.py --json

bench-proof: $(VENV)/.ready  ## Hold what the proof promises against known truth (10 minutes).
	@$(BIN)/python bench/proof.py

lock:  ## Make lock/ from pyproject.toml (UPGRADE=1: newest versions; COOLDOWN="0 days": also those of today).
	@test -x $(VENV)-lock/bin/python || $(PYTHON) -m venv $(VENV)-lock
	@$(LOCKED:$(BIN)/%=$(VENV)-lock/bin/%) --requirement lock/uv.txt
	@$(VENV)-lock/bin/python tools/make_lock.py $(if $(UPGRADE),--upgrade) $(if $(COOLDOWN),--cooldown "$(COOLDOWN)")

sbom: $(VENV)/.ready  ## Write a bill of materials of all that is locked (CycloneDX, to SBOM=sbom.json).
	@$(BIN)/python tools/sbom.py $(SBOM)

fuzz: $(VENV)/.ready  ## Fuzz the parsers for MINUTES=5; what it finds is kept in files.
	@PYTHONPATH=tests $(BIN)/python -m fuzz.run --minutes $(MINUTES)

format: $(VENV)/.ready  ## Write the format that `make test` checks.
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

clean:  ## Remove what the demo made; the virtual environment stays.
	@rm -rf .freehold-demo
