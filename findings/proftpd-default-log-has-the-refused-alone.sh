#!/bin/bash
# ProFTPD: the log that it keeps by default has who was refused, and not who was let in.
#
# What is surprising: SystemLog has a line for each wrong password and each unknown name, so it
# looks like a log of logins. The line of a good one is of a lower level (info) than that of
# a bad one, and SyslogLevel, which is notice where nothing is said, keeps it out. It sounds
# as if it were about syslog: it holds for the file as well.
#
# Version: proftpd-core 1.3.8+dfsg-4+deb12u5 (Debian 12).
# Seen on 2026-11-29, lines with the login's name in the file of SystemLog:
#
#   SyslogLevel   right password   wrong password   unknown name
#   none given    0                1                1
#   notice        0                1                1
#   info          1                1                1
#
# Who is hit: whoever looks whether a guessed or stolen account was used, finds only refused
# tries, and takes it that nobody got in; and whoever counts refused tries per good login.
# The proftpd.conf that Debian ships has a SystemLog and no SyslogLevel.
#
# How Rollcall copes: evidence reads both lines, and docs/evidence.md says, in its list of
# formats and under what to switch on before the next incident, at which level the good
# one is written.
#
# 2026-11-29
set -euo pipefail

fail() { echo "$*" >&2; exit 1; }
installed() { dpkg-query -W -f '${Status} ${Version}\n' "$1" 2>/dev/null | sed -n 's/^install ok installed //p'; }
for package in proftpd-core openssl; do
  [[ -n $(installed $package) ]] || fail "the Debian 12 package $package is missing: apt-get install --no-install-recommends $package"
done
[[ $(installed proftpd-core) == 1.3.8+dfsg-4+deb12u5 ]] || echo "note: seen with proftpd-core 1.3.8+dfsg-4+deb12u5, here it is $(installed proftpd-core)"

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

for name in alice bob; do
  echo "$name:$(openssl passwd -6 $name-secret):$(id -u nobody):$(id -g nobody)::/:/bin/false"
done >"$dir/passwd"
chmod 600 "$dir/passwd"

start() { # LINE: starts it with another line of configuration
  port=$(port)
  log=$dir/log-$port
  cat >"$dir/conf" <<END
ServerType standalone
DefaultAddress 127.0.0.1
SocketBindTight on
UseIPv6 off
UseReverseDNS off
Port $port
User $(id -un)
Group $(id -gn)
PidFile $dir/pid
ScoreboardFile $dir/scoreboard
DelayTable $dir/delay
WtmpLog off
SystemLog $log
$1
AuthOrder mod_auth_file.c
AuthUserFile $dir/passwd
RequireValidShell off
UseFtpUsers off
<IfModule mod_ctrls.c>
  ControlsEngine off
</IfModule>
END
  /usr/sbin/proftpd -n -q -c "$dir/conf" >"$dir/out" 2>&1 &
  server=$!
  for _ in {1..300}; do (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return; sleep 0.1; done
  fail "proftpd did not start: $(tail -3 "$dir/out" "$log")"
}

say() { # COMMAND EXPECTED: sends it, and reads the answer
  local line
  [[ -z $1 ]] || printf '%s\r\n' "$1" >&3
  while IFS= read -t 60 -r line <&3; do [[ $line == [0-9][0-9][0-9]' '* ]] && break; done
  [[ $line == "$2"* ]] || fail "to ${1:-the connection} it says: $line"
}
login() { # NAME PASSWORD EXPECTED
  exec 3<>"/dev/tcp/127.0.0.1/$port"
  say "" 220
  say "USER $1" 331
  say "PASS $2" "$3"
  say QUIT 221
  exec 3>&-
}
lines() { grep -cw "$1" "$log" || true; }

row='%-14s%-17s%-17s%s\n'
printf "$row" SyslogLevel "right password" "wrong password" "unknown name"
seen=
for level in "none given" notice info; do
  if [[ $level == none* ]]; then start ""; else start "SyslogLevel $level"; fi
  login alice alice-secret 230
  login bob wrong 530
  login carol wrong 530
  stop
  counts="$(lines alice) $(lines bob) $(lines carol)"
  printf "$row" "$level" $counts
  seen+="$counts; "
done
[[ $seen == "0 1 1; 0 1 1; 1 1 1; " ]] || fail "this is not what was seen before"
echo "as on 2026-11-29: who was let in is not in the log that is kept by default"
