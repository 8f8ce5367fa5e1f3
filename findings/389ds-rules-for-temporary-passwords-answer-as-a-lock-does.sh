#!/bin/bash
# 389 Directory Server: a temporary password that is not good yet, or not any more, is
# refused with the result code of a locked account, and so is every wrong password.
#
# What is surprising: with passwordMustChange and one of the rules for temporary passwords
# (passwordTPRMaxUse, passwordTPRDelayExpireAt, passwordTPRDelayValidFrom; new with 2.0) the
# password that an administrator has just set answers result 19 (constraintViolation), the
# code that this server gives for a locked account. The account is not locked: it has no
# retry count and no unlock time. The wrong password gets the same code, so neither code nor
# entry tells a client whether the password is the right one: the message alone (TPR
# checking) tells why, and not that.
#
# Version: 389-ds-base 2.3.1+dfsg1-1+deb12u1 (Debian 12).
# Seen on 2026-11-29, under passwordMustChange: on and passwordTPRDelayValidFrom: 600, and
# with passwordLockout off, as it is shipped, so that nothing can lock an account:
#
#   password offered            result   retry count, unlock time of the entry
#   before the reset, right     0        -, -
#   after it, the new one       19       -, -
#   after it, a wrong one       19       -, -
#
# Who is hit: whoever takes 19 for a lock. Such a client waits for a lock that never ends, or
# an administrator unlocks an account that is not locked; a program that resets passwords in
# turn cuts one account off after the other, each of which seems to be somebody's guessing.
#
# How Rollcall copes: where this server says "locked" it looks at the entry. Without a mark of
# a lock the account is restricted, not locked, and says so. Right after a reset that counts
# as "the new value does not work", and nothing more is set at that directory.
#
# 2026-11-29
set -euo pipefail

fail() { echo "$*" >&2; exit 1; }
installed() { dpkg-query -W -f '${Status} ${Version}\n' "$1" 2>/dev/null | sed -n 's/^install ok installed //p'; }
for package in 389-ds-base ldap-utils; do
  [[ -n $(installed $package) ]] || fail "the Debian 12 package $package is missing: apt-get install --no-install-recommends $package"
done
known=2.3.1+dfsg1-1+deb12u1
[[ $(installed 389-ds-base) == "$known" ]] || echo "note: seen with 389-ds-base $known, here it is $(installed 389-ds-base)"

dir=$(mktemp -d)
server=
stop() { if [[ -n $server ]]; then kill "$server" 2>/dev/null || true; wait "$server" || true; fi; rm -rf "$dir"; }
trap stop EXIT

port=$((20000 + RANDOM % 10000))
base=dc=example,dc=org
admin="cn=Directory Manager"
alice=uid=alice,$base
url=ldap://127.0.0.1:$port

# An instance of our own from the package's templates, as dscreate(8) makes one.
folders="bak cert db inst ldif lock log run schema tmp"
for folder in $folders; do mkdir "$dir/$folder"; done
printf 'dn: cn=schema\nobjectClass: top\nobjectClass: ldapSubentry\nobjectClass: subschema\ncn: schema\n' >"$dir/schema/99user.ldif"
values=(-e "s|%ds_user%|$(id -un)|g" -e 's|%fqdn%|localhost|g' -e "s|%ds_port%|$port|g" -e "s|%rootdn%|$admin|g"
  -e "s|%ds_passwd%|$(pwdhash -s SSHA512 admin-secret)|g" -e 's|%ldapi_enabled%|off|g' -e 's|%ldapi_autobind%|off|g' -e 's|%ldapi%|ldapi|g'
  -e "s|%ds_suffix%|$base|g" -e 's|%ds_bename%|userRoot|g' -e 's|%db_lib%|bdb|g' -e "s|%config_dir%|$dir|g"
  -e "s|%db_home_dir%|$dir/db|g")
for folder in $folders; do values+=(-e "s|%${folder}_dir%|$dir/$folder|g"); done
{ sed "${values[@]}" /usr/share/dirsrv/data/template-dse.ldif | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'
  echo
  sed -n '/^dn:/,$p' /usr/share/dirsrv/data/template-suffix-db.ldif | sed "${values[@]}"
} | sed -e '0,/^cn: config$/s//cn: config\nnsslapd-listenhost: 127.0.0.1/' \
        -e "s|^nsslapd-directory: $dir/db\$|&\nnsslapd-cache-autosize: 0\nnsslapd-dbcachesize: 10000000|" >"$dir/dse.ldif"
/usr/sbin/ns-slapd -d 0 -D "$dir" >"$dir/ns-slapd.log" 2>&1 &
server=$!
as_admin=(-x -H "$url" -D "$admin" -w admin-secret)
for try in {1..300}; do
  ldapsearch "${as_admin[@]}" -b '' -s base 1.1 >/dev/null 2>&1 && break
  kill -0 "$server" 2>/dev/null && ((try < 300)) || fail "ns-slapd did not come up: $(tail -3 "$dir/ns-slapd.log")"
  sleep 0.1
done

ldapadd "${as_admin[@]}" >/dev/null <<END
dn: $base
objectClass: domain
dc: example

dn: $alice
objectClass: inetOrgPerson
cn: alice
sn: alice
userPassword: the-first-one
END

offer() { # PASSWORD: the result code of a bind as alice
  local code=0
  ldapwhoami -x -H "$url" -D "$alice" -w "$1" >/dev/null 2>&1 || code=$?
  echo $code
}
marks() { # what alice's entry shows of a lock
  ldapsearch "${as_admin[@]}" -LLL -b "$alice" -s base passwordRetryCount accountUnlockTime | sed -n '/^[ap]/p'
}
saw() { # WHAT EXPECTED ACTUAL
  echo "$1: $3"
  [[ $3 == "$2" ]] || fail "$1: $2 was expected"
}

saw "before the reset, the right one" 0 "$(offer the-first-one)"
ldapmodify "${as_admin[@]}" >/dev/null <<END
dn: cn=config
changetype: modify
replace: passwordMustChange
passwordMustChange: on
-
replace: passwordTPRDelayValidFrom
passwordTPRDelayValidFrom: 600
END
ldapmodify "${as_admin[@]}" >/dev/null <<END
dn: $alice
changetype: modify
replace: userPassword
userPassword: the-second-one
END
saw "after it, the new one" 19 "$(offer the-second-one)"
saw "after it, a wrong one" 19 "$(offer a-wrong-one)"
saw "marks of a lock" "" "$(marks)"
