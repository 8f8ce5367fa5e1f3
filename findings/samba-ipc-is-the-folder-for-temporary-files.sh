#!/bin/bash
# Samba: IPC$ is the folder for temporary files of whoever started smbd. Where TMPDIR is empty or
# names a folder that is gone, a right password is let in and reaches nothing.
#
# What is surprising: IPC$ is no folder for those who use it, and smb.conf(5) gives it no path.
# smbd gives it one all the same, from the environment in which it was started (TMPDIR, else
# /tmp). A TMPDIR that is set and empty, which programs commonly take as not set, makes every
# tree connect to IPC$ fail with NO_MEMORY; one that names a folder that is not there (a session
# folder that is removed when its owner logs out) makes it BAD_NETWORK_NAME, as if the server
# had no IPC$. The login before it is good, and stands as that in the audit. Which rights the
# folder has does not matter.
#
# Version: samba 2:4.17.12+dfsg-0+deb12u4 (Debian 12), smbd.
# Seen on 2026-11-30, one account with its right password, over SMB; the wrong one is refused
# at the login each time:
#
#   TMPDIR of smbd              login     IPC$
#   not set                     let in    reached
#   a folder of mode 700        let in    reached
#   empty                       let in    NT_STATUS_NO_MEMORY
#   a folder that is not there  let in    NT_STATUS_BAD_NETWORK_NAME
#
# Who is hit: whoever tells by IPC$ whether a login is worth something (listing shares, RPC):
# after a restart by hand in such a shell, right passwords look like those of accounts without
# a right, and the message is about memory, or a share.
#
# How Rollcall copes: a door of type smb calls a session without IPC$ restricted, neither let
# in nor refused, so nothing is called dead by it; its own test servers get TMPDIR=/tmp.
#
# 2026-11-30
set -euo pipefail

fail() { echo "$*" >&2; exit 1; }
installed() { dpkg-query -W -f '${Status} ${Version}\n' "$1" 2>/dev/null | sed -n 's/^install ok installed //p'; }
for package in samba samba-common-bin smbclient iproute2; do
  [[ -n $(installed $package) ]] || fail "the Debian 12 package $package is missing: apt-get install --no-install-recommends $package"
done
known=2:4.17.12+dfsg-0+deb12u4
[[ $(installed samba) == "$known" ]] || echo "note: seen with samba $known, here it is $(installed samba)"
[[ $EUID == 0 ]] || fail "smbd must be started by root"
# A network of our own, in which nobody has port 445.
[[ ${1:-} == inside ]] || exec unshare --net -- "$BASH" "$0" inside
ip link set lo up
unset TMPDIR

dir=$(mktemp -d)
chmod 755 "$dir"
server=
stop() { if [[ -n $server ]]; then kill "$server" 2>/dev/null || true; wait "$server" || true; server=; fi; }
trap 'stop; rm -rf "$dir"' EXIT

mkdir "$dir"/{private,lock,state,cache,pid,nc,own}
chmod 700 "$dir/own"
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
load printers = no
printcap name = /dev/null
disable spoolss = yes
rpc start on demand helpers = no
END
export TDB_NO_FSYNC=1
# An account that every machine has, with a password of its own in our folder.
user=daemon
printf 'secret\nsecret\n' | pdbedit -s "$dir/smb.conf" -a -t -u $user >"$dir/pdbedit" 2>&1 || fail "$(cat "$dir/pdbedit")"

# try [VARIABLE=VALUE]: what the account gets from a server that was started so.
try() {
  # It ends its process group, so it has one of its own.
  setsid env "$@" /usr/sbin/smbd -s "$dir/smb.conf" -F --no-process-group >"$dir/out" 2>&1 &
  server=$!
  for _ in $(seq 300); do
    (exec 3<>/dev/tcp/127.0.0.1/445) 2>/dev/null && break
    kill -0 $server 2>/dev/null || fail "smbd ended: $(cat "$dir/out" "$dir/log")"
    sleep 0.1
  done
  # The wrong password is refused at the login, so that what the right one gets
  # shows that it was let in.
  wrong=$(smbclient -s "$dir/smb.conf" -U "$user%wrong" '//127.0.0.1/IPC$' -c exit 2>&1 || true)
  right=$(smbclient -s "$dir/smb.conf" -U "$user%secret" '//127.0.0.1/IPC$' -c exit 2>&1 && echo reached || true)
  stop
  [[ $wrong == *LOGON_FAILURE* ]] || fail "a wrong password: $wrong"
  case $right in
    *"tree connect failed: "*) echo "${right##*: }" ;;
    *reached) echo reached ;;
    *) fail "the right password: $right" ;;
  esac
}
seen=
for way in UNUSED= "TMPDIR=$dir/own" TMPDIR= "TMPDIR=$dir/gone"; do
  got=$(try "$way")
  printf '%-28s%s\n' "${way/"$dir"/.}" "$got"
  seen+="$got; "
done
[[ $seen == "reached; reached; NT_STATUS_NO_MEMORY; NT_STATUS_BAD_NETWORK_NAME; " ]] || fail "this is not what was seen before"
echo "as on 2026-11-30: IPC\$ is the folder for temporary files of whoever started smbd"
