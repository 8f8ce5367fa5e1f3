#!/bin/bash
# pgx: right passwords with some letters are refused, and psql logs in with them.
#
# What is surprising: PostgreSQL and libpq prepare a password for SCRAM with SASLprep (RFC
# 4013), which writes compatibility letters out (the ligature "fi" becomes f and i, the
# Roman numeral nine IX) and leaves out a soft hyphen. pgx, the common driver for Go,
# prepares it with the OpaqueString profile (RFC 8265) instead, which keeps the letters and
# knows no such rule. Both sides then work with different passwords, and the server answers
# as to a wrong one: 28P01, password authentication failed. Nothing tells the difference.
# Umlauts, blanks and composed or decomposed accents are the same either way.
#
# Versions: PostgreSQL 15 (Debian 12, postgresql-15), psql and libpq of the same package;
# github.com/jackc/pgx/v5 v5.13.0.
# Seen on 2026-11-28 (each password was given to the role by psql):
#
#   password                      psql      pgx
#   plain ASCII                   in        in
#   u with dots, composed         in        in
#   u with dots, decomposed       in        in
#   ligature fi (U+FB01)          in        28P01
#   Roman numeral nine (U+2168)   in        28P01
#   soft hyphen (U+00AD)          in        28P01
#
# Who is hit: a service that is ported to Go cannot log in with the password that it always
# had; and a tool that offers a stolen password to see whether it is dead is told that it is,
# while the thief, who uses psql, goes on.
#
# How Rollcall copes: it prepares values by itself as the server does (internal/postgres,
# prepare.go), and what it cannot prepare so is an error, never a refusal.
#
# 2026-11-28
set -euo pipefail

fail() { echo "$*" >&2; exit 1; }
command -v go >/dev/null || fail "Go is missing (1.26 or later)"
bin=/usr/lib/postgresql/15/bin
[[ -x $bin/initdb ]] || fail "the Debian 12 package postgresql-15 is missing: apt-get install --no-install-recommends postgresql-15"
[[ $(id -u) == 0 ]] || fail "run it as root: PostgreSQL's server does not run as root, and is started as another user"

for name in "${!PG@}"; do unset "$name"; done # both clients read them
dir=$(mktemp -d)
as() { setpriv --reuid=postgres --regid=postgres --init-groups env HOME="$dir" LC_ALL=C "$@"; }
stop() { as $bin/pg_ctl -D "$dir/data" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$dir"; }
trap stop EXIT
chmod 711 "$dir"; install -d -o postgres -m 700 "$dir/run"; install -d -o postgres -m 700 "$dir/data"
cd "$dir"
as $bin/initdb -D data -A trust -E UTF8 --locale=C.UTF-8 >init.log 2>&1 || { cat init.log >&2; exit 1; }
printf 'local all postgres trust\nhost all all 127.0.0.1/32 scram-sha-256\n' >data/pg_hba.conf
port=$((20000 + RANDOM % 20000))
as $bin/pg_ctl -D data -w -l data/log -o "-p $port -k $dir/run -c listen_addresses=127.0.0.1 -c fsync=off" start >/dev/null || { cat data/log >&2; exit 1; }

mkdir go && cd go
export GOWORK=off GOFLAGS=-mod=mod GOCACHE=${GOCACHE:-$(go env GOCACHE)}
cat >go.mod <<'M'
module finding

go 1.26

require github.com/jackc/pgx/v5 v5.13.0
M
cat >main.go <<'M'
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

func main() {
	c, err := pgx.ParseConfig(os.Args[1])
	if err != nil {
		panic(err)
	}
	c.User, c.Password = os.Args[2], os.Args[3]
	conn, err := pgx.ConnectConfig(context.Background(), c)
	var refused *pgconn.PgError
	switch {
	case err == nil:
		fmt.Print("in")
		_ = conn.Close(context.Background())
	case errors.As(err, &refused):
		fmt.Print(refused.Code)
	default:
		fmt.Print(err)
	}
}
M
go mod tidy >tidy.log 2>&1 || { cat tidy.log >&2; exit 1; }
go build -o ../login . && cd ..

role=0 wrong=0
row() { # name, password, what psql and pgx should say
  role=$((role + 1))
  as psql -qX -h "$dir/run" -p $port -d postgres -v ON_ERROR_STOP=1 -v p="$2" >/dev/null <<<"CREATE ROLE r$role LOGIN PASSWORD :'p'"
  local libpq pgx
  libpq=$(PGPASSWORD=$2 PGCLIENTENCODING=UTF8 psql -qXAt -h 127.0.0.1 -p $port -U r$role -d postgres -c "SELECT 'in'" 2>/dev/null || echo refused)
  pgx=$(./login "host=127.0.0.1 port=$port dbname=postgres sslmode=disable" r$role "$2")
  printf '%-30s%-10s%s\n' "$1" "$libpq" "$pgx"
  [[ $libpq == "$3" && $pgx == "$4" ]] || wrong=1
}
printf '%-30s%-10s%s\n' password psql pgx
row "plain ASCII" 'correct horse battery' in in
row "u with dots, composed" $'g\u00fcrtel-7' in in
row "u with dots, decomposed" $'gu\u0308rtel-7' in in
row "ligature fi (U+FB01)" $'\ufb01nger-7' in 28P01
row "Roman numeral nine (U+2168)" $'henry-\u2168' in 28P01
row "soft hyphen (U+00AD)" $'hy\u00adphen-7' in 28P01
[[ $wrong == 0 ]] || fail "this is not what the head of the script says"
