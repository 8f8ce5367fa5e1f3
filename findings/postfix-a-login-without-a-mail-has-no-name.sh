#!/bin/bash
# Postfix: who logs in to the submission port and leaves no mail has no name in the log; whoever
# is refused has one.
#
# What is surprising: a wrong password is written, with the name that was tried. A
# right one is not written at all: its name stands behind client= in the line of the first
# recipient that is taken, with the mail's queue id. A login without a mail, which is what
# somebody does who only tries whether a stolen password works, leaves one trace, the count
# auth=1 when the connection ends; so does a login of which every recipient is refused, where
# NOQUEUE: reject names everybody but the one who logged in.
#
# Version: postfix 3.7.11-0+deb12u1 (Debian 12), smtpd_sasl_type cyrus.
# Seen on 2026-11-29:
#
#   the client                            login's name in the log   the end of the connection
#   wrong password                        yes                       auth=0/1
#   right password, no mail               no                        auth=1
#   right password, a refused recipient   no                        auth=1
#   right password, a recipient taken     yes                       auth=1
#
# Who is hit: whoever searches the relay's log for the name of a stolen account and finds
# refused tries, but no login; and every rule that raises an alarm at logins from a new
# address by sasl_username.
#
# How Rollcall copes: evidence counts such a connection as a login of nobody's name
# (let-in-unnamed) and says that the name is in the log of what checked the password.
#
# 2026-11-29
set -euo pipefail

fail() { echo "$*" >&2; exit 1; }
installed() { dpkg-query -W -f '${Status} ${Version}\n' "$1" 2>/dev/null | sed -n 's/^install ok installed //p'; }
for package in postfix libsasl2-modules libsasl2-modules-db sasl2-bin; do
  [[ -n $(installed $package) ]] || fail "the Debian 12 package $package is missing: apt-get install --no-install-recommends $package"
done
[[ $(installed postfix) == 3.7.11-0+deb12u1 ]] || echo "note: seen with postfix 3.7.11-0+deb12u1, here it is $(installed postfix)"
[[ $EUID == 0 ]] || fail "Postfix must be started by root"

dir=$(mktemp -d)
server=
stop() { if [[ -n $server ]]; then kill "$server" 2>/dev/null || true; wait "$server" || true; fi; rm -rf "$dir"; }
trap stop EXIT

# A port that nobody listens on.
port() {
  local p
  while p=$((20000 + RANDOM % 10000)); (exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null; do :; done
  echo "$p"
}

port=$(port)
log=$dir/postfix.log
chmod 755 "$dir"
mkdir -p "$dir"/{queue/{pid,private,public,incoming},data,sasl}
chown postfix "$dir"/{queue/{private,public,incoming},data}
chmod 700 "$dir"/{queue/{private,incoming},data}
for name in alice bob carol dave; do saslpasswd2 -p -c -f "$dir/sasl/db" -u localhost $name <<<"$name-secret"; done
chown postfix "$dir/sasl/db"
cat >"$dir/sasl/smtpd.conf" <<END
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: $dir/sasl/db
mech_list: PLAIN
END
cat >"$dir/main.cf" <<END
compatibility_level = 3.6
queue_directory = $dir/queue
data_directory = $dir/data
maillog_file = $log
maillog_file_prefixes = $dir
inet_interfaces = loopback-only
inet_protocols = ipv4
myhostname = localhost
mydestination =
alias_maps =
local_recipient_maps =
smtpd_sasl_auth_enable = yes
smtpd_sasl_path = smtpd
cyrus_sasl_config_path = $dir/sasl
smtpd_sasl_local_domain = localhost
smtpd_relay_restrictions = check_recipient_access inline:{nobody@example.org=REJECT}, permit_sasl_authenticated, reject
END
cat >"$dir/master.cf" <<END
127.0.0.1:$port inet n - n - - smtpd -o syslog_name=postfix/submission
anvil unix - - n - 1 anvil
cleanup unix n - n - 0 cleanup
rewrite unix - - n - - trivial-rewrite
postlog unix-dgram n - n - 1 postlogd
END
# -d: in the foreground. It ends its process group, so it has one of its own.
setsid /usr/lib/postfix/sbin/master -d -c "$dir" >"$dir/out" 2>&1 &
server=$!

say() { # COMMAND EXPECTED: sends it, and reads the answer's last line
  local line
  [[ -z $1 ]] || printf '%s\r\n' "$1" >&3
  while IFS= read -t 60 -r line <&3; do [[ $line == ???-* ]] || break; done
  [[ $line == "$2"* ]] || fail "to ${1:-the connection} it says: $line"
}
plain() { printf '\0%s\0%s' "$1" "$2" | base64; }
ended() { grep -c ' disconnect from ' "$log" 2>/dev/null || true; }
seen=
row() { # WHAT NAME COMMAND EXPECTED...: a connection, and what the log has of it
  local what=$1 name=$2 lines before text named=no
  shift 2
  lines=$(wc -l <"$log") before=$(ended)
  exec 3<>"/dev/tcp/127.0.0.1/$port"
  say "" 220
  say "EHLO client.example.org" 250
  while (($#)); do say "$1" "$2"; shift 2; done
  say QUIT 221
  exec 3>&-
  for _ in {1..300}; do (($(ended) > before)) && break; sleep 0.1; done
  text=$(tail -n +$((lines + 1)) "$log")
  ! grep -qw "$name" <<<"$text" || named=yes
  text=$(sed -n 's/.* disconnect from .* \(auth=[0-9/]*\) .*/\1/p' <<<"$text")
  printf '%-38s%-26s%s\n' "$what" $named "$text"
  seen+="$named $text; "
}

for _ in {1..300}; do
  (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
  kill -0 "$server" 2>/dev/null || fail "Postfix did not start: $(tail -3 "$dir/out" "$log")"
  sleep 0.1
done
# That connection is in the log as well.
for _ in {1..300}; do [[ $(ended) == 1 ]] && break; sleep 0.1; done

printf '%-38s%-26s%s\n' "the client" "login's name in the log" "the end of the connection"
row "wrong password" alice "AUTH PLAIN $(plain alice wrong)" 535
row "right password, no mail" bob "AUTH PLAIN $(plain bob bob-secret)" 235
row "right password, a refused recipient" carol "AUTH PLAIN $(plain carol carol-secret)" 235 \
  "MAIL FROM:<sender@example.org>" 250 "RCPT TO:<nobody@example.org>" 554
row "right password, a recipient taken" dave "AUTH PLAIN $(plain dave dave-secret)" 235 \
  "MAIL FROM:<sender@example.org>" 250 "RCPT TO:<other@example.org>" 250

[[ $seen == "yes auth=0/1; no auth=1; no auth=1; yes auth=1; " ]] || fail "this is not what was seen before"
echo "as on 2026-11-29: a login that no mail follows has no name"
