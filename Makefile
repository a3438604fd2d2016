# `make` or `make help` lists the targets. Variables of `run`: make run NETWORK=deep_mnist SEED=1
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?=

DATASET ?= mnist
NETWORK ?= fast
MODEL ?=
EPOCHS ?= 0
SEED ?= 0
FORMS ?=
SEEDS ?= 0..2
NETWORKS ?= fast
STORE ?= ./registry
GPU ?= 0
NODES ?= 1
RUNS ?= ./runs
ARGS ?=
DIR ?=
SCRIPT ?=

# Installed where they are asked for: what signs and verifies, and what tells others of a run.
SIGNING := $(if $(DEEP_MNIST_SIGNING_KEY)$(DEEP_MNIST_TRUSTED_KEYS)$(DEEP_MNIST_CERTIFICATE_IDENTITY)$(findstring --trusted-key,$(ARGS))$(findstring --certificate-identity,$(ARGS)),.venv/signing)
TOLD := $(if $(OPENLINEAGE_URL)$(OPENLINEAGE_CONFIG),.venv/lineage) $(if $(findstring --mlflow,$(ARGS)),.venv/mlflow)

.PHONY: help install run sweep serve rules test test-changed test-load check bench bench-gpu doctor labels compile clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 16

install: .venv/dev ## everything for development in .venv

# What `make run` uses; then also what a cluster and a container engine are spoken to with; everything.
.venv/local .venv/deploy .venv/dev: .venv/%: requirements/%.txt
	@python=$$(requirements/python.sh '$(PYTHON)') && "$$python" requirements/install.py $*

.venv/gpu: requirements/train.txt .venv/local
	@python=$$(requirements/python.sh '$(PYTHON)') && "$$python" requirements/install.py gpu

.venv/serving .venv/forms .venv/lineage .venv/mlflow .venv/signing: .venv/%: requirements/%.txt .venv/local
	@python=$$(requirements/python.sh '$(PYTHON)') && "$$python" requirements/install.py $*

run: $(if $(filter-out 0,$(GPU)),.venv/gpu,.venv/local) $(if $(FORMS),.venv/forms) $(SIGNING) $(TOLD) ## the whole pipeline here: real MNIST, a promoted model, a report
	@.venv/bin/python -m pipeline run --dataset '$(DATASET)' --network '$(NETWORK)' --model '$(MODEL)' --epochs '$(EPOCHS)' \
	  --seed '$(SEED)' --store '$(STORE)' --gpu '$(GPU)' --nodes '$(NODES)' --runs '$(RUNS)' --forms '$(FORMS)' $(ARGS)

sweep: $(if $(filter-out 0,$(GPU)),.venv/gpu,.venv/local) $(if $(FORMS),.venv/forms) $(SIGNING) $(TOLD) ## SEEDS × NETWORKS as one run here; the best is judged once and may be promoted
	@.venv/bin/python -m pipeline sweep --here --seeds '$(SEEDS)' --networks '$(NETWORKS)' --dataset '$(DATASET)' --model '$(MODEL)' \
	  --epochs '$(EPOCHS)' --store '$(STORE)' --gpu '$(GPU)' --runs '$(RUNS)' --forms '$(FORMS)' $(ARGS)

serve: .venv/serving $(SIGNING) $(if $(findstring onnx,$(ARGS)),.venv/forms) ## STORE's champion at http://127.0.0.1:8080: a page to draw on, and the V1 and V2 inference protocols
	@.venv/bin/python -m deep_mnist.serving '$(STORE)' $(ARGS)

doctor: .venv/local ## why would training fail? SCRIPT=train.py, or DIR=folder of train_images.npy … and model.keras
	@.venv/bin/python -m deep_mnist.doctor "$${SCRIPT:-$$DIR}" $(ARGS)

labels: .venv/local ## which labels are likely wrong? DIR=folder, or DATASET; ARGS=--review serves the page to decide on
	@.venv/bin/python -m deep_mnist.labels "$${DIR:-$(DATASET)}" $(ARGS)

rules: .venv/dev ## docs/rules.md and a page a rule, from the rules and their examples
	.venv/bin/python -m tests.support.rule_pages

compile: .venv/deploy ## build/training.yaml, the KFP definition
	@.venv/bin/python -m pipeline compile --output build/training.yaml

# Where Python may keep no bytecode, each of the processes that tests start would compile our modules anew.
test: .venv/dev ## every test that needs no container engine, with the library's coverage (ARGS: some of them, without)
	env -u PYTHONDONTWRITEBYTECODE -u KF_PIPELINES_ENDPOINT .venv/bin/python -m $(if $(ARGS),pytest,tests.support.measured) \
	  -n 2 --dist worksteal -m 'not docker and not load' $(ARGS)

test-changed: .venv/dev ## the tests that reach what differs from main, by the graph of imports (ARGS="--since HEAD": not committed)
	env -u PYTHONDONTWRITEBYTECODE -u KF_PIPELINES_ENDPOINT .venv/bin/python -m tests.support.changed $(ARGS)

test-load: .venv/dev ## the same findings under twenty busy processes, word for word (minutes)
	.venv/bin/python -m pytest -m load $(ARGS)

check: .venv/dev ## ruff, mypy, and the layers' imports
	.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy
	.venv/bin/lint-imports --no-logo

bench: .venv/dev ## every measured figure with its goal; ARGS="--json FILE", "--against FILE" (another run beside), --suite
	env -u PYTHONDONTWRITEBYTECODE .venv/bin/python -m bench $(ARGS)

bench-gpu: $(if $(wildcard /dev/nvidia0),.venv/gpu,.venv/local) ## the same of training on a GPU, in eight minutes (ARGS="--json FILE"); says so when there is none
	.venv/bin/python -m bench.gpu $(ARGS)

clean: ## remove what was built here (runs and registry stay)
	rm -rf build .coverage* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

-include docker/targets.mk manifests/targets.mk
