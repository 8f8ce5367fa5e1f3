#!/bin/bash
# OpenLDAP: a login, even a wrong one, overwrites who changed the account last.
#
# What is surprising: with the password policy overlay a wrong password, and the right one
# after it, are changes of the account's entry, made in the name of the database's rootdn.
# With "lastbind on" every right password is one, without the overlay as well. So
# modifiersName, modifyTimestamp and entryCSN say nothing about who changed an account
# and when: anybody who can reach the port and knows a name puts "the administrator, just
# now" there, and the real last change (here: the help desk gave the account another mail
# address) cannot be told from the entry any more. slapo-ppolicy(5) and slapd.conf(5) tell
# of pwdFailureTime and pwdLastSuccess, not of these three.
#
# Version: slapd 2.5.13+dfsg-5 (Debian 12).
# Seen on 2026-11-28 (who = modifiersName, "moved" = modifyTimestamp and entryCSN are later):
#
#   overlay ppolicy            help desk changes mail   moved  uid=helpdesk,dc=example,dc=org
#   overlay ppolicy            wrong password           moved  cn=admin,dc=example,dc=org
#   overlay ppolicy            right one after it       moved  cn=admin,dc=example,dc=org
#   overlay ppolicy            right one again          same   cn=admin,dc=example,dc=org
#   lastbind on, no overlay    help desk changes mail   moved  uid=helpdesk,dc=example,dc=org
#   lastbind on, no overlay    wrong password           same   uid=helpdesk,dc=example,dc=org
#   lastbind on, no overlay    right one after it       moved  cn=admin,dc=example,dc=org
#   lastbind on, no overlay    right one again          moved  cn=admin,dc=example,dc=org
#
# Who is hit: whoever asks the directory "which accounts were changed since" or "who
# changed this one last": alarms on modifyTimestamp go off at logins, an incremental export
# by modifyTimestamp carries the whole staff every morning, and after an incident the trace
# of the thief's change is gone with the owner's next login. The overlay accesslog keeps it.
#
# How Rollcall copes: the setting of a password is told by pwdChangedTime; entryCSN only
# says that something touched the entry, and leads to one more look (docs/protocol.md).
# modifiersName is believed only where it names the account itself: that a login cannot do.
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

# start DATABASE-OPTIONS: a new slapd with the same accounts, on a socket in our folder.
start() {
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
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="$helpdesk" write by users read by * none
$1
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
pwdLockout: TRUE
pwdMaxFailure: 5

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

# entry: "modifyTimestamp entryCSN" in when, modifiersName in who.
entry() {
  local text
  text=$(ldapsearch -LLL -o ldif-wrap=no -x -H "$uri" -D "$admin" -w admin-secret -b "$alice" -s base \
    '(objectClass=*)' modifyTimestamp entryCSN modifiersName)
  when="$(sed -n 's/^modifyTimestamp: //p' <<<"$text") $(sed -n 's/^entryCSN: //p' <<<"$text")"
  who=$(sed -n 's/^modifiersName: //p' <<<"$text")
}

login() { ldapwhoami -x -H "$uri" -D "$alice" -w "$1" >/dev/null 2>&1 || true; }
change() {
  ldapmodify -x -H "$uri" -D "$helpdesk" -w helpdesk-secret >/dev/null <<END
dn: $alice
changetype: modify
replace: mail
mail: alice@example.org
END
}

seen=
# step SET-UP WHAT COMMAND...: prints and notes what the command did to the entry.
step() {
  local setup=$1 what=$2 before moved=same
  sleep 1.1 # modifyTimestamp has whole seconds
  entry; before=$when
  "${@:3}"
  entry
  if [[ ${when% *} != "${before% *}" && ${when#* } != "${before#* }" ]]; then
    moved=moved
  elif [[ $when != "$before" ]]; then
    moved=partly
  fi
  printf '%-26s %-24s %-6s %s\n' "$setup" "$what" $moved "$who"
  seen+="$moved ${who%%,*}; "
}

for setup in "overlay ppolicy" "lastbind on, no overlay"; do
  if [[ $setup == overlay* ]]; then
    start "overlay ppolicy"$'\n'"ppolicy_default \"cn=policy,$base\""
  else
    start "lastbind on"
  fi
  step "$setup" "help desk changes mail" change
  step "$setup" "wrong password" login wrong
  step "$setup" "right one after it" login alice-secret
  step "$setup" "right one again" login alice-secret
  stop
done

expected="moved uid=helpdesk; moved cn=admin; moved cn=admin; same cn=admin; "
expected+="moved uid=helpdesk; same uid=helpdesk; moved cn=admin; moved cn=admin; "
[[ $seen == "$expected" ]] || fail "changed: expected $expected"
echo "as on 2026-11-28: a login puts the rootdn in the place of who changed the account last"
