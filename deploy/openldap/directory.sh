#!/bin/bash
# Loads the example directory on the first start and serves it.
#
# Its passwords are made here. They lie in /bootstrap, one file for each, named like its path in Vault,
# until the set-up of Vault has taken them in and deleted them.
set -euo pipefail
umask 077
base=dc=example,dc=org

secret() { openssl rand -hex 24 | tr -d '\n'; }
hand_over() { # path in Vault, value
  mkdir -p "/bootstrap/$(dirname "$1")"
  printf %s "$2" >"/bootstrap/$1"
}

if [[ ! -e /var/lib/openldap/data.mdb ]]; then
  {
    cat /etc/rollcall-ldap/base.ldif
    value=$(secret)
    hand_over kv/rollcall-bind/corp "$value"
    printf 'dn: cn=rollcall,ou=services,%s\nobjectClass: applicationProcess\nobjectClass: simpleSecurityObject\ncn: rollcall\nuserPassword: %s\n\n' \
      "$base" "$(slappasswd -T <(printf %s "$value"))"
    for n in 01 02 03 04 05; do
      value=$(secret)
      hand_over "kv/apps/esg-01/svc-$n" "$value"
      printf 'dn: uid=svc-%s,ou=people,%s\nobjectClass: inetOrgPerson\nuid: svc-%s\ncn: svc-%s\nsn: service\ndescription: mail relay on esg-01\nuserPassword: %s\n\n' \
        "$n" "$base" "$n" "$n" "$(slappasswd -T <(printf %s "$value"))"
    done
  } | slapadd -q -f /etc/rollcall-ldap/slapd.conf
fi
mkdir -p /run/slapd
chown -R openldap:openldap /var/lib/openldap /run/slapd
exec slapd -d 0 -u openldap -g openldap -f /etc/rollcall-ldap/slapd.conf -h 'ldaps:///'
