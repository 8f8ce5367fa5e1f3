#!/bin/bash
# Samba: with --debug-stdout the file of its own that a class of log lines was given is not
# written, nor made: all goes to standard output.
#
# What is surprising: "log level = 1 auth_json_audit:3@FILE" sends the audit of logins to a file
# of its own, whatever "log file" says. With --debug-stdout, which one expects to put
# standard output in the place of the log file, the audit goes there too, between the
# server's other lines. The server writes no warning of it, and there is no file. smb.conf(5)
# tells of the file, smbd(8) of standard output, and neither which of the two counts.
#
# Version: samba 2:4.17.12+dfsg-0+deb12u4 (Debian 12), smbd.
# Seen on 2026-11-29, lines of the audit with the account of a good and a refused login:
#
#   smbd -F with     the audit's file   log file   standard output
#   nothing more     2                  0          0
#   --debug-stdout   no file            no file    2
#
# Who is hit: whoever puts a server that is audited into a container: it is started with
# --debug-stdout there, and the shipper of the audit's file has nothing to ship. Standard
# output is often kept for days, an audit for years.
#
# How Rollcall copes: evidence reads the objects of the audit out of whichever file they are
# in, among what else the server says, so it can be given the container's log.
#
# 2026-11-29
set -euo pipefail

fail() { echo "$*" >&2; exit 1; }
installed() { dpkg-query -W -f '${Status} ${Version}\n' "$1" 2>/dev/null | sed -n 's/^install ok installed //p'; }
for package in samba samba-common-bin iproute2; do
  [[ -n $(installed $package) ]] || fail "the Debian 12 package $package is missing: apt-get install --no-install-recommends $package"
done
known=2:4.17.12+dfsg-0+deb12u4
[[ $(installed samba) == "$known" ]] || echo "note: seen with samba $known, here it is $(installed samba)"
[[ $EUID == 0 ]] || fail "smbd must be started by root"
# net(8) knows port 445 alone: a network of our own, in which nobody has it.
[[ ${1:-} == inside ]] || exec unshare --net -- "$BASH" "$0" inside
ip link set lo up

dir=$(mktemp -d)
server=
stop() { if [[ -n $server ]]; then kill "$server" 2>/dev/null || true; wait "$server" || true; server=; fi; }
trap 'stop; rm -rf "$dir"' EXIT

mkdir "$dir"/{private,lock,state,cache,pid,nc}
cat >"$dir/smb.conf" <<END
[global]
server role = standalone server
netbios name = HERE
disable netbios = yes
smb ports = 445
interfaces = lo
bind interfaces only = yes
passdb backend = tdbsam:$dir/private/passdb.tdb
private dir = $dir/private
lock directory = $dir/lock
state directory = $dir/state
cache directory = $dir/cache
pid directory = $dir/pid
ncalrpc dir = $dir/nc
log file = $dir/log
log level = 1 auth_json_audit:3@$dir/audit
load printers = no
printcap name = /dev/null
disable spoolss = yes
rpc start on demand helpers = no
END
export TDB_NO_FSYNC=1
# An account that every machine has, with a password of its own in our folder.
user=daemon
printf 'secret\nsecret\n' | pdbedit -s "$dir/smb.conf" -a -t -u $user >"$dir/pdbedit" 2>&1 || fail "$(cat "$dir/pdbedit")"

audits() { # FILE: how many logins of our account are in it
  [[ -e $1 ]] || { echo "no file"; return; }
  grep -c '{"timestamp": .*"type": "Authentication", .*"clientAccount": "'$user'"' "$1" || true
}
login() { # PASSWORD: what it is used for after the login does not matter
  net rpc share list -s "$dir/smb.conf" -S 127.0.0.1 -U "$user%$1" >/dev/null 2>&1 || true
}

row='%-17s%-19s%-11s%s\n'
printf "$row" "smbd -F with" "the audit's file" "log file" "standard output"
seen=
for option in "" --debug-stdout; do
  rm -f "$dir/audit" "$dir/log"
  # It ends its process group, so it has one of its own.
  setsid /usr/sbin/smbd -s "$dir/smb.conf" -F --no-process-group $option >"$dir/out" 2>"$dir/err" &
  server=$!
  for _ in {1..300}; do
    (exec 3<>/dev/tcp/127.0.0.1/445) 2>/dev/null && break
    kill -0 "$server" 2>/dev/null || fail "smbd did not start: $(tail -3 "$dir/out" "$dir/err")"
    sleep 0.1
  done
  login secret
  login wrong
  stop
  audit=$(audits "$dir/audit") log=$(audits "$dir/log") out=$(audits "$dir/out")
  printf "$row" "${option:-nothing more}" "$audit" "$log" "$out"
  seen+="$audit, $log, $out; "
done
[[ $seen == "2, 0, 0; no file, no file, 2; " ]] || fail "this is not what was seen before"
echo "as on 2026-11-29: with --debug-stdout the audit's own file is not written"
