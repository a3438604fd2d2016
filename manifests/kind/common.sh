# Sourced by up.sh, run.sh and down.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
NAME=deep-mnist
CONTEXT=kind-$NAME
PYTHON=${DEEP_MNIST_PYTHON:-.venv/bin/python}
PATH=$PATH:$PWD/.venv/bin # kubectl is there

say() { printf '\n== %s\n' "$*"; }

fail() {
  printf 'Expected %s. Received: %s. %s\n' "$1" "$2" "$3" >&2
  exit 2
}

need() { # need COMMAND HOW-TO-GET-IT
  command -v "$1" >/dev/null || fail "the command $1" "none on PATH" "$2"
}

need_tools() {
  need docker "Install a Docker Engine: https://docs.docker.com/engine/install/"
  need kind "Install kind 0.24 or later: https://kind.sigs.k8s.io/docs/user/quick-start/"
  need kubectl "Install kubectl, or that of requirements/dev.txt: make install"
  timeout 30 docker info >/dev/null 2>&1 || fail "a Docker Engine that answers" "none" "Start it, and see that you may use it: docker info"
}

cluster_is_there() { kind get clusters 2>/dev/null | grep -qx "$NAME"; }

on_cluster() { kubectl --context "$CONTEXT" "$@"; }

apply() { # apply FOLDER: its output is shown, and printed for the caller
  on_cluster apply -k "$1" | tee /dev/stderr
}
