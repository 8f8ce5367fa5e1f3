#!/bin/sh
set -eu
if [ "${1:-}" = server ]; then
  chown -R vault:vault /vault/file /vault/logs
  shift
  exec setpriv --reuid=100 --regid=1000 --clear-groups vault server -config=/vault/config "$@"
fi
exec vault "$@"
