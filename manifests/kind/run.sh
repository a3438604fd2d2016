#!/usr/bin/env bash
# One run on the kind cluster, watched to its end; the exit status is the run's: `make kind-run`. Arguments go to `submit`.
source "$(dirname "$0")/common.sh"
need_tools
cluster_is_there || fail "the kind cluster $NAME" "none" "Make it: make kind-up"

images=$("$PYTHON" -m pipeline.cluster.kind images) || exit 2
light=$(grep '/light:' <<<"$images")
# shellcheck disable=SC2086 # one word an image; those that the node has are skipped
kind load docker-image --name "$NAME" $images
port=$("$PYTHON" -m pipeline.cluster.kind port)
# With the API's pod, which may be moved or restarted, a port-forward ends: then there is another one.
(
  trap 'kill "$child" 2>/dev/null; wait "$child"; exit 0' TERM
  while :; do
    # Not through a function: the shell between would be killed in place of kubectl.
    kubectl --context "$CONTEXT" -n kubeflow port-forward svc/ml-pipeline "$port:8888" >/dev/null &
    child=$!
    wait "$child" || true
    sleep 1 &
    child=$!
    wait "$child" || true
  done
) &
forward=$!
trap 'kill "$forward" 2>/dev/null && wait "$forward" 2>/dev/null || true' EXIT
"$PYTHON" -m pipeline.cluster.kind wait --port "$port" --seconds 60

DEEP_MNIST_IMAGES=deep-mnist DEEP_MNIST_TAG=${light##*:} "$PYTHON" -m pipeline submit \
  --host "http://127.0.0.1:$port" --store gs://deep-mnist/registry --service-account deep-mnist-runner --wait "$@"
