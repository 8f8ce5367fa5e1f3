#!/bin/bash
# Builds one of the two servers that live in nested modules: engine or devvault.
# make calls it when their sources are newer than the binary.
set -euo pipefail
cd "$(dirname "$0")/../$1"

case $1 in
  engine)   echo "building rollcall-engine from Temporal's modules: 2 to 5 minutes the first time, seconds after" ;;
  devvault) echo "building rollcall-devvault from Vault's modules: 2 to 5 minutes the first time, seconds after" ;;
esac

mkdir -p ../bin
started=$SECONDS
# A line a minute: these builds are silent, and a silent terminal looks dead.
while sleep 60; do echo "  still building rollcall-$1 ($(((SECONDS - started) / 60)) min)"; done &
ticker=$!
trap 'kill $ticker 2>/dev/null || true' EXIT

export GOGC=${GOGC:-$(../scripts/compiler-gogc.sh)}
CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o "../bin/rollcall-$1" .
# go leaves the time of a binary that came out the same as before.
touch "../bin/rollcall-$1"
echo "  built bin/rollcall-$1 in $((SECONDS - started)) s"
