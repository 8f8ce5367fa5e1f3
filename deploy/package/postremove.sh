#!/bin/sh
# The users, their logins and the ledgers stay, also when the package is purged:
# the record is evidence, and who removes it does so by hand.
set -e
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
fi
if [ "${1:-}" = purge ]; then
  echo "rollcall: left as they are: /var/lib/rollcall-ledger (the record), /var/lib/rollcall (the worker's login)"
fi
