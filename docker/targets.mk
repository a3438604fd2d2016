# Containers. Included by the Makefile, which defines the variables of `run`, and .venv/deploy and .venv/dev.
REGISTRY ?=
.PHONY: engine images push run-docker test-docker

engine: # a Docker Engine that answers; on Debian, as root, it is installed and started where none is
	@docker/ensure_engine.sh

images: .venv/deploy engine ## build the images of the steps; prints sizes, users, SBOMs (GPU=1: CUDA too)
	@base=$$(docker/base.sh $(BASE)) && .venv/bin/python -m pipeline.containers.build images --base "$$base" --gpu '$(GPU)'

push: images ## push the images: REGISTRY=host/folder
	@.venv/bin/python -m pipeline.containers.build push --registry '$(REGISTRY)'

run-docker: images ## what `run` does, each step in its container
	@$(MAKE) --no-print-directory run ARGS='--docker $(ARGS)'

test-docker: .venv/dev images ## the tests that need a container engine
	.venv/bin/python -m pytest -m docker $(ARGS)
