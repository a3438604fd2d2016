#!/usr/bin/env bash
# From nothing to Kubeflow Pipelines 2.17.0 on kind, with a bucket and this project's images: `make kind-up`.
# It may be called again at any time, and goes on where it was stopped. Every wait ends.
source "$(dirname "$0")/common.sh"
need_tools

say "images (make images has built them)"
images=$("$PYTHON" -m pipeline.cluster.kind images) || exit 2
light=$(grep '/light:' <<<"$images")
tag=${light##*:}
binary=$("$PYTHON" -m pipeline.cluster.kind emulator)
docker build --quiet --build-arg "LIGHT=$light" --tag "deep-mnist/fake-gcs:$tag" \
  --file manifests/kind/fake-gcs.Dockerfile "$binary"

say "cluster"
cluster_is_there || kind create cluster --config manifests/kind/cluster.yaml --wait 300s
# shellcheck disable=SC2086 # one word an image
kind load docker-image --name "$NAME" $images "deep-mnist/fake-gcs:$tag"

say "Kubeflow Pipelines 2.17.0 (about 8 GB of images the first time)"
on_cluster apply -k manifests/kubeflow-cluster-scoped
on_cluster wait --for condition=established --timeout=120s crd/applications.app.k8s.io crd/workflows.argoproj.io
applied=$(apply manifests/overlays/kind/kubeflow)

say "our own"
mkdir -p build/kind
cat >build/kind/kustomization.yaml <<YAML
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../../manifests/overlays/kind]
images:
- {name: deep-mnist/data, newTag: $tag}
- {name: deep-mnist/fake-gcs, newTag: $tag}
YAML
on_cluster -n kubeflow delete job bucket --ignore-not-found --timeout=60s # a job's pod template never changes
applied+=$'\n'$(apply build/kind)

say "waiting for what was applied"
for workload in $(grep -oE '^(deployment|statefulset|daemonset)\.apps/[^ ]+' <<<"$applied"); do
  on_cluster -n kubeflow rollout status "$workload" --timeout=900s \
    || fail "$workload to be ready within 15 minutes" "not ready" "See: kubectl --context $CONTEXT -n kubeflow describe pods"
done
on_cluster -n kubeflow wait --for=condition=complete --timeout=900s job/bucket
say "ready: make kind-run"
