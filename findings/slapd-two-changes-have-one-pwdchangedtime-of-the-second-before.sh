#!/bin/bash
# OpenLDAP: pwdChangedTime may lie a second before the change, and two changes that an
# entryCSN tells apart across the turn of a second have the same one.
#
# What is surprising: both are written by the same change, pwdChangedTime in whole seconds
# and entryCSN with microseconds, so one reads as the other rounded down. They come from
# two clocks. pwdChangedTime is of time(2), which goes on with the kernel's tick (every
# 1 to 10 ms); entryCSN is of gettimeofday(2), which is exact. For some milliseconds
# behind each turn of a second a change is of second N by its entryCSN and of second N-1
# by its pwdChangedTime; and the next change in them has that same pwdChangedTime. So "the
# entry was looked at in a later second than its pwdChangedTime, hence another change of
# the password would have moved pwdChangedTime" is not so. slapo-ppolicy(5) calls it the
# time at which the password was last changed and says nothing of its clock.
#
# Version: slapd 2.5.13+dfsg-5 (Debian 12), Linux 6.18.
# Seen on 2026-11-30, of 15,000 changes in some 4 seconds (32 were so; in another run 41):
#
#   pwdChangedTime   entryCSN
#   20261130162308Z  20261130162309.000389Z   its pwdChangedTime is of the second before
#   20261130162308Z  20261130162309.000939Z   another change, and pwdChangedTime stays
#   20261130162308Z  20261130162309.001053Z   and another
#
# Who is hit: whoever asks by pwdChangedTime whether a password was set again since he
# looked (caches of hashes, incremental exports, tools that rotate), and whoever holds
# pwdChangedTime against times of other clocks, as of logs: the change seems to be from
# before the request that made it.
#
# How Rollcall copes: of two marks with one pwdChangedTime only that one proves that nothing
# was set in between of which the entry was touched two seconds or more behind it; else the
# new value is offered once more (internal/protocol/marks.go).
#
# 2026-11-30
set -euo pipefail

fail() { echo "$*" >&2; exit 1; }
installed() { dpkg-query -W -f '${Status} ${Version}\n' "$1" 2>/dev/null | sed -n 's/^install ok installed //p'; }
for package in slapd ldap-utils; do
  [[ -n $(installed $package) ]] || fail "the Debian 12 package $package is missing: apt-get install --no-install-recommends $package"
done
[[ $(installed slapd) == 2.5.13+dfsg-5 ]] || echo "note: seen with slapd 2.5.13+dfsg-5, here it is $(installed slapd)"

dir=$(mktemp -d)
server=
stop() { if [[ -n $server ]]; then kill "$server" 2>/dev/null || true; wait "$server" || true; server=; fi; }
trap 'stop; rm -rf "$dir"' EXIT

base=dc=example,dc=org
admin=cn=admin,$base
alice=uid=alice,$base
mkdir "$dir/db"
cat >"$dir/slapd.conf" <<END
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload ppolicy
database mdb
suffix "$base"
rootdn "$admin"
rootpw admin-secret
directory $dir/db
dbnosync
overlay ppolicy
END
/usr/sbin/slapadd -f "$dir/slapd.conf" <<END
dn: $base
objectClass: dcObject
objectClass: organization
o: example
dc: example

dn: $alice
objectClass: inetOrgPerson
uid: alice
cn: Alice
sn: A
userPassword: first
END
socket=ldapi://$(echo "$dir/socket" | sed 's|/|%2F|g')
/usr/sbin/slapd -f "$dir/slapd.conf" -h "$socket" -d 0 >"$dir/log" 2>&1 &
server=$!
for _ in {1..300}; do
  ldapsearch -x -H "$socket" -b "$base" -s base 1.1 >/dev/null 2>&1 && break
  sleep 0.1
done

# Changes, one behind the other, each answered with the two times that it has made.
changes() {
  for n in $(seq 15000); do printf 'dn: %s\nchangetype: modify\nreplace: userPassword\nuserPassword: value-%s\n\n' "$alice" "$n"; done
}
for round in 1 2 3; do
  changes | ldapmodify -x -H "$socket" -D "$admin" -w admin-secret -e 'postread=pwdChangedTime,entryCSN' >"$dir/out"
  awk '
    $1 == "pwdChangedTime:" { set = $2 }
    $1 == "entryCSN:" { csn = $2 }
    set != "" && csn != "" {
      changes++
      behind = substr(csn, 1, 14) > substr(set, 1, 14)
      if (behind) { early++; if (shown++ < 4) print set, csn }
      if (set == lastset && lastbehind) same++
      lastset = set; lastbehind = behind; set = csn = ""
    }
    END { printf "%d changes: %d of the second before, %d of them with the time of another such change\n", changes, early, same; exit !(changes == 15000 && early && same) }
  ' "$dir/out" && { echo "as expected"; exit 0; }
done
fail "no change of three rounds had a pwdChangedTime of the second before: the behaviour has changed, or the kernel ticks more often than changes come"
