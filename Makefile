# On a fresh machine with Python 3.11 or newer, `make demo` and `make test` install everything.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ORIGINALS := .venv-originals
DOWNSTREAM := .venv-downstream
DOCS := .venv-docs
# Two processes that run whole files, because the tests of a file share trained models. The slowest
# tests are listed, because `make test` must finish in minutes.
PARALLEL := -n 2 --dist loadfile --durations=40 --durations-min=2
# A tested pair, so that pip need not search; requirements/runtime.txt has the ranges.
TORCH := torch==2.14.1 torchvision==0.29.1

.PHONY: help install demo test test-all test-downstream test-originals docs format lint clean

help:
	@echo "make demo            install, train ReSSL on digits, evaluate, plot"
	@echo "make test            install the test requirements, lint, check types, run the fast tests"
	@echo "make test-all        lint, check types, run all tests, including the slow ones"
	@echo "make test-downstream run the tests with mmseg, mmdet and timm"
	@echo "make test-originals  run the tests with the original OpenMMLab packages"
	@echo "make docs            build the documentation as a site, in site/"
	@echo "make format          format the code"

$(VENV)/.installed: pyproject.toml setup.py $(wildcard requirements/*.txt)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet $(TORCH)
	$(BIN)/pip install --quiet -e '.[onedl,visualization,tests]'
	touch $@

$(ORIGINALS)/.installed: pyproject.toml setup.py $(wildcard requirements/*.txt)
	$(PYTHON) -m venv $(ORIGINALS)
	$(ORIGINALS)/bin/pip install --quiet --upgrade pip
	$(ORIGINALS)/bin/pip install --quiet $(TORCH)
	$(ORIGINALS)/bin/pip install --quiet -e '.[openmmlab,visualization,tests]'
	touch $@

# Without dependencies; see requirements/mmdet.txt.
$(DOWNSTREAM)/.installed: pyproject.toml setup.py $(wildcard requirements/*.txt)
	$(PYTHON) -m venv $(DOWNSTREAM)
	$(DOWNSTREAM)/bin/pip install --quiet --upgrade pip
	$(DOWNSTREAM)/bin/pip install --quiet $(TORCH)
	$(DOWNSTREAM)/bin/pip install --quiet -e '.[onedl,visualization,tests]'
	$(DOWNSTREAM)/bin/pip install --quiet --no-deps \
		-r requirements/mmseg.txt -r requirements/mmdet.txt 'timm>=1,<2'
	touch $@

install: $(VENV)/.installed

demo: install
	$(BIN)/python tools/demo.py

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

test: lint
	$(BIN)/python -m pytest $(PARALLEL) -m 'not slow'

test-all: lint
	$(BIN)/python -m pytest $(PARALLEL)

test-downstream: $(DOWNSTREAM)/.installed
	$(DOWNSTREAM)/bin/python -m pytest $(PARALLEL) tests/downstream

test-originals: $(ORIGINALS)/.installed
	$(ORIGINALS)/bin/python -m pytest $(PARALLEL)

# Without mmrel: docstrings are read from the sources.
$(DOCS)/.installed: requirements/docs.txt
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/pip install --quiet --upgrade pip
	$(DOCS)/bin/pip install --quiet -r requirements/docs.txt
	touch $@

docs: $(DOCS)/.installed
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --strict

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) $(ORIGINALS) $(DOWNSTREAM) $(DOCS) site build *.egg-info .mypy_cache .pytest_cache .ruff_cache
