# Catena's one entry point. `make` alone tells what there is.
#   MODEL=path    the model that `serve`, `bench` and `eval` use
#   PORT=8080     where `serve` listens
#   SECONDS=1800  how long `soak` runs
#   CLUSTER_SECONDS=60  how long each test of `test-cluster` loads the replicas, at least
#   RUNS=1000     random cases of each kind that `test-random` tries; SEED=7 for those of another run

MODEL ?= Models/catena-fable-16m
PORT ?= 8080
TEXT ?=
SECONDS ?= 1800
CLUSTER_SECONDS ?= 60
VENV := .venv
CATENA := .build/release/catena
DEPLOY_TOOLS := .build/deploy-tools
LM_EVAL := .build/lm-eval
SOURCES := Package.swift Sources Tests Benchmarks/Package.swift Benchmarks/Benchmarks

# Warnings in our own code are errors here; a user's newer compiler may warn without failing.
export CATENA_STRICT := 1
# --explicit-target-dependency-import-check keeps the arrows between the modules honest.
SWIFT_FLAGS := --explicit-target-dependency-import-check error

.DEFAULT_GOAL := help
.PHONY: help packages swift build serve test test-swift test-python test-clients test-cluster test-openapi test-playground test-random test-lm-eval sanitize-address sanitize-thread fuzz soak bench benchmarks measure-restore train eval format lint lint-deploy image clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

packages:
	@deploy/install-packages.sh

swift:
	@command -v swift >/dev/null || { echo "A Swift 6.2 or newer toolchain is needed: https://www.swift.org/install/linux/" >&2; exit 1; }

build: packages swift ## Build the program, optimised
	swift build -c release $(SWIFT_FLAGS) --product catena

serve: build ## Build and serve the bundled model on PORT
	$(CATENA) serve --model $(MODEL) --port $(PORT)

test: test-swift test-python test-clients test-openapi test-playground ## Run every test

test-swift: packages swift
	swift build --build-tests $(SWIFT_FLAGS)
	swift test --skip-build

test-python: packages $(VENV)/ready
	$(VENV)/bin/python -m pytest -q training/tests

# Real clients (httpx, the openai package), the real HAProxy and the real Redis with the real server and the bundled model, in the debug
# build.
test-clients: packages swift $(VENV)/clients $(VENV)/bin/promtool $(DEPLOY_TOOLS)/ready
	swift build $(SWIFT_FLAGS) --product catena
	CATENA=.build/debug/catena HAPROXY=$(DEPLOY_TOOLS)/bin/haproxy REDIS=$(DEPLOY_TOOLS)/bin/redis-server \
		$(VENV)/bin/python -m pytest -q Tests/EndToEnd \
		--ignore Tests/EndToEnd/test_openapi.py --ignore Tests/EndToEnd/test_playground.py

test-cluster: build $(VENV)/clients $(DEPLOY_TOOLS)/ready ## Restart and kill replicas behind HAProxy under load, CLUSTER_SECONDS each
	CATENA=$(CATENA) HAPROXY=$(DEPLOY_TOOLS)/bin/haproxy REDIS=$(DEPLOY_TOOLS)/bin/redis-server CLUSTER_RATE=20 \
		CLUSTER_SECONDS=$(CLUSTER_SECONDS) $(VENV)/bin/python -m pytest -q -s Tests/EndToEnd/test_cluster.py

test-random: build $(VENV)/clients ## RUNS random requests, streamed and whole, and RUNS random cancels
	CATENA=$(CATENA) RANDOM_RUNS=$(or $(RUNS),1000) RANDOM_SEED=$(SEED) \
		$(VENV)/bin/python -m pytest -q -s Tests/EndToEnd/test_random_streams.py Tests/EndToEnd/test_random_cancels.py

test-lm-eval: build $(VENV)/clients $(LM_EVAL)/ready ## Hold what lm-eval gets from the server against PyTorch
	CATENA=$(CATENA) PYTHONPATH=Tests/EndToEnd CATENA_CPU=avx2 $(VENV)/bin/python Tests/LMEval/compare.py \
		--lm-eval $(LM_EVAL)/bin/lm_eval --set kv_cache.dtype=f32 --limit 0.0001
	CATENA=$(CATENA) PYTHONPATH=Tests/EndToEnd $(VENV)/bin/python Tests/LMEval/compare.py \
		--lm-eval $(LM_EVAL)/bin/lm_eval

sanitize-address: packages swift $(VENV)/clients ## Run every Swift test, and 5 minutes of load, under the address sanitizer
	PYTHON=$(VENV)/bin/python Tests/Sanitizers/sanitize.sh address

sanitize-thread: packages swift $(VENV)/clients ## The same under the thread sanitizer
	PYTHON=$(VENV)/bin/python Tests/Sanitizers/sanitize.sh thread

test-openapi: packages swift $(VENV)/clients ## Hold the server against its /openapi.json with schemathesis, EXAMPLES (30) at a time
	swift build $(SWIFT_FLAGS) --product catena
	CATENA=.build/debug/catena $(VENV)/bin/python -m pytest -q Tests/EndToEnd/test_openapi.py

test-playground: packages swift $(VENV)/clients ## Drive the playground in Chromium; SCREENSHOTS=folder keeps pictures
	@deploy/install-packages.sh browser
	swift build $(SWIFT_FLAGS) --product catena
	CATENA=.build/debug/catena $(VENV)/bin/python -m pytest -q Tests/EndToEnd/test_playground.py

fuzz: packages swift ## Feed RUNS random inputs (100000) to everything that reads bytes of strangers
	Tests/Fuzz/fuzz.sh

soak: build $(VENV)/clients ## Load the server for SECONDS with disconnects, changes and tiny KV memory, and check every answer
	nice $(VENV)/bin/python Tests/Soak/soak.py --catena $(CATENA) --seconds $(SECONDS)

bench: build ## Measure MODEL's speed, and how near to this machine's limits it is
	$(CATENA) bench --model $(MODEL)

benchmarks: packages swift ## Time the kernels one by one
	cd Benchmarks && swift package benchmark

measure-restore: build $(DEPLOY_TOOLS)/ready ## What a session costs that moves to another replica: TIER=redis-unix or disk, TOKENS=900, RUNS=31, GAPS=8 streams
	python3 deploy/redis/measure-restore.py --catena $(CATENA) --redis $(DEPLOY_TOOLS)/bin/redis-server --model $(MODEL) \
		--tier $(or $(TIER),redis) --tokens $(or $(TOKENS),300,900,1800) --runs $(or $(RUNS),31) $(if $(THREADS),--threads $(THREADS)) \
		$(if $(KV),--kv $(KV)) $(if $(GAPS),--gaps $(GAPS))

train: $(VENV)/ready ## Train the bundled model again: make train TEXT="train.txt.xz ..."
	@test -n "$(TEXT)" || { echo 'Give the training text: make train TEXT="a.txt.xz b.txt.xz" (docs/training.md)' >&2; exit 2; }
	$(VENV)/bin/python -m colm.train $(TEXT)

eval: build ## Loss and perplexity per chain count: make eval TEXT=valid.txt
	@test -n "$(TEXT)" || { echo 'Give a text to evaluate on: make eval TEXT=valid.txt' >&2; exit 2; }
	$(CATENA) eval --model $(MODEL) $(TEXT)

format: swift ## Format the Swift sources
	swift format --in-place --recursive $(SOURCES)

lint: packages swift ## Check formatting, and build with warnings as errors
	swift format lint --strict --recursive $(SOURCES)
	swift build --build-tests $(SWIFT_FLAGS)

lint-deploy: $(DEPLOY_TOOLS)/ready ## Check the Dockerfile and everything under deploy/ with the tools that read it
	deploy/lint.sh $(DEPLOY_TOOLS)

image: ## Build the container image catena:latest (docs/deploy.md)
	deploy/image.sh build

clean: ## Remove what was built (not the Python environment)
	swift package clean
	rm -rf .build

$(VENV)/ready: training/requirements.txt training/make-venv.sh
	training/make-venv.sh $(VENV)

$(VENV)/clients: $(VENV)/ready Tests/EndToEnd/requirements.txt
	$(VENV)/bin/python -m pip install -q -r Tests/EndToEnd/requirements.txt
	@touch $@

$(LM_EVAL)/ready: Tests/LMEval/requirements.txt
	python3 -m venv $(LM_EVAL)
	$(LM_EVAL)/bin/python -m pip install -q -r $<
	@touch $@

$(VENV)/bin/promtool: Tests/EndToEnd/get-promtool.sh | $(VENV)/ready
	Tests/EndToEnd/get-promtool.sh $@

$(DEPLOY_TOOLS)/ready: deploy/requirements.txt deploy/get-lint-tools.sh
	deploy/get-lint-tools.sh $(DEPLOY_TOOLS)
	@touch $@
