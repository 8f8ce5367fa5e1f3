#!/bin/bash
# Makes a CA and the certificates of Vault and OpenLDAP, each into a volume of
# its own, once. Whoever holds /ca gets the CA's certificate; its key is not
# kept, so nobody can issue another.
set -euo pipefail
if [[ -e /ca/ca.crt ]]; then
  exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 \
  -subj "/CN=Rollcall example CA" -addext "keyUsage=critical,keyCertSign,cRLSign" \
  -keyout ca.key -out ca.crt 2>/dev/null

issue() { # name of the host, directory, owner of the key
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -subj "/CN=$1" -keyout "$1.key" -out "$1.csr" 2>/dev/null
  openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -days 365 \
    -extfile <(printf 'subjectAltName=DNS:%s,DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth' "$1") \
    -out "$1.crt" 2>/dev/null
  install -o "$3" -g "$3" -m 0444 "$1.crt" "$2/server.crt"
  install -o "$3" -g "$3" -m 0400 "$1.key" "$2/server.key"
}
issue vault /vault-tls 100 # the user of the vault image
issue openldap /ldap-tls openldap
install -m 0444 ca.crt /ca/ca.crt # last: its presence says that all is there
