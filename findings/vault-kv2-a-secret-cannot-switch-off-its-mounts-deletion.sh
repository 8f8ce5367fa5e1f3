#!/bin/bash
# Vault KV v2: a secret cannot switch off the deletion that its mount has set, and -1s on the
# mount switches it off for every secret, its own setting too.
#
# What is surprising: delete_version_after is a setting of the mount and of each secret, and
# one would think that the secret's own goes before the mount's, as cas_required and
# max_versions suggest. It may only make the time shorter: a longer one is cut to the mount's,
# and 0s, which is "off" on the mount, means "as the mount has it" on a secret. A negative
# value is refused on a secret. On the mount it is taken, and switches it off for all: a
# secret that asks for an hour is kept for ever then.
#
# Version: github.com/hashicorp/vault-plugin-secrets-kv v0.25.0, as in Vault 1.21.
# Seen on 2026-11-28, of a version that was written under both settings:
#
#   mount    secret   the version is
#   not set  1h       deleted after an hour
#   1h       not set  deleted after an hour
#   1h       0s       deleted after an hour
#   1h       30m      deleted after half an hour
#   1h       24h      deleted after an hour
#   1h       -1s      (refused: cannot be negative)
#   -1s      1h       kept
#
# Who is hit: whoever writes a key there that nothing else holds, and has set 0s on the secret
# to be safe: it is gone after the mount's time. And whoever relies on an expiry that he has
# set on a secret, on a mount that a colleague has set to -1s.
#
# How Rollcall copes: it reads both settings before anything is set, and refuses a place that
# would delete the new value by itself (reason deletes-itself).
#
# 2026-11-28
set -euo pipefail

command -v go >/dev/null || { echo "Go is missing (1.26 or later)" >&2; exit 1; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export GOWORK=off GOFLAGS=-mod=mod

cat >main.go <<'END'
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/sdk/logical"
)

// kept says what becomes of a version that is written with those settings.
func kept(mount, secret string) string {
	ctx, store := context.Background(), &logical.InmemStorage{}
	conf := logical.TestBackendConfig()
	conf.StorageView, conf.BackendUUID = store, "finding"
	b, err := kv.VersionedKVFactory(ctx, conf)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	ask := func(path string, data map[string]any) (got *logical.Response) {
		for range 100 { // it upgrades its storage for a moment
			got, err = b.HandleRequest(ctx, &logical.Request{Operation: logical.UpdateOperation, Path: path, Data: data, Storage: store})
			if err == nil && (!got.IsError() || !strings.Contains(got.Error().Error(), "pgrad")) {
				return got
			}
			time.Sleep(20 * time.Millisecond)
		}
		fmt.Fprintln(os.Stderr, path, got, err)
		os.Exit(1)
		return nil
	}
	if mount != "" {
		ask("config", map[string]any{"delete_version_after": mount})
	}
	if secret != "" {
		if got := ask("metadata/x", map[string]any{"delete_version_after": secret}); got.IsError() {
			return "refused: " + got.Error().Error()
		}
	}
	at, _ := ask("data/x", map[string]any{"data": map[string]any{"a": "b"}}).Data["deletion_time"].(string)
	if at == "" {
		return "kept"
	}
	end, err := time.Parse(time.RFC3339Nano, at)
	if err != nil {
		return err.Error()
	}
	return "deleted after " + time.Until(end).Round(time.Minute).String()
}

func main() {
	for _, row := range [][2]string{{"", "1h"}, {"1h", ""}, {"1h", "0s"}, {"1h", "30m"}, {"1h", "24h"}, {"1h", "-1s"}, {"-1s", "1h"}} {
		fmt.Printf("mount %-4q secret %-5q %s\n", row[0], row[1], kept(row[0], row[1]))
	}
}
END

{ go mod init example.org/finding && go get github.com/hashicorp/vault-plugin-secrets-kv@v0.25.0; } >go.out 2>&1 || { cat go.out >&2; exit 1; }
go mod tidy >>go.out 2>&1 || { cat go.out >&2; exit 1; }
go run . | tee seen

diff - seen <<'END' || { echo "changed: the lines with < were seen on 2026-11-28" >&2; exit 1; }
mount ""   secret "1h"  deleted after 1h0m0s
mount "1h" secret ""    deleted after 1h0m0s
mount "1h" secret "0s"  deleted after 1h0m0s
mount "1h" secret "30m" deleted after 30m0s
mount "1h" secret "24h" deleted after 1h0m0s
mount "1h" secret "-1s" refused: Field validation failed: error converting input for field "delete_version_after": cannot provide negative value '-1'
mount "-1s" secret "1h"  kept
END
echo "as on 2026-11-28: 0s on a secret leaves the mount's time, and -1s on the mount ends every secret's"
