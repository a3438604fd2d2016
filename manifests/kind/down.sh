#!/usr/bin/env bash
# Removes the kind cluster with everything in it: `make kind-down`. The images stay with Docker.
source "$(dirname "$0")/common.sh"
need_tools
if cluster_is_there; then
  timeout 300 kind delete cluster --name "$NAME"
else
  echo "No kind cluster named $NAME: nothing to remove."
fi
