#!/bin/bash
# Runs the installation of docker-compose.yml: builds every image that it names
# (nothing is pulled), starts the stack, runs campaigns, kills and stops each service,
# cuts a network, restarts the engine, upgrades Rollcall during a campaign, ends.
# As root, with Debian's docker.io and docker-compose. It leaves nothing behind but
# bin/compose, where what takes long to build is kept.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
work=$(mktemp -d /tmp/rollcall-compose.XXXXXX)
say() { printf '%4d s  %s\n' "$SECONDS" "$*"; }

. scripts/compose/engine.sh
. scripts/compose/images.sh
. scripts/compose/scenes.sh

for program in dockerd docker docker-compose debootstrap dpkg-scanpackages ip; do
  command -v "$program" >/dev/null || { echo "compose-test: $program is missing: scripts/setup.sh compose" >&2; exit 1; }
done
# One at a time: the namespace has one name.
exec 9>/tmp/rollcall-compose.lock
flock -n 9 || { echo "compose-test: another one runs" >&2; exit 1; }
ended() {
  local code=$?
  trap - EXIT
  set +eu # whatever fails here, the rest is removed
  ((code == 0)) || show_state >&2
  engine_remove
  ((code == 0)) && say "all good" || say "FAILED"
  exit "$code"
}
trap ended EXIT
trap 'exit 130' INT TERM

programs
debian
say "starting an engine of its own"
engine_start
say "building the images that cannot be pulled"
official
for scene in ${SCENES:-up campaign killed stopped cut engine_restarted upgraded down}; do
  say "scene: ${scene//_/ }"
  "scene_$scene"
done
