#!/usr/bin/env bash
# Print the reference of the base image, one that can never mean another image: NAME@sha256:… where it can be pulled,
# else one made here from Debian's packages (root; mmdebstrap, half a minute, 125 MB).   docker/base.sh [NAME]
set -euo pipefail

name=${1:-python:3.11-slim-bookworm}
if [[ $name != *@sha256:* ]]; then
  docker image inspect "$name" >/dev/null 2>&1 || timeout 300 docker pull --quiet "$name" >/dev/null 2>&1 || true
  digest=$(docker image inspect --format '{{join .RepoDigests "\n"}}' "$name" 2>/dev/null | head -n 1 || true)
  [ -z "$digest" ] || { echo "$digest"; exit 0; }
else
  echo "$name"; exit 0
fi

made=$(docker images --format '{{.Repository}}:{{.Tag}}' deep-mnist/base | grep bookworm- | head -n 1 || true)
[ -z "$made" ] || { echo "$made"; exit 0; }

[ "$(id -u)" = 0 ] || { echo "Expected $name from its registry, or root to make it here. Received: neither." >&2; exit 1; }
if ! command -v mmdebstrap >/dev/null; then
  apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends mmdebstrap >&2
fi
echo "$name cannot be pulled: making the base image from Debian's packages" >&2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mmdebstrap --quiet --variant=minbase --include=usr-is-merged,ca-certificates,python3,python3-venv \
  --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
  bookworm "$folder/base.tar" >"$folder/log" 2>&1 || { cat "$folder/log" >&2; exit 1; }
id=$(docker import --change 'CMD ["python3"]' "$folder/base.tar")
made=deep-mnist/base:bookworm-${id:7:12}
docker tag "$id" "$made"
echo "$made"
