#!/usr/bin/env bash
# Print the interpreter that `.venv` is made with: the one that is named, else `.venv`'s own, else the first one here that
# runs and is supported; or say what is missing.   requirements/python.sh [PYTHON]
set -euo pipefail
cd "$(dirname "$0")/.."

about='import sys, sysconfig
version = "%d.%d.%d" % sys.version_info[:3]
if sys.implementation.name != "cpython" or sys.maxsize < 2**32 or sysconfig.get_config_var("Py_GIL_DISABLED"):
    version += " of another build (a 64-bit CPython with its lock is needed)"
elif (3, 11) <= sys.version_info[:2] <= (3, 13):
    version = "supported"
print(version)'

candidates=(.venv/bin/python python3 python3.13 python3.12 python3.11 python)
[[ -z ${1:-} ]] || candidates=("$1")
received=()
for candidate in "${candidates[@]}" uv; do
  if [[ $candidate == uv ]]; then # one that uv keeps; it is not sent to fetch another
    [[ -z ${1:-} ]] && command -v uv >/dev/null || continue
    candidate=$(uv python find --quiet --no-python-downloads --system '>=3.11,<3.14' 2>/dev/null) || continue
  fi
  path=$(command -v "$candidate") || continue
  version=$("$path" -c "$about" 2>/dev/null) || version="no interpreter that runs"
  [[ $version != supported ]] || { echo "$path"; exit 0; }
  received+=("$candidate is $version")
done

joined=$(printf '%s; ' "${received[@]:-nothing of that name}")
{
  echo "Expected Python 3.11, 3.12 or 3.13. Received: ${joined%; }."
  echo "Fix: Name one that is here (make run PYTHON=/path/to/python3.12), or install one" \
    "(Debian, Ubuntu: apt-get install python3 python3-venv; Fedora: dnf install python3.12; macOS: brew install python@3.12)."
} >&2
exit 1
