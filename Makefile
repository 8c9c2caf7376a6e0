# Everything one does here, each verb with its set-up: a machine needs Python 3.11 or later and make, nothing else.
.PHONY: screenshots replacements help demo test bench simulate synth lint clean setup bytecode ministack-requirements
.DEFAULT_GOAL := help

PYTHON ?= python3
UV_VERSION := 0.13.9
SOURCES := clickstream producers consumers models serving load infra tests
RUN := .venv/bin
# set on some machines; each process would then compile every module again at its start
export PYTHONDONTWRITEBYTECODE :=

# an installed uv serves only if it is the pinned one
UV := $(if $(findstring uv $(UV_VERSION),$(shell uv --version 2>/dev/null)),uv,.tools/bin/uv)

# a person sees uv's progress
QUIET := $(shell test -t 2 || echo --quiet)

help:
	@echo 'make demo        the whole system here, dashboard at http://127.0.0.1:8080 (SECONDS=60 RATE=500: ends by itself, verified)'
	@echo 'make test        lint, types and every test that needs no more than this machine'
	@echo 'make bench       the benchmarks, each beside its peer; also in build/bench.json (QUICK=1: five minutes; DOCS=1: the page too)'
	@echo 'make simulate    the fleet simulator (SEEDS=20000; SEED=123 replays one with its trace)'
	@echo 'make synth       the AWS stacks into cdk.out/, checked'
	@echo 'make lint        ruff and mypy alone'
	@echo 'make screenshots every page in every state, language, theme and width, as contact sheets in build/screenshots'
	@echo 'make clean       delete everything that was built, local AWS included'

.tools/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed (PYTHON=... names another)" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .tools
	.tools/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

# The java extra brings a runtime from PyPI: only for a machine that has none.
.venv/synced: pyproject.toml uv.lock hatch_build.py models/recommender/scoring.c $(filter .tools/bin/uv,$(UV))
	@echo 'installing what uv.lock names into .venv (once, about a minute)' >&2
	$(UV) sync $(QUIET) --frozen --all-extras --no-extra java
	$(RUN)/python -m clickstream.consumers.runtime.worker.java >/dev/null 2>&1 || $(UV) sync $(QUIET) --frozen --all-extras
	@$(RUN)/python -m clickstream.infra.images.class_archive || true
	@$(RUN)/python -c 'import importlib.util as u, pathlib, sys; s = u.find_spec("botocore.session"); sys.exit(not pathlib.Path(s.cached).exists())' \
		|| { echo 'the dependencies were not compiled to bytecode' >&2; exit 1; }
	@touch $@

setup: .venv/synced

# uv compiles the dependencies, not the project itself
bytecode: setup
	@echo 'compiling the project to bytecode' >&2
	@$(RUN)/python -m compileall -q $(SOURCES)

demo: bytecode
	@$(RUN)/python -m clickstream.load.demo $(if $(SECONDS),--seconds $(SECONDS)) $(if $(RATE),--rate $(RATE)) \
		$(if $(STATE),--state $(STATE)) $(if $(ORIGIN),--origin $(ORIGIN))

# the CDK, for the types and the tests of infra: 470 MB that a demo does without
.venv/infra: .venv/synced
	$(UV) sync --quiet --frozen --inexact --all-extras --no-extra java --group infra
	@touch $@

# whole systems: what of tests/integration takes longest; the rest of it is the third run's
WHOLE := $(addprefix tests/integration/,archive examples orders platform recommendations workers)

# Most tests wait: for workers, leases, browsers. Three runs side by side, and the linters beside them, take half the time of one;
# what the others have to say comes at the end. PYTEST_ARGS make it one run of what they name.
test: .venv/infra bytecode
	$(RUN)/clickstream schema check
ifdef PYTEST_ARGS
	@$(MAKE) --no-print-directory lint
	$(RUN)/python -m pytest $(PYTEST_ARGS)
else
	@mkdir -p build
	@$(MAKE) --no-print-directory lint >build/lint.log 2>&1 & lint=$$!; \
	$(RUN)/python -m pytest tests/unit tests/property tests/simulation tests/contract tests/infra >build/computing.log 2>&1 </dev/null & computing=$$!; \
	$(RUN)/python -m pytest tests/browser $(WHOLE) >build/whole.log 2>&1 </dev/null & whole=$$!; \
	trap 'kill $$computing $$whole $$lint' INT TERM; \
	$(RUN)/python -m pytest tests/integration $(WHOLE:%=--ignore=%); parts=$$?; \
	wait $$whole; wholes=$$?; wait $$computing; computed=$$?; \
	wait $$lint; linted=$$?; \
	cat build/whole.log build/computing.log build/lint.log; exit $$((parts | wholes | computed | linted))
endif

lint: .venv/infra
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy clickstream tests

bench: bytecode
	@mkdir -p build
	@$(RUN)/python -m clickstream.load.benchmarks $(if $(QUICK),--quick) $(if $(DOCS),--write-docs)

simulate: bytecode
	@$(RUN)/python -m clickstream.load.simulation $(if $(SEED),--seed $(SEED) --trace,--seeds $(or $(SEEDS),20000))

# PAGES="now fraud": these alone
screenshots: .venv/infra bytecode
	@$(RUN)/python -m tests.browser.screenshots $(PAGES)

# the AWS stacks of every stage, without credentials; see docs/how-to/deploy.md
synth: .venv/infra
	@for stage in staging production delivery; do $(RUN)/python -m clickstream.infra.app $$stage || exit 1; done

# after a change of infra/local/ministack-requirements.in
ministack-requirements: setup
	$(UV) pip compile --quiet --no-config --generate-hashes --universal --python-version 3.11 \
		--custom-compile-command 'make ministack-requirements' \
		infra/local/ministack-requirements.in --output-file infra/local/ministack-requirements.txt

clean:
	@if [ -x $(RUN)/clickstream ]; then $(RUN)/clickstream local stop; fi
	rm -rf .venv .tools .local build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +

# our replacements for classes of KCL; the jar is in git, since who runs the platform has no compiler
replacements: setup
	@rm -rf build/replacements && mkdir -p build/replacements
	javac --release 11 -cp "$$($(RUN)/python -c 'from clickstream.consumers.runtime.worker import java; print(*java.class_path()[1:], sep=":")')" \
		-d build/replacements consumers/runtime/worker/jars/*.java
	@cp consumers/runtime/worker/jars/*.java build/replacements/
	jar --create --no-manifest --date=2026-01-01T00:00:00Z --file consumers/runtime/worker/jars/replacements.jar -C build/replacements .
