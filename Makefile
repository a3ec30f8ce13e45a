# The two commands of the README are `make acceptance` and `make test`; all others are for those who
# work on podmatrix. ARGS is handed on to the tool behind each: make acceptance ARGS="-n 4"
PYTHON ?=
ARGS ?=
export PYTHON
# Debian gives ordinary users no sbin, where ip and iptables live.
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin
bin := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help acceptance test lint type format benchmark lock setup venv venv-dev tools clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

acceptance: setup  ## bring up the embedded lab, prove its pod networks, write reports/latest
	$(bin)/python -m pytest $(ARGS)

test: setup  ## run the harness' own tests
	$(bin)/python -m pytest tests $(ARGS)

lint: venv-dev  ## check form and layers: ruff, import-linter
	$(bin)/ruff format --check .
	$(bin)/ruff check .
	$(bin)/lint-imports

type: venv-dev  ## check types: mypy, strict
	$(bin)/mypy $(ARGS)

format: venv-dev  ## format the code and repair what ruff can
	$(bin)/ruff format .
	$(bin)/ruff check --fix .

benchmark: setup  ## measure a run on this machine, for information
	$(bin)/python -m benchmarks.sweep $(ARGS)

lock: venv-dev  ## write requirements/*.txt anew; ARGS=--upgrade for the newest versions
	$(bin)/uv pip compile $(lock) $(ARGS) --group build --group test -o requirements/test.txt
	$(bin)/uv pip compile $(lock) $(ARGS) --group build --group dev -c requirements/test.txt -o requirements/dev.txt
lock := --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock" pyproject.toml

setup:  ## what acceptance and test begin with: system tools and .venv
	@sh .ci/setup.sh tools
	@sh .ci/setup.sh venv

venv:  ## make .venv with the locked dependencies
	@sh .ci/setup.sh venv

venv-dev:
	@sh .ci/setup.sh venv dev

tools:  ## check the system tools of the lab; as root, install what is missing
	@sh .ci/setup.sh tools

clean:  ## remove all that was made here, but the reports
	rm -rf .venv .tox .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist src/*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
