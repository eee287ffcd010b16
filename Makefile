# Everything runs from a bare machine with git, make and Python >= 3.11.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: run extras test lint bench boards pictures lock clean

run: $(VENV)/.run          ## the daemon with a simulated bank; Ctrl-C ends it
	@$(BIN)/vigia run --config config.toml

extras: $(VENV)/.run      ## what MySQL, Kafka, SFTP, object storage and apprise need beside, pinned
	$(BIN)/pip install --quiet --require-hashes -r requirements-extras.txt

test: $(VENV)/.dev         ## all tests
	$(BIN)/pytest -n auto --dist worksteal

lint: $(VENV)/.dev         ## ruff and mypy, both strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.dev        ## speed, memory and detection figures, printed
	$(BIN)/python -m tests.bench

boards: $(VENV)/.dev       ## Grafana's boards from deploy/grafana/boards
	$(BIN)/python deploy/grafana/build.py

pictures: $(VENV)/.dev     ## the README's pictures of the board, of a real run (six minutes; needs Chromium)
	$(BIN)/python -m tests.pictures

lock: $(VENV)/.dev         ## renew the pins from pyproject.toml
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate \
	  --custom-compile-command "make lock" --python-version 3.11 --extra install pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate \
	  --custom-compile-command "make lock" --python-version 3.11 --extra install --extra apprise --extra kafka --extra mysql --extra remote \
	  pyproject.toml -o requirements-extras.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate \
	  --custom-compile-command "make lock" --python-version 3.11 --extra install --extra dev pyproject.toml -o requirements-dev.txt

clean:                     ## forget the environment and the daemon's state
	rm -rf $(VENV) var

$(VENV)/.venv:
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run: $(VENV)/.venv requirements.txt pyproject.toml
	$(BIN)/pip install --quiet --require-hashes -r requirements.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.txt
	$(BIN)/pip install --quiet --require-hashes -r requirements-dev.txt
	@touch $@
