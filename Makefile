# make demo   cover the bundled song: out/cover.mid, out/cover.wav, out/cover.png
# make test   everything that must hold before a change lands
# make fresh  both, and the wheel alone, on a machine as new (what .ci/run runs where it may)
#
# The first two use .venv in this folder and install what is missing, first from the system, then for Python.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test fresh newcomer wheel app try-app lint types docs unit live e2e bench format clean
.PHONY: system-demo system-app system-test

help: ## list these
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/.installed-demo ## cover the bundled song into out/
	$(BIN)/python -m livecover.demo --out out

test: lint types docs unit e2e ## lint, types, documentation, and all tests

wheel: | system-demo ## the wheel, installed alone and tried, away from the checkout
	PYTHON=$(PYTHON) scripts/try-wheel

app: | system-app ## the app: a folder that needs no Python, dist/livecover
	$(PYTHON) scripts/app/build.py

try-app: $(VENV)/.installed-dev ## tests of the app that was made, on a bare system too where one can be made
	$(BIN)/pytest -m app tests/app

fresh: ## wheel, demo and test on a bare system, made for it; as root, on Debian or Ubuntu
	scripts/fresh-root 'make wheel' 'make demo' 'make test'

newcomer: ## the README's way to the first notes on a bare system, timed; as root, on Debian or Ubuntu
	scripts/fresh-root 'apt-get update -qq && apt-get install -y -qq git pipx libportaudio2 >/dev/null' \
	    'pipx install .' \
	    '~/.local/bin/livecover --input livecover/examples/auld-lang-syne.ogg --midi-out cover.mid'

lint: $(VENV)/.installed-dev ## ruff, as in pre-commit
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev ## mypy, as in pre-commit
	$(BIN)/mypy

docs: $(VENV)/.installed-dev ## the documentation, into site/; a broken link fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

unit: $(VENV)/.installed-dev ## tests that need no audio or MIDI server
	$(BIN)/pytest -m "not e2e and not app and not cluster" --durations=15
	scripts/test-cluster $(BIN)/pytest -m cluster tests/offline_train/recipes

live: | system-demo ## tests of the live program where nothing else is installed: no torch
	PYTHON=$(PYTHON) scripts/test-live

e2e: $(VENV)/.installed-dev ## tests on real PulseAudio, JACK, FluidSynth and Ardour
	$(BIN)/pytest -m e2e --durations=15

bench: $(VENV)/.installed-dev ## the engine's figures in docs/results.md, on an idle machine
	$(BIN)/python -m livecover.bench rtf
	$(BIN)/python -m livecover.bench robust
	$(BIN)/python -m livecover.bench streaming
	for network in window small paper; do \
		$(BIN)/livecover-train sketch-window --network $$network --out runs/window && \
		$(BIN)/python -m livecover.bench window --model runs/window/$$network.onnx || exit 1; \
	done
	$(BIN)/python -m livecover.bench streaming --model runs/window/window.onnx --seconds 6
	$(BIN)/livecover-train bench
	$(BIN)/python -m livecover.bench sleep
	$(BIN)/python -m livecover.bench timing
	$(BIN)/python -m livecover.bench change
	$(BIN)/python -m livecover.bench panel --rounds 3
	$(BIN)/python -m livecover.bench panel --browser
	$(BIN)/python -m livecover.bench monitor
	$(BIN)/python -m livecover.bench killed
	$(BIN)/python -m livecover.bench panic
	$(BIN)/python -m livecover.bench servers
	$(BIN)/python -m livecover.bench endings
	$(BIN)/python -m livecover.bench arranged
	$(BIN)/python -m livecover.bench metre --songs 20
	$(BIN)/python -m livecover.bench memory --minutes 2 12
	$(BIN)/python -m livecover.bench startup
	$(BIN)/python -m livecover.bench size
	$(BIN)/python -m livecover.bench soak --minutes 30

format: $(VENV)/.installed-dev ## let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove the environment and what the tools cached
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis site

system-demo:
	@PYTHON=$(PYTHON) scripts/install-system demo

system-app:
	@PYTHON=$(PYTHON) scripts/install-system app

system-test:
	@PYTHON=$(PYTHON) scripts/install-system test

$(VENV)/.installed-demo: pyproject.toml constraints.txt | system-demo
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --editable '.[demo]'
	touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | system-test
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --editable '.[dev]'
	$(PIP) --no-deps basic-pitch # the teacher's file alone: its package wants TensorFlow
	$(PIP) --no-deps tinysoundfont # to render with: its package wants PyAudio, to play
	touch $@
