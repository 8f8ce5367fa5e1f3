#!/bin/bash
# Apache's mod_authnz_ldap: each spelling of a login name keeps a password of its own, and a
# login with the new password takes back that of one spelling alone.
#
# What is surprising: a directory knows alice, ALICE and Alice as one account, so Apache lets
# all of them in. Its cache (mod_ldap, on unless LDAPCacheTTL is 0) has an entry for the text
# that was sent. After the password is changed in the directory, a good login as alice with
# the new one ends what was kept of alice: whoever looks sees the old password refused. As
# ALICE it is still let in, for what is left of ten minutes. The documentation of
# LDAPCacheTTL says how long a login is kept, and nothing of names.
#
# Version: apache2-bin 2.4.71-1~deb12u1, slapd 2.5.13+dfsg-5 (Debian 12).
# Seen on 2026-11-29, after a good login with the new password as alice:
#
#   login as   old password
#   alice      401
#   ALICE      200
#   Alice      200
#
# Who is hit: whoever changes a stolen password and tries the old one once, at the web server,
# as the name is written in the directory. Whoever stole it writes it otherwise.
#
# How Rollcall copes: a door is asked by the usual spellings of a name, each old value after a
# good login (docs/doors.md), and says of the others that they were not asked.
#
# 2026-11-29
set -euo pipefail

fail() { echo "$*" >&2; exit 1; }
installed() { dpkg-query -W -f '${Status} ${Version}\n' "$1" 2>/dev/null | sed -n 's/^install ok installed //p'; }
for package in slapd ldap-utils apache2-bin curl; do
  [[ -n $(installed $package) ]] || fail "the Debian 12 package $package is missing: apt-get install --no-install-recommends $package"
done
[[ $(installed apache2-bin) == 2.4.71-1~deb12u1 ]] || echo "note: seen with apache2-bin 2.4.71-1~deb12u1, here it is $(installed apache2-bin)"

dir=$(mktemp -d)
servers=()
stop() { for pid in "${servers[@]}"; do kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; done; }
trap 'stop; rm -rf "$dir"' EXIT

# A port that nobody listens on.
port() {
  local p
  while p=$((20000 + RANDOM % 10000)); (exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null; do :; done
  echo "$p"
}

base=dc=example,dc=org
admin=cn=admin,$base
ldap=ldap://127.0.0.1:$(port)
http=127.0.0.1:$(port)
mkdir "$dir/db" "$dir/pages"
echo in >"$dir/pages/index.html"
chmod -R a+rX "$dir"
cat >"$dir/slapd.conf" <<END
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
suffix "$base"
rootdn "$admin"
rootpw admin-secret
directory $dir/db
access to attrs=userPassword by anonymous auth by * none
access to * by * read
END
/usr/sbin/slapadd -f "$dir/slapd.conf" <<END
dn: $base
objectClass: dcObject
objectClass: organization
o: example
dc: example

dn: uid=alice,$base
objectClass: inetOrgPerson
uid: alice
cn: Alice
sn: Example
userPassword: old-secret
END
/usr/sbin/slapd -d 0 -f "$dir/slapd.conf" -h "$ldap" &
servers+=($!)

modules=/usr/lib/apache2/modules
{
  for name in mpm_prefork authn_core authz_core authz_user auth_basic ldap authnz_ldap dir; do
    echo "LoadModule ${name}_module $modules/mod_$name.so"
  done
  cat <<END
ServerName localhost
Listen $http
PidFile $dir/apache.pid
ErrorLog $dir/apache.log
DocumentRoot $dir/pages
DirectoryIndex index.html
<Directory $dir/pages>
  AuthType Basic
  AuthName staff
  AuthBasicProvider ldap
  AuthLDAPURL $ldap/$base?uid
  Require valid-user
</Directory>
END
  [[ $EUID != 0 ]] || printf 'User www-data\nGroup www-data\n'
} >"$dir/apache.conf"
# -X: one process.
/usr/sbin/apache2 -X -f "$dir/apache.conf" &
servers+=($!)

login() { curl -s -o /dev/null -w '%{http_code}' -u "$1:$2" "http://$http/"; }
for _ in {1..100}; do
  ldapsearch -x -H "$ldap" -b '' -s base >/dev/null 2>&1 && [[ $(login nobody none || true) == 401 ]] && break
  sleep 0.1
done

names=(alice ALICE Alice)
for name in "${names[@]}"; do
  [[ $(login $name old-secret) == 200 ]] || fail "$name is not let in with the right password"
done
ldappasswd -x -H "$ldap" -D "$admin" -w admin-secret -s new-secret "uid=alice,$base" >/dev/null
[[ $(login alice new-secret) == 200 ]] || fail "alice is not let in with the new password"

printf '%-10s %s\n' 'login as' 'old password'
seen=
for name in "${names[@]}"; do
  answer=$(login $name old-secret)
  printf '%-10s %s\n' $name $answer
  seen+="$answer "
done
[[ $seen == '401 200 200 ' ]] || fail "this is not what was seen before"
