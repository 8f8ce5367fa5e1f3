#!/bin/bash
# Dovecot: of two changes of a passwd-file within one second the second is not seen, now or
# later, if someone logged in between them.
#
# What is surprising: a passwd-file needs no reload, each login sees what it holds. Dovecot keeps
# it in memory and looks at the time of the last change in whole seconds and at the size; the
# rest of that time, and that the file is another one (a rename over it), are not compared. A new
# hash is as long as the old one. So if alice's password is changed, someone logs in, and bob's
# is changed, all in one second, Dovecot goes on with what it read between the two: bob's old
# password is good and his new one is refused, for as long as nobody touches the file. "doveadm
# auth cache flush" does not end it, for this is not that cache (auth_cache_size is 0).
#
# Version: dovecot-core 1:2.3.19.1+dfsg1-2.1+deb12u7 (Debian 12).
# Seen on 2026-11-30, for bob (both: two changes in one second, a login of alice between them):
#
#   how the file is written              then                      old   new
#   renamed over it, as long as before   a second later            in    refused
#                                        10 seconds later          in    refused
#                                        doveadm auth cache flush  in    refused
#                                        touch                     -     in
#   written in place, as long            a second later            in    refused
#                                        doveadm reload            -     in
#   renamed over it, a byte longer       a second later            -     in
#   renamed over it, without that login  a second later            -     in
#
# Who is hit: a script that changes one password after the other and tries each at once, as a
# careful one does: its own try is the login between. Of some accounts, by chance, the old
# password stays good. If it is run again it changes the file, and all is well.
#
# How Rollcall copes: it does not write such files; what a person changes there is proved at a
# door of type imap or pop3, which has to refuse the old value and take the new one. The old one
# is offered in later passes as well, and docs/doors.md says what ends it.
#
# 2026-11-30
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
chmod 755 "$dir"
mkdir "$dir/run"
install -d -o dovecot -g dovecot "$dir/mail"

hash() { doveadm pw -s SSHA512 -p "$1"; }
old_alice=$(hash old-alice) new_alice=$(hash new-alice) old_bob=$(hash old-bob) new_bob=$(hash new-bob)
[[ ${#old_bob} == "${#new_bob}" && ${#old_alice} == "${#new_alice}" ]] || fail "hashes are not of one length"

file=$dir/users
text() { printf 'alice:%s::::::\nbob:%s::::::%s\n' "$1" "$2" "${3:-}"; }
renamed() { text "$@" >"$file.new"; chmod 644 "$file.new"; mv "$file.new" "$file"; }
in_place() { text "$@" >"$file"; }
renamed "$old_alice" "$old_bob"

cat >"$dir/dovecot.conf" <<END
base_dir = $dir/run
state_dir = $dir/run
log_path = $dir/log
protocols = imap
listen = 127.0.0.1
ssl = no
mail_location = maildir:$dir/mail/%u
first_valid_uid = 1
passdb {
  driver = passwd-file
  args = $file
}
userdb {
  driver = static
  args = uid=dovecot gid=dovecot home=$dir/mail/%u
}
service imap-login {
  chroot =
  inet_listener imap {
    port = 0
  }
  inet_listener imaps {
    port = 0
  }
}
service anvil {
  chroot =
}
auth_failure_delay = 0
END
do_() { doveadm -c "$dir/dovecot.conf" "$@"; }
/usr/sbin/dovecot -F -c "$dir/dovecot.conf" >"$dir/out" 2>&1 &
server=$!
login() { # NAME PASSWORD: in or refused
  local said
  if said=$(do_ auth test -x service=imap "$1" "$2" 2>&1); then echo in; return; fi
  [[ $said == *'auth failed'* ]] || fail "the login says: $said"
  echo refused
}
for _ in {1..100}; do do_ auth test alice old-alice >"$dir/first" 2>&1 && break; sleep 0.1; done
[[ $(login alice old-alice) == in ]] || fail "dovecot did not start: $(tail -3 "$dir/out" "$dir/log" "$dir/first")"

wrong=0
row() { # how, then, old, new ("-": of no matter)
  local old new
  old=$(login bob old-bob) new=$(login bob new-bob)
  [[ $old == in ]] || old=-
  printf '%-37s%-26s%-6s%s\n' "$1" "$2" "$old" "$new"
  [[ $old == "$3" && $new == "$4" ]] || wrong=1
}
# Two changes in one second, with a login between them or without. Where the machine is
# too slow for that, it begins again.
both() { # how it is written, "login" or "no login", what the second change has more
  local first
  for _ in {1..30}; do
    "$1" "$old_alice" "$old_bob"
    sleep 1.1
    [[ $(login bob old-bob) == in ]] || fail "the old passwords are not good to begin with"
    # It looks once a second at most: the next look is in the next second.
    first=$(date +%s)
    while [[ $(date +%s) == "$first" ]]; do sleep 0.02; done
    "$1" "$new_alice" "$old_bob"
    first=$(stat -c %Y "$file")
    if [[ $2 == login ]]; then [[ $(login alice new-alice) == in ]] || fail "the first change is not seen"; fi
    "$1" "$new_alice" "$new_bob" "${3:-}"
    [[ $(stat -c %Y "$file") == "$first" ]] || continue
    sleep 1.1
    return
  done
  fail "this machine is too slow for two changes in one second"
}

both renamed login
row "renamed over it, as long as before" "a second later" in refused
sleep 9
row "" "10 seconds later" in refused
do_ auth cache flush >"$dir/flush"
row "" "doveadm auth cache flush" in refused
touch "$file"
sleep 1.1
row "" touch - in

both in_place login
row "written in place, as long" "a second later" in refused
do_ reload
for _ in {1..50}; do [[ $(login bob new-bob) != in ]] || break; sleep 0.1; done
row "" "doveadm reload" - in

both renamed login " "
row "renamed over it, a byte longer" "a second later" - in
both renamed "no login"
row "renamed over it, without that login" "a second later" - in

[[ $wrong == 0 ]] || fail "this is not what the head of the script says"
echo "as on 2026-11-30: a second change in one second is not seen, and stays unseen"
