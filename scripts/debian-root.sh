#!/bin/bash
# The root of a small Debian with systemd, for tests that boot or pack one: made
# once, in bin/debian-root, which it prints. Tests copy it.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD/bin/debian-root
if [[ ! -e $root/.whole ]]; then
  rm -rf --one-file-system "$root"
  mkdir -p bin
  debootstrap --variant=minbase --include=systemd,systemd-sysv,procps,ca-certificates bookworm "$root" >bin/debian-root.log 2>&1 ||
    { tail -n 20 bin/debian-root.log >&2; exit 1; }
  rm -f "$root"/var/cache/apt/archives/*.deb
  touch "$root/.whole"
fi
echo "$root"
