# Each target installs what it needs: `make run` and `make test` work in a fresh clone.
#
#   make run                    run storage, app and samples on this machine until Ctrl-C
#   make run ONCE=1             the same, exit when the samples are captioned
#   make run HOST=func          under Azure Functions Core Tools (auto: where `func` is on PATH)
#   make run PORT=8071 STORAGE_PORT=11000 DATA=.azurite-2
#   make bench                  measure speed and cost: ten minutes, on an idle machine
#   make bench PARTS="throughput --quick"
#   make eval                   score the captions of the configured services
#   make eval INPUTS=tags       the same for one CAPTION_INPUT
#   make test                   lint, type checks, all tests (installs Chromium on Debian if missing)
#   make test JOBS=1            the same, one test at a time instead of two
#   make lock                   write requirements*.txt from requirements*.in; UPGRADE=1 takes newer releases
#   make sbom                   write build/sbom.cdx.json, the bill of materials of what is deployed

SHELL := /bin/sh
PYTHON ?= $(shell sh scripts/find-python)
BIN := .venv/bin
PORT ?= 7071
STORAGE_PORT ?= 10000
DATA := .azurite
JOBS ?= 2
# Some shells set HOST to the name of the machine, so only the command line counts.
ifneq ($(origin HOST),command line)
HOST := auto
endif
UP = $(BIN)/python -m captioning up --port $(PORT) --storage-port $(STORAGE_PORT) --host $(HOST) \
	--data "$(DATA)"

PIP_INSTALL := -m pip install --quiet --disable-pip-version-check --require-hashes

.PHONY: run bench eval test lint types pytest lock sbom setup setup-dev chromium clean
.DEFAULT_GOAL := help

help:
	@sed -n 's/^#  //p' Makefile

run: setup
	@exec $(UP) $(if $(filter-out 0,$(ONCE)),--once)

bench: setup-dev
	$(BIN)/python -m bench $(PARTS)

eval: setup
	@$(BIN)/python -m bench.quality.evaluate $(INPUTS)

test: setup-dev lint types pytest

lint: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup-dev
	$(BIN)/mypy

pytest: setup-dev chromium
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

lock: .venv-lock/stamp
	UV=.venv-lock/bin/uv sh scripts/lock $(if $(filter-out 0,$(UPGRADE)),--upgrade)

sbom: .venv/local.stamp .venv-sbom/stamp
	@mkdir -p build
	.venv-sbom/bin/python scripts/make_sbom.py --python $(BIN)/python --output build/sbom.cdx.json

setup: .venv/local.stamp node_modules/.stamp

setup-dev: .venv/dev.stamp .venv-checkov/stamp .venv-sbom/stamp node_modules/.stamp
	@sh scripts/need shellcheck shellcheck
	@sh scripts/need exiftool libimage-exiftool-perl
	-@sh scripts/need /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf fonts-dejavu-core 2>/dev/null

chromium:
	@sh scripts/find-chromium >/dev/null 2>&1 || sh scripts/need chromium chromium

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; name it with PYTHON=…" >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/local.stamp: .venv/bin/python requirements-local.txt
	$(BIN)/python $(PIP_INSTALL) -r requirements-local.txt
	@touch $@

.venv/dev.stamp: .venv/bin/python requirements-dev.txt
	$(BIN)/python $(PIP_INSTALL) -r requirements-dev.txt
	@touch $@ .venv/local.stamp

# Tools in environments of their own: their packages are many, in versions that may be others.
.venv-%/stamp: requirements-%.txt | .venv/bin/python
	$(BIN)/python -m venv .venv-$*
	.venv-$*/bin/python $(PIP_INSTALL) -r requirements-$*.txt
	@touch $@

node_modules/.stamp: package.json package-lock.json
	@command -v npm >/dev/null || { echo "Node.js 20 or newer with npm is needed for Azurite." >&2; exit 1; }
	npm ci --silent --no-progress
	@touch $@

clean:
	rm -rf .venv .venv-* node_modules build .azurite* .mypy_cache .pytest_cache .ruff_cache
