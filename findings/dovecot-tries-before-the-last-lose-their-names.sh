#!/bin/bash
# Dovecot: of the refused tries of a connection one name is written, when it ends; none at all
# if the last try is right.
#
# What is surprising: a wrong password leaves nothing in the log when it is answered. When the
# client goes, one line has the number of tries and the name of the last: three tries at
# alice and one at bob read as four tries at bob. If the last one is right, the line is that
# of a good login, and neither a name nor the number of the refused before it is written
# anywhere. "auth_verbose = yes" writes each try, where it is made.
#
# Version: dovecot-core 1:2.3.19.1+dfsg1-2.1+deb12u7 (Debian 12), IMAP.
# Seen on 2026-11-29, lines of the log:
#
#   auth_verbose   in one connection            of alice   of bob or carol
#   no (shipped)   alice 3 times wrong          0          0
#                  bob wrong, still connected   0          0
#                  disconnected                 0          1: auth failed, 4 attempts, user=<bob>
#   no (shipped)   alice 3 times wrong          0          0
#                  carol right                  0          1: Login: user=<carol>
#   yes            alice 3 times wrong          3          0
#
# Who is hit: whoever counts refused logins per account, or locks an address by them: what
# counts is the account that a client ends with, and one with a good login of its own ends
# with none. A client that stays connected keeps its line back.
#
# How Rollcall copes: evidence notes of such a line (more than one try) that refused logins are
# not all named (names-nobody). Of those before a good login it cannot know; docs/evidence.md
# advises auth_verbose = yes.
#
# 2026-11-29
set -euo pipefail

fail() { echo "$*" >&2; exit 1; }
installed() { dpkg-query -W -f '${Status} ${Version}\n' "$1" 2>/dev/null | sed -n 's/^install ok installed //p'; }
for package in dovecot-core dovecot-imapd; do
  [[ -n $(installed $package) ]] || fail "the Debian 12 package $package is missing: apt-get install --no-install-recommends $package"
done
known=1:2.3.19.1+dfsg1-2.1+deb12u7
[[ $(installed dovecot-core) == "$known" ]] || echo "note: seen with dovecot-core $known, here it is $(installed dovecot-core)"
[[ $EUID == 0 ]] || fail "Dovecot must be started by root"

dir=$(mktemp -d)
server=
stop() { if [[ -n $server ]]; then kill "$server" 2>/dev/null || true; wait "$server" || true; server=; fi; }
trap 'stop; rm -rf "$dir"' EXIT

# A port that nobody listens on.
port() {
  local p
  while p=$((20000 + RANDOM % 10000)); (exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null; do :; done
  echo "$p"
}

chmod 755 "$dir"
mkdir "$dir/run"
printf '%s:{PLAIN}right\n' alice bob carol >"$dir/passwd"
chmod a+r "$dir/passwd"
install -d -o dovecot -g dovecot "$dir/mail"
start() { # LINE: starts it with another line of configuration
  port=$(port)
  log=$dir/log-$port
  cat >"$dir/dovecot.conf" <<END
base_dir = $dir/run
state_dir = $dir/run
log_path = $log
$1
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
mail_location = maildir:$dir/mail/%u
first_valid_uid = 1
passdb {
  driver = passwd-file
  args = $dir/passwd
}
userdb {
  driver = static
  args = uid=dovecot gid=dovecot home=$dir/mail/%u
}
service imap-login {
  chroot =
  inet_listener imap {
    port = $port
  }
  inet_listener imaps {
    port = 0
  }
}
service anvil {
  chroot =
  # No penalty for an address, nor a delay: they are of no matter here, and take time.
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
auth_failure_delay = 0
END
  /usr/sbin/dovecot -F -c "$dir/dovecot.conf" >"$dir/out" 2>&1 &
  server=$!
  for _ in {1..300}; do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
    kill -0 "$server" 2>/dev/null || fail "dovecot did not start: $(tail -3 "$dir/out" "$log")"
    sleep 0.1
  done
}

say() { # COMMAND EXPECTED: sends it, and reads to the answer
  local line
  printf 'a %s\r\n' "$1" >&3
  while IFS= read -t 60 -r line <&3; do [[ $line == 'a '* ]] && break; done
  [[ $line == "a $2"* ]] || fail "to $1 it says: $line"
}
connect() {
  local line
  exec 3<>"/dev/tcp/127.0.0.1/$port"
  IFS= read -t 60 -r line <&3
}
disconnect() { say LOGOUT OK; exec 3>&-; }
lines() { grep -cw "$1" "$log" || true; } # NAME
# written NAME TEXT: waits for a line with both
written() {
  for _ in {1..300}; do grep -w "$1" "$log" | grep -qF "$2" && return; sleep 0.1; done
  fail "no line has $1 and $2: $(tail -3 "$log")"
}

row='%-15s%-29s%-11s%s\n'
seen=
look() { # AUTH_VERBOSE WHAT OTHER: a row of the lines of alice and of the other
  local counts
  counts="$(lines alice) $(lines $3)"
  printf "$row" "$1" "$2" $counts
  seen+="$counts; "
}
wrong() { for _ in 1 2 3; do say "LOGIN alice wrong" NO; done; }

printf "$row" auth_verbose "in one connection" "of alice" "of bob or carol"
start ""
connect
wrong
look no "alice 3 times wrong" bob
say "LOGIN bob wrong" NO
sleep 1
look no "bob wrong, still connected" bob
disconnect
written bob "(auth failed, 4 attempts in "
look no "disconnected" bob
connect
wrong
say "LOGIN carol right" OK
written carol "Login: user=<carol>"
login=$(grep -c 'Login: user=<carol>' "$log")
disconnect
written carol "Logged out"
# The line of the session's end is another one.
[[ $(lines carol) == $((login + 1)) ]] || fail "carol has other lines: $(grep -w carol "$log")"
printf "$row" no "alice wrong, carol right" "$(lines alice)" "$login"
seen+="$(lines alice) $login; "
stop

start "auth_verbose = yes"
connect
wrong
for _ in {1..100}; do (($(lines alice) >= 3)) && break; sleep 0.1; done
look yes "alice 3 times wrong" bob
disconnect
stop
[[ $seen == "0 0; 0 0; 0 1; 0 1; 3 0; " ]] || fail "this is not what was seen before"
echo "as on 2026-11-29: of several refused tries one has a name, and none before a good login"
