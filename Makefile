# Needed: Python 3.11 or newer, make, a package index. Everything lands in .venv; nothing outside this folder changes.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test lint types peers bench figures million torture mutations format man site dist deb image address release test-release lock clean

# Asked by running it: a name on the path may be older, pyenv's stand-in for an interpreter that is not there, or
# Debian's without the module that puts pip into an environment.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Newer than the locks they were installed from, so that repeating is quick and a changed lock is noticed.
RUNTIME := .venv/.runtime
DEV := .venv/.dev
TOOLS := .venv/tools/.installed

help: ## what can be made
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/make \1\t\2/p' Makefile | expand -t 16

demo: $(RUNTIME) ## two sample jobs through the sandbox, start to finish: no key, no cost, no network
	$(BIN)/batchd demo

# The tests wait more than they reckon: more of them than processors keep those busy.
WORKERS ?= 4

test: $(DEV) ## the tests that are quick
	$(BIN)/python -m pytest -m "not slow" --numprocesses $(WORKERS) --dist loadfile

lint: $(DEV) ## rules, formatting, and who may import whom
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports

types: $(DEV) ## mypy, strict
	$(BIN)/mypy

# Those whose name begins with _ are what the others share.
BENCHMARKS = $(sort $(notdir $(basename $(filter-out benchmarks/_% benchmarks/million_rows.py, $(wildcard benchmarks/*.py)))))
bench: $(DEV) ## figures; they pass or fail nothing. After `make peers` beside those of others
	set -e; for name in $(BENCHMARKS); do $(BIN)/python -m benchmarks.$$name; done

figures: $(DEV) ## docs/figures.md measured anew, on a machine that does nothing else: half an hour. After `make peers` with theirs
	$(BIN)/python -m benchmarks._renew

# Each with an environment of its own: they ask for other releases of the SDK than batchd does.
PEERS = batchwizard steadybatch
peers: $(PEERS:%=.venv/peers/%/.installed) ## programs that do the same, for `make bench`

.venv/peers/%/.installed: requirements/%.txt | $(BIN)/pip
	$(BIN)/python -m venv --clear .venv/peers/$*
	.venv/peers/$*/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r $<
	@touch $@

million: $(DEV) ## a table of a million rows through the sandbox: memory, and each row compared; half an hour, 5 GB of disk
	$(BIN)/python -m benchmarks.million_rows

# Of the kills; the slow tests and the simulation take some minutes more.
MINUTES ?= 20

torture: $(DEV) ## the long form of the faults, up to 30 minutes: kills, failing calls, power, histories of doubt, a real systemd (needs root)
	$(BIN)/python -m pytest -m slow
	$(BIN)/python -m tests.faults.torture --minutes $(MINUTES)
	$(BIN)/python -m tests.faults.simulation --minutes 4

mutations: $(DEV) ## whether the tests bite: code broken on purpose, in a copy
	$(BIN)/python -m tests.faults.torture.mutations

format: $(DEV) ## write it as `make lint` wants it
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# -- releasing ------------------------------------------------------------------------------------------------------

# The moment that all which is packed carries: of the commit, so that anybody can build the same bytes.
EPOCH = SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct 2>/dev/null || echo 1580601600)}

man: $(DEV) ## the manual pages again, from the help of the commands
	$(BIN)/python -m release.manpages man

site: $(DEV) $(TOOLS) ## the documentation as a site, into build/site/html; every link is followed, none leads elsewhere
	$(BIN)/python -m release.site lay build/site
	cd build/site && ../../.venv/tools/bin/zensical build --clean --strict --config-file zensical.toml
	$(BIN)/python -m release.site check build/site

dist: $(DEV) $(TOOLS) ## wheel and sdist into dist/: built twice, compared, and asked whether an index would take them
	rm -rf dist build/again
	set -e; for folder in dist build/again; do $(EPOCH) $(BIN)/python -m hatchling build --directory $$folder; done
	set -e; for built in $$(ls dist); do cmp dist/$$built build/again/$$built; done
	.venv/tools/bin/twine check --strict dist/*

deb: $(DEV) ## a Debian package into dist/, for this machine's Debian and its Python
	rm -rf build/wheel && $(EPOCH) $(BIN)/python -m hatchling build --target wheel --directory build/wheel
	$(EPOCH); export SOURCE_DATE_EPOCH; sh release/deb/build.sh $(BIN)/python build/wheel/batchd-*.whl

# Of a base that is there (BASE=debian:bookworm-slim), or of one that mmdebstrap makes, for which no registry is asked.
image: deb ## a container image by buildah, from the Debian package: localhost/batchd (needs root, buildah, mmdebstrap)
	$(EPOCH); export SOURCE_DATE_EPOCH; sh release/image/build.sh \
		"$$(basename build/wheel/batchd-*.whl | cut -d- -f2)" $(BASE)

address: $(DEV) ## make address URL=https://HOST/OWNER/NAME EMAIL=NAME@HOST: where the repository is, for all that is packed
	$(BIN)/python -m release.address "$(URL)" "$(EMAIL)"

# What has to pass before; `make release VERSION=x JUDGES=lint` for a rehearsal.
JUDGES ?= lint types test site

release: $(DEV) $(TOOLS) ## make release VERSION=x: checked, tested, packed, listed and tagged; the upload is a person's
	$(BIN)/python -m release.ready "$(VERSION)"
	set -e; for judge in $(JUDGES); do $(MAKE) $$judge; done
	$(MAKE) dist
	$(MAKE) deb
	.venv/tools/bin/cyclonedx-py requirements requirements/everything.txt --pyproject pyproject.toml --output-reproducible \
		--output-format JSON --output-file dist/batchd-$(VERSION).cdx.json
	cd dist && sha256sum * >SHA256SUMS && sha256sum --check --quiet SHA256SUMS
	git tag --annotate "v$(VERSION)" --message "batchd $(VERSION)"
	@echo "dist/ is ready, and v$(VERSION) is tagged. What is left is yours:"
	@echo "  git push origin v$(VERSION)"
	@echo "  .venv/tools/bin/twine upload dist/batchd-$(VERSION)-py3-none-any.whl dist/batchd-$(VERSION).tar.gz"

test-release: deb ## what is released, installed for real: in empty environments and systems that are thrown away (needs root)
	$(BIN)/python -m pytest -m slow tests/release

# -- installing ----------------------------------------------------------------------------------------------------

# The target is what venv makes last: one that was interrupted is made again.
$(BIN)/pip:
	@test -n "$(PYTHON)" || { echo "batchd needs Python 3.11 or newer, with venv: none was found as python3, python3.13," \
		"python3.12 or python3.11. Install one (Debian, Ubuntu: apt install python3-venv), or name one:" \
		"make PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv

# Built without isolation, by the hatchling of the lock: an isolated build would fetch one that nobody has checked.
$(RUNTIME): requirements/runtime.txt requirements/build.txt pyproject.toml | $(BIN)/pip
	$(PIP) install --require-hashes -r requirements/runtime.txt -r requirements/build.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): requirements/dev.txt $(RUNTIME)
	$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

# An environment of its own: what uploads and what draws pages bring a hundred things along that batchd never meets.
$(TOOLS): requirements/release.txt | $(BIN)/pip
	$(BIN)/python -m venv --clear .venv/tools
	.venv/tools/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r requirements/release.txt
	@touch $@

# -- the locks ----------------------------------------------------------------------------------------------------

# Pins that still fit stay; `make lock UPGRADE=--upgrade` looks for newer releases. No address of an index gets in.
COMPILE = CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --generate-hashes --strip-extras \
	--allow-unsafe --no-emit-options $(UPGRADE)
# The lists of pyproject.toml that pip-compile does not read by itself go in through a pipe.
LISTED = $(BIN)/python -c 'import sys, tomllib; table, key = sys.argv[1:]; \
	print(*tomllib.load(open("pyproject.toml", "rb"))[table][key], sep="\n")'
# The tests run with what each extra needs.
EXTRAS = $(BIN)/python -c 'import tomllib; \
	print(*sum(tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"].values(), []), sep="\n")'

lock: $(DEV) ## pin again what pyproject.toml asks for, with hashes
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "Locks are made with Python" \
		"3.11, the oldest supported: what only it needs would be missing. make clean;" \
		"make lock PYTHON=python3.11" >&2; exit 1; }
	$(COMPILE) --output-file requirements/runtime.txt pyproject.toml
	$(COMPILE) --output-file requirements/everything.txt --all-extras --constraint requirements/runtime.txt pyproject.toml
	$(LISTED) build-system requires | $(COMPILE) --output-file requirements/build.txt --constraint requirements/runtime.txt -
	{ $(LISTED) dependency-groups dev; $(EXTRAS); } | $(COMPILE) --output-file requirements/dev.txt \
		--constraint requirements/everything.txt --constraint requirements/build.txt -
	$(LISTED) dependency-groups release | $(COMPILE) --output-file requirements/release.txt -
	set -e; for peer in $(PEERS); do \
		$(LISTED) dependency-groups $$peer | $(COMPILE) --output-file requirements/$$peer.txt -; done

# Never inbox, outbox or .batchd: what lies there is somebody's work.
clean: ## remove what was made here
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find daemon tests benchmarks -name __pycache__ -exec rm -rf {} +
