#!/usr/bin/env bash
# Make a Docker Engine answer: leave a running one alone, else start an installed one, else (root, Debian) install docker.io.
set -euo pipefail

answers() { timeout 20 docker info >/dev/null 2>&1; }
fail() { echo "$*" >&2; exit 1; }

answers && exit 0
[ "$(id -u)" = 0 ] || fail "Expected a Docker Engine that $(id -un) may use. Received: no answer from 'docker info'." \
  "Start it, or add yourself to its group, then try again."

if ! command -v dockerd >/dev/null; then
  command -v apt-get >/dev/null || fail "Expected a Docker Engine or apt-get. Received: neither. Install Docker Engine."
  echo "no Docker Engine here: installing Debian's docker.io" >&2
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends docker.io >/dev/null
fi

log=/var/log/dockerd.log
if [ -d /run/systemd/system ]; then
  systemctl start docker
else
  echo "starting dockerd, log in $log" >&2
  setsid nohup dockerd >"$log" 2>&1 </dev/null &
fi
for _ in $(seq 60); do
  answers && exit 0
  sleep 1
done
fail "Expected a Docker Engine within 60 s of its start. Received: no answer. Read $log."
