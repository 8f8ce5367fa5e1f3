#!/bin/bash
# OpenLDAP: an account that was added with its password has no time of its last password
# change, unless the policy lets passwords age; and what was added is kept as it was sent.
#
# What is surprising: pwdChangedTime "specifies the last time the entry's password was
# changed" (slapo-ppolicy(5)). A password that a modify or a Password Modify request sets
# always gets it, whatever the policy. One that comes with the entry (ldapadd, the usual way
# to make an account) gets it only if the policy has pwdMaxAge or pwdMinAge. So in one
# directory, under one policy, some accounts have the time and others have none, and nothing
# but how they were made tells why. The same add keeps a clear-text password readable
# (ppolicy_hash_cleartext is off as shipped), while the Password Modify request hashes it.
#
# Version: slapd 2.5.13+dfsg-5 (Debian 12).
# Seen on 2026-11-29:
#
#   policy              password came by            pwdChangedTime   kept as
#   pwdMaxFailure: 5    add                         -                clear text
#   pwdMaxFailure: 5    add, then Password Modify   there            {SSHA}
#   pwdMaxAge: 86400    add                         there            clear text
#
# Who is hit: whoever takes "no pwdChangedTime" for "never had a password", or reports
# accounts whose password is older than a date and so passes over the oldest of all; and
# whoever compares that time before and after to see whether somebody changed a password.
#
# How Rollcall copes: an account without the time is told by its whole entry's mark, which
# each wrong login moves as well, so values are offered to it more sparingly; and a value that
# is shown as it was written is a warning of the listing (stored-as-sent).
#
# 2026-11-29
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

start() { # RULE of the policy: a new slapd, on a socket in our folder
  rm -rf "$dir/db" && mkdir "$dir/db"
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
overlay ppolicy
ppolicy_default "cn=policy,$base"
END
  /usr/sbin/slapadd -f "$dir/slapd.conf" <<END
dn: $base
objectClass: dcObject
objectClass: organization
o: example
dc: example

dn: cn=policy,$base
objectClass: applicationProcess
objectClass: pwdPolicy
cn: policy
pwdAttribute: userPassword
$1
END
  uri=ldapi://$(sed 's,/,%2F,g' <<<"$dir/socket")
  /usr/sbin/slapd -d 0 -f "$dir/slapd.conf" -h "$uri" &
  server=$!
  for _ in {1..100}; do
    ldapsearch -x -H "$uri" -b '' -s base >/dev/null 2>&1 && return
    sleep 0.1
  done
  fail "slapd did not start"
}

shown() { ldapsearch -LLL -o ldif-wrap=no -x -H "$uri" -D "$admin" -w admin-secret -b "$alice" -s base '(objectClass=*)' "$1"; }

wrong=0
row() { # rule, what is done after the add, pwdChangedTime, kept as
  start "$1"
  ldapadd -x -H "$uri" -D "$admin" -w admin-secret >/dev/null <<END || fail "no add"
dn: $alice
objectClass: inetOrgPerson
uid: alice
cn: Alice
sn: Example
userPassword: alice-secret
END
  if [[ $2 == reset ]]; then
    ldappasswd -x -H "$uri" -D "$admin" -w admin-secret -s new-secret "$alice" >/dev/null || fail "no reset"
  fi
  local time kept
  time=$(shown pwdChangedTime | grep -q '^pwdChangedTime: ' && echo there || echo -)
  kept=$(shown userPassword | sed -n 's/^userPassword:: //p' | base64 -d)
  case $kept in {SSHA}*) kept={SSHA} ;; alice-secret) kept="clear text" ;; esac
  printf '%-20s%-8s%-8s%s\n' "$1" "$2" "$time" "$kept"
  [[ $time == "$3" && $kept == "$4" ]] || wrong=1
  stop
}
row "pwdMaxFailure: 5" - - "clear text"
row "pwdMaxFailure: 5" reset there "{SSHA}"
row "pwdMaxAge: 86400" - there "clear text"
[[ $wrong == 0 ]] || fail "this is not what the head of the script says"
echo "as on 2026-11-29: without ageing, a password that came with its entry has no time of change"
