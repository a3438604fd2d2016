#!/usr/bin/env bash
# Rewrite every lock from pyproject.toml: exact versions and hashes, no registry address, for every supported Python.
# All locks are cut from the one of the developers, so a version is the same everywhere. Needs uv: .venv/bin/uv, or PATH.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=$(command -v .venv/bin/uv || command -v uv)
pins() { # pins FILE SOURCE [more uv arguments]
  local file=$1
  shift
  "$uv" pip compile "$@" --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
    --no-annotate --quiet --excludes requirements/excluded.in \
    --custom-compile-command "requirements/compile.sh" --output-file "requirements/$file"
}
lock() { # lock EXTRA FILE [more uv arguments]
  local extra=$1 file=$2
  shift 2
  pins "$file" pyproject.toml --extra "$extra" "$@"
}
of_developers() { # of_developers PACKAGE FILE: that package alone, in the version of the developers
  grep -E "^$1==" requirements/dev.txt | cut -d' ' -f1 | pins "$2" - --no-deps
}
lock dev dev.txt
lock local local.txt --constraint requirements/dev.txt --excludes requirements/excluded-local.in
for extra in deploy forms lineage mlflow serving signing tracing; do
  lock "$extra" "$extra.txt" --constraint requirements/dev.txt
done
# Images that sign or verify versions hold what that needs; who runs the same here installs it where there are keys.
lock serving-onnx serving-onnx.txt --extra signing --constraint requirements/dev.txt --excludes requirements/excluded-serving.in
lock lineage notify.txt --constraint requirements/dev.txt --excludes requirements/excluded-images.in
for extra in download preprocess validate train-cpu evaluate; do
  lock "$extra" "$extra.txt" --constraint requirements/dev.txt --excludes requirements/excluded-images.in
done
lock publish publish.txt --extra signing --constraint requirements/dev.txt --excludes requirements/excluded-images.in
of_developers kfp kfp.txt # the images add it with --no-deps: its executor needs nothing else
of_developers uv uv.txt   # what installs all others
lock train train.txt --excludes requirements/excluded-images.in # the CUDA libraries are not in the developers' lock
