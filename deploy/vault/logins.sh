#!/bin/sh
# Gives the two workers their logins: a role id that the compose file can name,
# which is no secret, and a new secret-id at each start, in a volume that only
# that worker mounts. The one before is destroyed.
set -eu
umask 077
export HOME=/keys

for role in worker ledger; do
  at=auth/approle/role/rollcall-$role
  vault write "$at/role-id" role_id="rollcall-$role" >/dev/null
  for old in $(vault list -format=json "$at/secret-id" 2>/dev/null | tr -d '[]{}", '); do
    vault write "$at/secret-id-accessor/destroy" secret_id_accessor="$old" >/dev/null
  done
  vault write -f -field=secret_id "$at/secret-id" >"/login/$role/secret-id"
  chown 65532:65532 "/login/$role" "/login/$role/secret-id"
done
