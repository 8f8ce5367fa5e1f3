#!/bin/sh
# Initialises Vault once, unseals it at each start, turns its audit log on, and
# takes over the passwords that the example directory made.
#
# The unseal key and the root token stay on the volume "vault-keys": good for a
# trial, wrong for anything else. Unseal your own Vault your own way.
set -eu
umask 077
keys=/keys

initialised() { vault status -format=json 2>/dev/null | grep -q '"initialized": true'; }

if ! initialised; then
  vault operator init -key-shares=1 -key-threshold=1 >"$keys/init.txt"
  sed -n 's/^Unseal Key 1: //p' "$keys/init.txt" | tr -d '\n' >"$keys/unseal-key"
  sed -n 's/^Initial Root Token: //p' "$keys/init.txt" | tr -d '\n' >"$keys/.vault-token"
  rm "$keys/init.txt"
  # rollcall init reads the token as its user's ~/.vault-token.
  chown 65532:65532 "$keys" "$keys/.vault-token"
fi
# From the file to Vault: no key on a command line.
printf '{"key":"%s"}' "$(cat "$keys/unseal-key")" | vault write sys/unseal - >/dev/null

export HOME=$keys
vault audit list 2>/dev/null | grep -q '^file/' || vault audit enable file file_path=/vault/logs/audit.log
vault secrets list | grep -q '^kv/' || vault secrets enable -path=kv -version=2 kv
vault auth list | grep -q '^approle/' || vault auth enable approle

# A new KV v2 mount refuses writes until it has set itself up.
until vault kv put kv/ready ready=yes >/dev/null 2>&1; do sleep 1; done
vault kv metadata delete kv/ready >/dev/null

cd /bootstrap
find kv -type f 2>/dev/null | while read -r file; do
  vault kv put "$file" password=@"$file" >/dev/null
  case $file in
    kv/apps/*) vault kv metadata put -custom-metadata=directory=corp -custom-metadata=account="${file##*/}" "$file" >/dev/null ;;
  esac
  rm "$file"
done
