#!/bin/bash
# MariaDB: the new password of a blocked account is refused, and nothing shows the block.
#
# What is surprising: max_password_errors blocks an account after so many wrong passwords. SET
# PASSWORD does not lift the block: right after it the new password is refused like any other
# (4150), so a rotation that made no mistake looks as if it had failed. ALTER USER lifts it,
# whatever it changes: also ACCOUNT UNLOCK on an account that was never locked. And nobody can
# see the block: SHOW CREATE USER and the row of mysql.global_priv are the same with it and
# without. The count is in memory alone, and a good login clears it.
#
# Version: mariadb-server 1:10.11.19-0+deb12u1 (Debian 12), max_password_errors = 3.
# Seen on 2026-11-29:
#
#   after three wrong passwords   the right password
#   nothing                       4150
#   SET PASSWORD                  4150 (the new one)
#   ALTER USER … ACCOUNT UNLOCK   in
#   ALTER USER … IDENTIFIED BY    in (the new one)
#   FLUSH PRIVILEGES              in
#
#   what the account shows before the first and after the last wrong password: the same
#
# Who is hit: whoever rotates an account that somebody guesses at, which is when accounts are
# rotated: its consumers have the new password and are shut out; and whoever looks at the
# account for a lock and finds none.
#
# How Rollcall copes: its door of type mysql reads 4150 as "locked", never as a refusal of the
# value, so nothing is called dead by it and the reason that people see is the true one.
#
# 2026-11-29
set -euo pipefail

fail() { echo "$*" >&2; exit 1; }
installed() { dpkg-query -W -f '${Status} ${Version}\n' "$1" 2>/dev/null | sed -n 's/^install ok installed //p'; }
for package in mariadb-server mariadb-client; do
  [[ -n $(installed $package) ]] || fail "the Debian 12 package $package is missing: apt-get install --no-install-recommends $package"
done
[[ $(installed mariadb-server) == 1:10.11.19-0+deb12u1 ]] || echo "note: seen with mariadb-server 1:10.11.19-0+deb12u1, here it is $(installed mariadb-server)"

dir=$(mktemp -d)
server=
stop() { if [[ -n $server ]]; then kill "$server" 2>/dev/null || true; wait "$server" || true; fi; rm -rf "$dir"; }
trap stop EXIT
mkdir "$dir/tmp"
mariadb-install-db --no-defaults --datadir="$dir/data" --tmpdir="$dir/tmp" --user="$(id -un)" --auth-root-authentication-method=normal >"$dir/install.log" 2>&1 || fail "$(cat "$dir/install.log")"
mariadbd --no-defaults --datadir="$dir/data" --tmpdir="$dir/tmp" --user="$(id -un)" --socket="$dir/s" --skip-networking --max-password-errors=3 >"$dir/log" 2>&1 &
server=$!
for _ in {1..150}; do mariadb-admin --no-defaults -S "$dir/s" -u root ping >/dev/null 2>&1 && break; sleep 0.2; done

sql() { mariadb --no-defaults -S "$dir/s" -u root -N -e "$1"; }
login() { # PASSWORD: in, or the code of the refusal
  local said
  said=$(mariadb --no-defaults -S "$dir/s" -u bob -p"$1" -N -e "select 'in'" 2>&1) && { echo in; return; }
  sed -n 's/^ERROR \([0-9]*\).*/\1/p' <<<"$said"
}
shown() { sql "show create user bob@localhost; select * from mysql.global_priv where user = 'bob'"; }

wrong=0
row() { # name, statement, the right password afterwards; what a login with it gives
  sql "create user bob@localhost identified by 'old-secret'"
  local before got
  before=$(shown)
  for _ in 1 2 3; do [[ $(login wrong) == 1045 ]] || fail "a wrong password is not answered with 1045"; done
  [[ $(login old-secret) == 4150 ]] || fail "the account is not blocked after three"
  [[ $(shown) == "$before" ]] || fail "the block is shown"
  [[ -z $2 ]] || sql "$2"
  got=$(login "$3")
  printf '%-30s%s\n' "$1" "$got"
  [[ $got == "$4" ]] || wrong=1
  sql "drop user bob@localhost"
}
row "nothing" "" old-secret 4150
row "SET PASSWORD" "set password for bob@localhost = password('new-secret')" new-secret 4150
row "ALTER USER … ACCOUNT UNLOCK" "alter user bob@localhost account unlock" old-secret in
row "ALTER USER … IDENTIFIED BY" "alter user bob@localhost identified by 'new-secret'" new-secret in
row "FLUSH PRIVILEGES" "flush privileges" old-secret in
[[ $wrong == 0 ]] || fail "this is not what the head of the script says"
echo "as on 2026-11-29: a new password does not lift the block, and the account does not show it"
