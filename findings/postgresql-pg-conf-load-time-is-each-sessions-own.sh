#!/bin/bash
# PostgreSQL: pg_conf_load_time() is the time of the session that asks, and a reload of a
# pg_hba.conf that was not taken moves it all the same.
#
# What is surprising: the obvious way to see whether pg_hba.conf was edited and not reloaded
# is to hold the file's time against pg_conf_load_time(). Both halves mislead. (1) A session
# that was idle reads the configuration when it gets its next statement, and from then on
# gives that moment, not the server's: an edit from between the reload and that statement
# looks loaded, and the server goes by the lines of before. A session that is opened then
# gives the server's own time. (2) A pg_hba.conf with a mistake in it is not loaded, the
# lines of before stay in force, and the time moves as if it had been.
#
# Versions: PostgreSQL 15 (Debian 12, postgresql-15).
# Seen on 2026-11-29:
#
#   reload at t1, file edited at t2 > t1, each asked at t3 > t2:
#     idle session:   load time > t2   (the edit looks loaded)
#     new session:    load time < t2   (it is not)
#   file with a mistake, reload:
#     new session:    load time moved; the old lines let in and refuse as before;
#                     pg_hba_file_rules shows the mistake
#
# Who is hit: audits and tools that keep a connection pool, and whoever removes a "trust"
# line after an incident and looks whether that is in force.
#
# How Rollcall copes: it asks in a session of its own that is opened for it, counts a file
# with a wrong line as not loaded, and else says that it does not show (internal/postgres,
# inforce.go).
#
# 2026-11-29
set -euo pipefail

fail() { echo "$*" >&2; exit 1; }
bin=/usr/lib/postgresql/15/bin
[[ -x $bin/initdb ]] || fail "the Debian 12 package postgresql-15 is missing: apt-get install --no-install-recommends postgresql-15"
[[ $(id -u) == 0 ]] || fail "run it as root: PostgreSQL's server does not run as root, and is started as another user"

for name in "${!PG@}"; do unset "$name"; done
dir=$(mktemp -d)
as() { setpriv --reuid=postgres --regid=postgres --init-groups env HOME="$dir" LC_ALL=C TZ=UTC "$@"; }
stop() { as $bin/pg_ctl -D "$dir/data" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$dir"; }
trap stop EXIT
chmod 711 "$dir"; install -d -o postgres -m 700 "$dir/run"; install -d -o postgres -m 700 "$dir/data"
cd "$dir"
as $bin/initdb -D data -A trust -E UTF8 --locale=C.UTF-8 >init.log 2>&1 || { cat init.log >&2; exit 1; }
hba() { printf '%s\n' "$@" >data/pg_hba.conf; }
hba 'local all postgres trust' 'local all app trust'
port=$((20000 + RANDOM % 20000))
as $bin/pg_ctl -D data -w -l data/log -o "-p $port -k $dir/run -c fsync=off" start >/dev/null || { cat data/log >&2; exit 1; }
q() { as $bin/psql -XAtq -h "$dir/run" -p "$port" -U postgres -d postgres -c "$1"; }
app() { as $bin/psql -XAtq -h "$dir/run" -p "$port" -U app -d postgres -c 'SELECT 1' >/dev/null 2>&1; }
# settle waits until the postmaster itself has read its files again: sessions that are
# opened get its time.
settle() { for _ in $(seq 100); do [[ $(q 'SELECT pg_conf_load_time()') != "$1" ]] && return; read -rt 0.1 <> <(:) || true; done; fail "the reload did not come"; }
q 'CREATE ROLE app LOGIN' >/dev/null

# An idle session, asked by a pipe.
mkfifo ask; chown postgres ask
as $bin/psql -XAtq -h "$dir/run" -p "$port" -U postgres -d postgres <ask >said 2>&1 &
exec 7>ask
echo 'SELECT 1;' >&7
for _ in $(seq 100); do grep -q 1 said && break; read -rt 0.1 <> <(:) || true; done

was=$(q 'SELECT pg_conf_load_time()')
q 'SELECT pg_reload_conf()' >/dev/null
settle "$was"
hba 'local all postgres trust' 'local all app reject'
edited=$(q 'SELECT clock_timestamp()')
echo "SELECT 'idle ' || (pg_conf_load_time() > '$edited');" >&7
for _ in $(seq 100); do grep -q idle said && break; read -rt 0.1 <> <(:) || true; done
idle=$(grep idle said)
new=$(q "SELECT pg_conf_load_time() > '$edited'")
echo "edited, not reloaded: $idle, new session $new (true: the edit looks loaded)"
[[ $idle == "idle true" ]] || fail "the idle session gives the server's time by now"
[[ $new == f ]] || fail "a new session gives another time by now"
app || fail "the line that was taken out is not in force any more, without a reload"

was=$(q 'SELECT pg_conf_load_time()')
hba 'local all postgres trust' 'local all app rejectt'
q 'SELECT pg_reload_conf()' >/dev/null
settle "$was"
wrong=$(q 'SELECT count(error) FROM pg_hba_file_rules')
echo "a file with a mistake: the load time moved, $wrong line is wrong, and app is let in: $(app && echo yes || echo no)"
[[ $wrong == 1 ]] || fail "the mistake does not show"
app || fail "the old lines are not in force any more"
