#!/bin/bash
# OpenLDAP: whether a new password must be changed at the next login depends on the right by
# which it was set, not on who set it or on the policy alone.
#
# What is surprising: pwdMustChange is "users must change their passwords when they first
# bind after a password is set or reset by a password administrator" (slapo-ppolicy(5)). For
# slapd that is whoever has *manage* on userPassword. A help desk that has *write* resets the
# password of another account, and the entry is not marked (no pwdReset): the owner goes on
# with what the help desk knows. The same person with manage marks it, and so does the rootdn,
# with the very same request. A script that resets a service's password works under write and
# cuts the service off under manage, and the other way round for who counts on the change.
#
# Version: slapd 2.5.13+dfsg-5 (Debian 12).
# Seen on 2026-11-28, under pwdMustChange: TRUE, each by a Password Modify request (RFC 3062):
#
#   who resets      right on userPassword   pwdReset   the new password at the next login
#   help desk       write                   -          lets in
#   help desk       manage                  TRUE       may do nothing until it is changed
#   rootdn          (all)                   TRUE       may do nothing until it is changed
#
# Who is hit: whoever gives least rights, as one should, and relies on pwdMustChange; and
# whoever adds manage for another purpose (manage is also what lets a reset pass the quality
# check), and so locks services out that nobody logs in to by hand.
#
# How Rollcall copes: it reads the policy before it sets anything, stops at an account that
# would be marked (reason forced-change), and says where write and not manage marks nothing.
#
# 2026-11-28
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
helpdesk=uid=helpdesk,$base

start() { # RIGHT of the help desk: a new slapd with the same accounts, on a socket in our folder
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
access to attrs=userPassword by dn.exact="$helpdesk" $1 by anonymous auth by self write by * none
access to * by users read by * none
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
pwdMustChange: TRUE

dn: $alice
objectClass: inetOrgPerson
uid: alice
cn: Alice
sn: Example
userPassword: alice-secret

dn: $helpdesk
objectClass: inetOrgPerson
uid: helpdesk
cn: Help Desk
sn: Desk
userPassword: helpdesk-secret
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

wrong=0
row() { # who, DN, password, right, pwdReset, what the new password does
  start "$4"
  ldappasswd -x -H "$uri" -D "$2" -w "$3" -s new-secret "$alice" >/dev/null || fail "$1 with $4 may not reset it"
  local mark does
  mark=$(ldapsearch -LLL -x -H "$uri" -D "$admin" -w admin-secret -b "$alice" -s base '(objectClass=*)' pwdReset | sed -n 's/^pwdReset: //p')
  does="lets in"
  ldapsearch -LLL -x -H "$uri" -D "$alice" -w new-secret -b "$alice" -s base '(objectClass=*)' cn >/dev/null 2>&1 || does="may do nothing"
  ldapwhoami -x -H "$uri" -D "$alice" -w new-secret >/dev/null 2>&1 || [[ $does != "lets in" ]] || does="is refused"
  printf '%-16s%-8s%-6s%s\n' "$1" "$4" "${mark:--}" "$does"
  [[ ${mark:--} == "$5" && $does == "$6" ]] || wrong=1
  stop
}
row "help desk" "$helpdesk" helpdesk-secret write - "lets in"
row "help desk" "$helpdesk" helpdesk-secret manage TRUE "may do nothing"
row rootdn "$admin" admin-secret write TRUE "may do nothing"
[[ $wrong == 0 ]] || fail "this is not what the head of the script says"
echo "as on 2026-11-28: a reset by write leaves no mark, and the same one by manage does"
