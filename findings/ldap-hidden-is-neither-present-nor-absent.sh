#!/bin/bash
# OpenLDAP, 389 Directory Server: a NOT in a search filter finds nobody where the asker may
# not search the attribute, and the answer is a success.
#
# What is surprising: who may not search an attribute finds nobody by "has it", which is no
# wonder, and nobody by "has it not" either: (!(userPassword=*)), (!(employeeType=leaver)).
# A part of a filter that may not be judged is Undefined, NOT of it is Undefined again, and
# Undefined is no match (RFC 4511, 4.5.1.7). No error, no referral, no diagnostic message:
# result 0 and no entry, as when all is well. The same happens with an attribute that the
# server's schema does not know, such as Active Directory's userAccountControl, with every
# right. Only in an OR do the others come back.
#
# Versions: slapd 2.5.13+dfsg-5 and 389-ds-base 2.3.1+dfsg1-1+deb12u1 (Debian 12): the same
# table from both. Four accounts: "has" has a password and employeeType "leaver", "lacks"
# has neither; "finder" may search both attributes, "reader" may not; both have passwords.
# Seen on 2026-11-28, for each of the two servers (filter inside (&(objectClass=person)...)):
#
#   filter                                     asked by finder        asked by reader
#   (userPassword=*)                           finder has reader      nobody
#   (!(userPassword=*))                        lacks                  nobody
#   (!(employeeType=leaver))                   finder lacks reader    nobody
#   (|(uid=has)(!(employeeType=leaver)))       finder has lacks reader  has
#   (!(userAccountControl=514))                nobody                 nobody
#
# Who is hit: a report "accounts without a password" is empty and looks like good news; a
# login filter "everybody but the leavers" locks everybody out when an access rule is made
# stricter, and the application says "unknown user"; a sync with such a filter may take
# everybody for deleted.
#
# How Rollcall copes: it asks both ways round. What matches (!(userPassword=*)) has none for
# certain, what matches (userPassword=*) has one, and what matches neither is hidden: that
# is a warning with the number of the accounts and the right that is missing.
#
# 2026-11-28
set -euo pipefail

fail() { echo "$*" >&2; exit 1; }
installed() { dpkg-query -W -f '${Status} ${Version}\n' "$1" 2>/dev/null | sed -n 's/^install ok installed //p'; }
while read -r package version; do
  here=$(installed "$package")
  [[ -n $here ]] || fail "the Debian 12 package $package is missing: apt-get install --no-install-recommends $package"
  [[ $here == "$version" ]] || echo "note: seen with $package $version, here it is $here"
done <<END
slapd 2.5.13+dfsg-5
ldap-utils 2.5.13+dfsg-5
389-ds-base 2.3.1+dfsg1-1+deb12u1
END

dir=$(mktemp -d)
server=
stop() { if [[ -n $server ]]; then kill "$server" 2>/dev/null || true; wait "$server" || true; server=; fi; }
# ns-slapd keeps a semaphore that is named like its folder, until it ends in order.
trap 'stop; rm -rf "$dir" "/dev/shm/sem.$(basename "$dir/389").stats"' EXIT

base=dc=example,dc=org
accounts() {
  cat <<END
dn: uid=has,$base
objectClass: inetOrgPerson
uid: has
cn: Has
sn: Has
userPassword: has-secret
employeeType: leaver

dn: uid=lacks,$base
objectClass: inetOrgPerson
uid: lacks
cn: Lacks
sn: Lacks

dn: uid=finder,$base
objectClass: inetOrgPerson
uid: finder
cn: Finder
sn: Finder
userPassword: finder-secret

dn: uid=reader,$base
objectClass: inetOrgPerson
uid: reader
cn: Reader
sn: Reader
userPassword: reader-secret
END
}

url() { echo "ldapi://$(sed 's,/,%2F,g' <<<"$1")"; } # a socket in our folder

ready() {
  for _ in {1..200}; do
    ldapsearch -x -H "$uri" -b '' -s base >/dev/null 2>&1 && return
    kill -0 "$server" 2>/dev/null || fail "$1 ended at its start"
    sleep 0.1
  done
  fail "$1 did not start"
}

start_slapd() {
  mkdir "$dir/slapd"
  cat >"$dir/slapd.conf" <<END
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
suffix "$base"
directory $dir/slapd
access to attrs=userPassword,employeeType
  by dn.exact="uid=finder,$base" search
  by anonymous auth
  by * none
access to *
  by users read
  by * none
END
  { printf 'dn: %s\nobjectClass: dcObject\nobjectClass: organization\no: example\ndc: example\n\n' "$base"; accounts; } |
    /usr/sbin/slapadd -f "$dir/slapd.conf"
  uri=$(url "$dir/slapd.socket")
  /usr/sbin/slapd -d 0 -f "$dir/slapd.conf" -h "$uri" &
  server=$!
  ready slapd
}

# An instance from the package's templates, as dscreate(8) makes it, but in our folder.
start_389() {
  local at=$dir/389 templates=/usr/share/dirsrv/data password
  mkdir -p "$at"/{bak,cert,db,inst,ldif,lock,log,run,schema,tmp}
  printf 'dn: cn=schema\nobjectClass: top\nobjectClass: ldapSubentry\nobjectClass: subschema\ncn: schema\n' >"$at/schema/99user.ldif"
  password=$(/usr/sbin/slappasswd -h '{SSHA}' -s admin-secret)
  {
    printf '%s\n\n' "$(cat "$templates/template-dse.ldif")" # one empty line between entries, not two
    sed -n '/^dn:/,$p' "$templates/template-suffix-db.ldif"
  } | sed \
    -e "s|%ds_user%|$(id -un)|; s|%fqdn%|localhost|; s|%ds_port%|0|; s|%rootdn%|cn=Directory Manager|" \
    -e "s|%ds_passwd%|$password|; s|%ldapi_enabled%|on|; s|%ldapi%|$dir/389.socket|; s|%ldapi_autobind%|off|" \
    -e "s|%ds_suffix%|$base|g; s|%ds_bename%|userRoot|g; s|%db_lib%|bdb|; s|%config_dir%|$at|g" \
    -e "s|%db_home_dir%|$at/db|g; s|%\([a-z]*\)_dir%|$at/\1|g" |
    sed "s|^nsslapd-directory: $at/db\$|&\nnsslapd-cache-autosize: 0\nnsslapd-dbcachesize: 10000000|" >"$at/dse.ldif"
  uri=$(url "$dir/389.socket")
  /usr/sbin/ns-slapd -d 0 -D "$at" -i "$at/run/pid" &
  server=$!
  ready ns-slapd
  {
    cat <<END
dn: $base
objectClass: domain
dc: example
aci: (targetattr="objectClass || uid || cn || sn")(version 3.0; acl "users"; allow (read, search) userdn="ldap:///all";)
aci: (targetattr="userPassword || employeeType")(version 3.0; acl "finder"; allow (search) userdn="ldap:///uid=finder,$base";)

END
    accounts
  } | ldapadd -x -H "$uri" -D "cn=Directory Manager" -w admin-secret >/dev/null
}

# found WHO FILTER: the accounts in alphabetical order. ldapsearch ends with the result
# code of the server, so anything but a success ends this script.
found() {
  local names
  names=$(ldapsearch -LLL -x -H "$uri" -D "uid=$1,$base" -w "$1-secret" -b "$base" "(&(objectClass=person)$2)" uid) ||
    fail "asked by $1, $2: result $? and not 0"
  names=$(sed -n 's/^uid: //p' <<<"$names" | sort | paste -sd ' ')
  echo "${names:-nobody}"
}

expected="(userPassword=*): finder has reader / nobody
(!(userPassword=*)): lacks / nobody
(!(employeeType=leaver)): finder lacks reader / nobody
(|(uid=has)(!(employeeType=leaver))): finder has lacks reader / has
(!(userAccountControl=514)): nobody / nobody"

for kind in slapd 389; do
  start_$kind
  seen=
  echo "$kind: filter: found by finder / by reader"
  while IFS= read -r line; do
    filter=${line%%: *}
    by_finder=$(found finder "$filter")
    by_reader=$(found reader "$filter")
    seen+="$filter: $by_finder / $by_reader"$'\n'
  done <<<"$expected"
  printf '%s' "$seen" | sed 's/^/  /'
  stop
  [[ $seen == "$expected"$'\n' ]] || fail "changed with $kind: expected"$'\n'"$expected"
done
echo "as on 2026-11-28: who may not search the attribute finds nobody by its absence either"
