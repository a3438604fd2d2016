# Clusters. Included by the Makefile, which defines .venv/dev, images and ARGS.
.PHONY: kind-up kind-run kind-down manifests gitops mirror test-cluster

kind-up: .venv/dev images ## a kind cluster with Kubeflow Pipelines 2.17.0, a bucket and the images
	@manifests/kind/up.sh

kind-run: .venv/dev images ## one run on it, watched to its end: ARGS='--epochs 1'
	@manifests/kind/run.sh $(ARGS)

kind-down: ## remove the cluster
	@manifests/kind/down.sh

manifests: .venv/dev ## render every overlay that needs no network into build/manifests
	@.venv/bin/python -m pipeline.cluster.manifests render

gitops: .venv/dev ## Pipeline and PipelineVersion resources in manifests/overlays/gitops/pipeline.yaml
	@.venv/bin/python -m pipeline.cluster.manifests gitops

mirror: .venv/dev images ## every image of the install in one registry: REGISTRY=host/folder; manifests in build/airgapped
	@.venv/bin/python -m pipeline.cluster.mirror --registry '$(REGISTRY)' $(ARGS)

test-cluster: .venv/dev ## every test of a real cluster (30 minutes): KF_PIPELINES_ENDPOINT and a kubeconfig; build/test-cluster.xml
	@mkdir -p build
	@status=0; .venv/bin/python -m pytest tests/cluster -n 0 --junitxml build/test-cluster.xml $(ARGS) || status=$$?; \
	  .venv/bin/python -m pipeline.cluster.works_with build/test-cluster.xml; exit $$status
