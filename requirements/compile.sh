#!/usr/bin/env bash
# Rewrite every lock from pyproject.toml: exact versions and hashes, no registry address. Needs uv.
# All locks are cut from the one of the developers, so a version is the same everywhere.
set -euo pipefail
cd "$(dirname "$0")/.."
lock() { # lock EXTRA FILE [more uv arguments]
  local extra=$1 file=$2
  shift 2
  uv pip compile pyproject.toml --extra "$extra" --python-version 3.11 --universal --generate-hashes \
    --no-emit-index-url --no-emit-find-links --no-annotate --quiet \
    --custom-compile-command "requirements/compile.sh" --output-file "requirements/$file" "$@"
}
lock dev dev.txt
for extra in local serving download preprocess validate train-cpu evaluate publish; do
  lock "$extra" "$extra.txt" --constraint requirements/dev.txt
done
# The images add kfp with --no-deps: its executor needs nothing else.
grep -E '^kfp==' requirements/dev.txt | cut -d' ' -f1 | uv pip compile - --no-deps --python-version 3.11 --universal \
  --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --quiet \
  --custom-compile-command "requirements/compile.sh" --output-file requirements/kfp.txt
lock train train.txt # the CUDA libraries are not in the developers' lock
