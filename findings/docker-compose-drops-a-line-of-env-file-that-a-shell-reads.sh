#!/bin/bash
# docker-compose 1.29: a line of an env_file that a shell reads can be no variable at all, or a
# shorter one, and the exit code is 0.
#
# What is surprising: one file with NAME=value lines is commonly read by a shell (`. app.env`)
# and by docker-compose (`env_file`). Both know single quotes. The shell's way to write a
# quote inside them ('it'\''s') is a syntax error to docker-compose, which leaves the variable
# out, says so in one line of its log, and starts the container without it. Outside quotes,
# what follows " #" is a comment to both, while "#" after a letter is none; and `$$` stays two
# characters to docker-compose and is the shell's process id to the shell.
#
# Version: docker-compose 1.29.2-3 and python3-dotenv 0.21.0-1 of Debian 12. No Docker engine
# is needed: `docker-compose config` shows what a container would be given (where it writes
# "$" as "$$").
# Seen on 2026-11-29, with exit code 0:
#
#   line                        docker-compose           bash
#   PLAIN='it-is'               it-is                    it-is
#   QUOTE='it'\''s'             no such variable         it's
#   TAIL=first #second          first                    first
#   HASH=first#second           first#second             first#second
#   DOLLAR=a$$b                 a$$b                     a, its process id, b
#
# Who is hit: whoever writes a new password into such a file with a shell's quoting. The
# file is right for one of its readers; the other one starts without a password, or with the
# wrong one, and nothing fails until it logs in.
#
# How Rollcall copes: of a secret that is an .env file it writes into single quotes no value
# with a quote in it, and refuses a line that its readers would read in two ways.
#
# 2026-11-29
set -euo pipefail

for program in docker-compose python3; do
  command -v "$program" >/dev/null || { echo "$program is missing: apt-get install docker-compose" >&2; exit 1; }
done
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export HOME=$dir DOCKER_CONFIG=$dir

cat >app.env <<'END'
PLAIN='it-is'
QUOTE='it'\''s'
TAIL=first #second
HASH=first#second
DOLLAR=a$$b
END
cat >docker-compose.yml <<'END'
version: "3.8"
services:
  app: {image: none, env_file: app.env}
END

docker-compose --version
code=0
docker-compose config >config 2>log || code=$?
[[ $code = 0 ]] || { echo "docker-compose config ends with $code now" >&2; exit 1; }

composed() { sed -n "s/^      $1: //p" config | sed 's/\$\$/$/g'; }
shell() { bash -c '. ./app.env; printf %s "${!1}"' bash "$1"; }

seen() { # name, by docker-compose, by bash ("pid": a number between a and b)
  local c s
  c=$(composed "$1") s=$(shell "$1")
  printf '%-8s docker-compose: %-16s bash: %s\n' "$1" "${c:-no such variable}" "$s"
  [[ $c = "$2" ]] || { echo "$1: docker-compose gave $c" >&2; exit 1; }
  if [[ $3 = pid ]]; then [[ $s =~ ^a[0-9]+b$ ]]; else [[ $s = "$3" ]]; fi || { echo "$1: bash gave $s" >&2; exit 1; }
}
seen PLAIN it-is it-is
seen QUOTE '' "it's"
seen TAIL first first
seen HASH first#second first#second
seen DOLLAR 'a$$b' pid
grep -q 'could not parse' log || { echo "the log does not name the line any more" >&2; cat log >&2; exit 1; }
cat log
