#!/bin/bash
# OpenLDAP: an access rule that takes away the right to add values (-a) takes away the right
# to delete them as well, and the other way round.
#
# What is surprising: slapd.access(5) splits write into add (a) and delete (z): w is both, and
# "the - sign removes" a privilege from those that are there. So whoever has =w and then meets
# -a should be left with z. He is left with neither. Given one by one they are apart: =z lets
# him delete and not add, =a lets him add and not delete, and =a then +z is =w.
#
# Version: slapd 2.5.13+dfsg-5 (Debian 12). Seen on 2026-11-30, slapacl(8) on a value that is
# there:
#
#   rule                              add      delete   what slapacl calls it
#   by users =w                       allowed  allowed  =w
#   by users =z                       denied   allowed  =z
#   by users =w continue by users -a  denied   denied   =0
#   by users =w continue by users -z  denied   denied   =0
#   by users write continue by users -a  denied  denied  =rscxd
#   by users =a continue by users +z  allowed  allowed  =w
#
# Who is hit: whoever lets a help desk take values away and not put others there by "write
# continue … -a" (of members, of certificates), and whoever works out from rules who may do
# what: he tells of people who may not.
#
# How Rollcall copes: where it works out who may set passwords, who loses one of the two has
# neither (internal/directory/ldapacl). The rules of a random draw are held against slapacl's
# word in its test, which found this.
#
# 2026-11-30
set -euo pipefail

fail() { echo "$*" >&2; exit 1; }
installed() { dpkg-query -W -f '${Status} ${Version}\n' "$1" 2>/dev/null | sed -n 's/^install ok installed //p'; }
[[ -n $(installed slapd) ]] || fail "the Debian 12 package slapd is missing: apt-get install --no-install-recommends slapd"
[[ $(installed slapd) == 2.5.13+dfsg-5 ]] || echo "note: seen with slapd 2.5.13+dfsg-5, here it is $(installed slapd)"

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/db"

rules() { # the bys of the one rule about seeAlso
  cat >"$dir/slapd.conf" <<END
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
database ldif
suffix "dc=example,dc=org"
directory $dir/db
access to attrs=seeAlso $1
END
}

rules "by * read"
/usr/sbin/slapadd -f "$dir/slapd.conf" <<END
dn: dc=example,dc=org
objectClass: domain
dc: example

dn: uid=alice,dc=example,dc=org
objectClass: inetOrgPerson
uid: alice
cn: alice
sn: alice
seeAlso: dc=example,dc=org
END

expect() { # RULES ADD DELETE
  rules "$1"
  local said add delete
  said=$(/usr/sbin/slapacl -f "$dir/slapd.conf" -b uid=alice,dc=example,dc=org -D uid=helpdesk,dc=example,dc=org seeAlso/add seeAlso/delete 2>&1) || true
  add=$(sed -n 's/^add access to seeAlso: //p' <<<"$said")
  delete=$(sed -n 's/^delete access to seeAlso: //p' <<<"$said")
  printf '%-38s add %-8s delete %s\n' "$1" "$add" "$delete"
  [[ $add == "$2" && $delete == "$3" ]] || fail "another answer than on 2026-11-30 (add $2, delete $3): $said"
}

expect "by users =w" ALLOWED ALLOWED
expect "by users =z" DENIED ALLOWED
expect "by users =w continue by users -a" DENIED DENIED
expect "by users =w continue by users -z" DENIED DENIED
expect "by users write continue by users -a" DENIED DENIED
expect "by users =a continue by users +z" ALLOWED ALLOWED
echo "as seen: who loses one of the two has neither"
