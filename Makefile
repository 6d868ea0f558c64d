# Everything a checkout needs is prepared by the targets themselves, in .venv.

PYTHON ?= python3
UV ?= uv
BIN := .venv/bin

LOCK := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet

SERVICES := $(patsubst %,tests/integration/test_%.py,access api_keys commands console credentials demo gateway gateway_http read_model rules)
FAULTS := tests/upgrade tests/chaos/test_chaos.py tests/chaos/test_planted.py
# Of the tests in a browser `make test` has those of what people do; `make browser` has all.
LOOKING := $(filter-out %/test_work.py,$(wildcard tests/browser/test_*.py))

# Many hundred processes start in the tests, and each would compile all sources anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test test-workers test-services test-faults test-agents test-others kernels browser check-deploy lint chaos cluster upgrade schedules soak bench fuzz quality lock

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.installed ## Prepare .venv with the chargewatch command

demo: setup ## Run everything on this machine: Kafka, simulated charges, a worker, live scoring; STAY=1 leaves its console up
	$(BIN)/chargewatch demo $(if $(STAY),--stay)

test: setup ## Check style, types and layers, then run all tests on a real Kafka
	@$(MAKE) --no-print-directory -j 2 lint kernels build/broker.jsa
	@$(MAKE) --no-print-directory -j 5 test-workers test-services test-faults test-agents test-others

# Else what runs side by side below would compile the same kernels twice, for a minute each.
kernels: setup
	@$(BIN)/python -c 'from tests.integration.worker import compile_kernels; compile_kernels()'

# Saves each broker of the tests about a third of the CPU of its start.
build/broker.jsa: deploy/kafka/pom.xml | setup
	@$(BIN)/python -m tests.integration.broker_classes

# Five parts run side by side. What computes gives way to what waits most for processes and brokers, some
# of it within a deadline. The first is shown as it runs, the others tell at their end.
test-workers:
	$(BIN)/pytest --durations=25 tests/integration $(SERVICES:%=--ignore=%)

test-services: TESTS = $(SERVICES)
test-faults: TESTS = $(FAULTS)
test-agents test-others: FIRST = nice
test-agents: TESTS = agents tests/agents
test-others: TESTS = schemas streams deploy tests \
  $(patsubst %,--ignore=%,tests/agents tests/integration $(FAULTS) $(LOOKING))

test-services test-faults test-agents test-others:
	@mkdir -p build
	@$(FIRST) $(BIN)/pytest --durations=25 $(TESTS) > build/$@.log 2>&1; \
	  code=$$?; cat build/$@.log; exit $$code

browser: setup ## Look at the console in the system's Chromium; screenshots are in build/browser
	$(BIN)/pytest -q tests/browser

check-deploy: setup ## Check image, compose and chart with hadolint, Compose, helm and the schemas of all kinds
	$(BIN)/python -m tests.deploy.check
	$(BIN)/pytest -q tests/deploy/check/planted.py

lint: setup ## Check style, types and layers only
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

chaos: setup ## Kill and tear workers and brokers for half an hour, then verify every input
	$(BIN)/python -m tests.chaos

cluster: setup ## Start a secured Kafka of three brokers, with users and topics, until Ctrl-C
	@$(BIN)/python -m tests.cluster

upgrade: setup ## Upgrade workers under load from the version before and to a later one, and verify every input
	$(BIN)/python -m tests.upgrade

schedules: setup ## Run 2,000 seeded schedules of faults on a simulated broker, and half as many others
	SIMULATE_SCHEDULES=2000 $(BIN)/pytest -q -s tests/simulation/test_simulation.py --timeout 0

soak: setup ## Run at 1,000 charges/s for half an hour and watch memory, files, threads and disk
	$(BIN)/python -m tests.chaos.soak

bench: setup ## Measure throughput beside other stream processors, latency, restore and scaling
	$(BIN)/python -m tests.bench

fuzz: setup ## Send a million hostile inputs, and of each kind of token, through decoding and validation
	FUZZ_INPUTS=1000000 $(BIN)/pytest -q tests/schemas/test_hostile_input.py \
	  tests/schemas/test_tokens.py --timeout 0

quality: setup ## Compare candidate models, features left out, and recovery after a change of fraud
	$(BIN)/python -m tests.quality

lock: ## Pin the dependencies again after a change in pyproject.toml; needs uv
	$(UV) pip compile pyproject.toml $(LOCK) --extra boosted --extra postgresql --extra registry --extra tracing -o requirements.txt
	$(UV) pip compile pyproject.toml $(LOCK) --extra dev -c requirements.txt -o requirements-dev.txt
	cd tests/deploy/check/pins && $(UV) pip compile requirements.in $(LOCK) --no-deps -o requirements.txt

# From scratch whenever a pin changes, so that nothing unpinned stays behind.
.venv/.pinned: requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is older than Python 3.11: make PYTHON=/path/to/a/newer/one" >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
	  --no-compile --requirement requirements-dev.txt
	$(BIN)/python -m compileall -q -j 0 .venv/lib # on all cores, where pip would use one
	@touch $@

.venv/.installed: .venv/.pinned pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
