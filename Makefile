# livermet. `make demo` sets up and runs the demo study, `make test` sets up and runs the tests; `make help` lists all.
PYTHON ?= python3
CORES ?= $(shell nproc 2>/dev/null || echo 2)
BIN := .venv/bin
SET_UP := .venv/.set-up
EXTRAS := .venv/.extras

.PHONY: help demo test extras test-extras faults lint lock docs calibrate benchmark-cells clean
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1|/' | column -t -s '|'

$(SET_UP): requirements.lock tools/set_up.sh
	@sh tools/set_up.sh "$(PYTHON)"

demo: $(SET_UP) ## set up if need be, run the demo study, name its report
	@$(BIN)/snakemake --cores $(CORES)
	@echo "Open results/demo/report.html"

test: $(SET_UP) ## set up if need be, run the tests, one worker a core
	@$(BIN)/python -m pytest --numprocesses $(CORES) --dist loadfile --no-loadscope-reorder

$(EXTRAS): pyproject.toml $(SET_UP) tools/set_up_extras.py
	@echo "livermet set-up: installing Scanorama, scVI (with PyTorch) and CellTypist into .venv (gigabytes, once)"
	@$(BIN)/python tools/set_up_extras.py
	@touch $(EXTRAS)

extras: $(EXTRAS) ## set up if need be, install the optional packages: Scanorama, scVI, CellTypist (README of config/)

test-extras: $(EXTRAS) ## the same, and run the tests that need them (some CPU minutes)
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m extras

faults: $(SET_UP) ## kill -9 at every rule in three ways, the whole study twice: the complete matrix (an hour; needs root)
	@LIVERMET_FAULTS=all $(BIN)/python -m pytest -s tests/faults

lint: $(SET_UP) ## everything that can be said without running: ruff, mypy, bandit, snakefmt, snakemake --lint
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/bandit --quiet --recursive workflow tools benchmarks
	@$(BIN)/snakefmt --check Snakefile workflow/rules
	@$(BIN)/snakemake --lint

lock: ## pin the dependencies of pyproject.toml anew (needs uv) and write envs/ from them
	uv pip compile --universal --generate-hashes --python-version 3.11 --group dev --no-emit-index-url \
	  --no-emit-find-links --custom-compile-command "make lock" --quiet pyproject.toml -o requirements.lock
	$(PYTHON) tools/make_envs.py

docs: $(SET_UP) ## write the generated pages of docs/ anew
	@PYTHONPATH=workflow/scripts $(BIN)/python tools/make_docs.py

calibrate: $(SET_UP) ## prove the inference on simulated mice with a known truth (an hour; see benchmarks/calibration)
	@$(BIN)/python -m benchmarks.calibration --processes $(shell test $(CORES) -gt 1 && echo 2 || echo 1)

benchmark-cells: $(SET_UP) ## measure the cells against planted and published truth, beside plain scanpy (see benchmarks/cells)
	@$(BIN)/python -m benchmarks.cells --processes $(shell test $(CORES) -gt 1 && echo 2 || echo 1)

clean: ## remove the results of the demo study (the environment stays)
	rm -rf results/demo
