#!/bin/bash
# MariaDB: SET PASSWORD changes one of an account's two passwords, and says nothing of it.
#
# What is surprising: an account may have several ways to log in (IDENTIFIED VIA a OR b, made
# for a move from the old method to ed25519). Each way has a hash of its own. SET PASSWORD,
# the statement for "change this account's password", changes the first of them alone and
# reports success: the account then has two passwords, and the one from before goes on logging
# in by the other way. Which way is first decides, not which is stronger. ALTER USER …
# IDENTIFIED BY is the other surprise: it ends the old password everywhere, and drops all ways
# but one, ed25519 among them, without a word.
#
# Version: mariadb-server 1:10.11.19-0+deb12u1 (Debian 12).
# Seen on 2026-11-29:
#
#   account made with                  changed by        old password   new password   ways left
#   ed25519 OR mysql_native_password   SET PASSWORD      in             in             2
#   mysql_native_password OR ed25519   SET PASSWORD      in             in             2
#   ed25519 OR mysql_native_password   ALTER USER … BY   1045           in             1
#
# Who is hit: whoever rotates a password that was stolen with SET PASSWORD and sees that the
# new one logs in; and whoever repairs that with ALTER USER and finds that clients without the
# remaining method are shut out.
#
# How Rollcall copes: its door of type mysql offers the old value after the new one, whatever
# the statement reported, and a value that still logs in keeps its credential open; it takes
# each method that the server asks for, so neither way is passed over.
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
mariadbd --no-defaults --datadir="$dir/data" --tmpdir="$dir/tmp" --user="$(id -un)" --socket="$dir/s" --skip-networking --plugin-load-add=auth_ed25519 >"$dir/log" 2>&1 &
server=$!
for _ in {1..150}; do mariadb-admin --no-defaults -S "$dir/s" -u root ping >/dev/null 2>&1 && break; sleep 0.2; done

sql() { mariadb --no-defaults -S "$dir/s" -u root -N -e "$1"; }
login() { # PASSWORD: in, or the code of the refusal
  local said
  said=$(mariadb --no-defaults -S "$dir/s" -u alice -p"$1" -N -e "select 'in'" 2>&1) && { echo in; return; }
  sed -n 's/^ERROR \([0-9]*\).*/\1/p' <<<"$said"
}

wrong=0
row() { # first way, other way, statement; old password, new password, ways left
  sql "create user alice@localhost identified via $1 using password('old-secret') or $2 using password('old-secret')"
  [[ $(login old-secret) == in ]] || fail "the account does not log in"
  sql "$3"
  local old new ways
  old=$(login old-secret); new=$(login new-secret)
  ways=$(sql "show create user alice@localhost" | grep -o "ed25519\|mysql_native_password\|BY PASSWORD" | wc -l)
  printf '%-24s%-24s%-14s%-6s%-6s%s\n' "$1" "$2" "${3%% *}" "$old" "$new" "$ways"
  [[ "$old $new $ways" == "$4" ]] || wrong=1
  sql "drop user alice@localhost"
}
set_password="set password for alice@localhost = password('new-secret')"
row ed25519 mysql_native_password "$set_password" "in in 2"
row mysql_native_password ed25519 "$set_password" "in in 2"
row ed25519 mysql_native_password "alter user alice@localhost identified by 'new-secret'" "1045 in 1"
[[ $wrong == 0 ]] || fail "this is not what the head of the script says"
echo "as on 2026-11-29: SET PASSWORD leaves the other way's old password in force"
