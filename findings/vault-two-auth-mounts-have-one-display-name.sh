#!/bin/bash
# Vault: tokens of two auth mounts have one display name, so an audit log does not say whose they
# are.
#
# What is surprising: the display name of a token is the path of its auth mount, with each slash
# made a dash, a dash and the user's name. A mount team/ldap and a mount team-ldap are two, with
# users of their own, and a token of alice at either is "team-ldap-alice". Mount and user may
# change places, too: alice-b at "x" and b at "x-alice" are both x-alice-b. The audit log has the
# display name and the metadata of a token, and not the mount, on each line but the login's own.
# A login with a second factor ends in sys/mfa/validate, whose path has no mount either: of the
# line that has the token, who logged in cannot be told.
#
# Version: Vault 1.21.0, the server itself (source: handleLoginRequest in
# vault/request_handling.go). Seen on 2026-11-30:
#
#   mount      user      display name       username
#   team/ldap  alice     team-ldap-alice    alice
#   team-ldap  alice     team-ldap-alice    alice
#   x          alice-b   x-alice-b          alice-b
#   x-alice    b         x-alice-b          b
#
# Who is hit: whoever reads an audit log for what a stolen login did. The use is counted for the
# namesake at the other mount, or for a mount that is not there.
#
# How Rollcall copes: `rollcall evidence` remembers the mounts whose logins the log has, names the
# one mount that a display name can be of, and of two names nobody.
#
# 2026-11-30
set -euo pipefail

server=$(cd "$(dirname "$0")/.." && pwd)/bin/rollcall-devvault
[[ -x $server ]] || { echo "$server is missing: make build (it is Vault's own server)" >&2; exit 1; }
for program in curl jq; do command -v "$program" >/dev/null || { echo "$program is missing: apt-get install $program" >&2; exit 1; }; done
dir=$(mktemp -d)
"$server" -dir "$dir" -listen 127.0.0.1:0 >"$dir/out" 2>&1 &
pid=$!
trap 'kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; rm -rf "$dir"' EXIT
for _ in $(seq 300); do [[ -s $dir/address && -s $dir/root-token ]] && break; sleep 0.1; done
at=$(cat "$dir/address"); [[ $at = http* ]] || at=http://$at
root=$(cat "$dir/root-token")

ask() { curl -sS --fail-with-body -H "X-Vault-Token: $root" -X POST "$at/v1/$1" -d "$2"; }
for mount in team/ldap team-ldap x x-alice; do ask "sys/auth/$mount" '{"type":"userpass"}'; done
while read -r mount user; do
  ask "auth/$mount/users/$user" '{"password":"pw"}'
  token=$(ask "auth/$mount/login/$user" '{"password":"pw"}' | jq -r .auth.client_token)
  curl -sS -H "X-Vault-Token: $token" "$at/v1/auth/token/lookup-self" | jq -r --arg m "$mount" --arg u "$user" '"\($m) \($u) \(.data.display_name) \(.data.meta.username)"'
done <<'END' | tee "$dir/seen"
team/ldap alice
team-ldap alice
x alice-b
x-alice b
END

diff - "$dir/seen" <<'END' || { echo "changed: the lines with < were seen on 2026-11-30" >&2; exit 1; }
team/ldap alice team-ldap-alice alice
team-ldap alice team-ldap-alice alice
x alice-b x-alice-b alice-b
x-alice b x-alice-b b
END
echo "as on 2026-11-30: users of two mounts have one display name"
