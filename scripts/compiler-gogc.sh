#!/bin/bash
# Prints the GOGC with which the programs are compiled, unless the environment has one. Go's
# compiler spends up to a third of its time on collecting its garbage; where there are 2 GiB free
# for each core it may leave more of it. What it makes is the same.
set -euo pipefail
free=$(awk '/^MemAvailable:/ { print int($2 / 1024 / 1024) }' /proc/meminfo 2>/dev/null || true)
# A container may have less than the machine has free.
most=$(cat /sys/fs/cgroup/memory.max 2>/dev/null || true)
if [[ $most =~ ^[0-9]+$ ]] && ((most >> 30 < ${free:-0})); then
  free=$((most >> 30))
fi
if ((${free:-0} >= 2 * $(getconf _NPROCESSORS_ONLN))); then
  echo 400
else
  echo 100
fi
