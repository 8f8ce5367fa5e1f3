#!/bin/bash
# Vault KV v2: a smaller max_versions takes no version away, and on a secret it counts only if
# the mount's own is not larger.
#
# What is surprising: max_versions says how many versions of a secret are kept. After it is made
# smaller, all that were there can be read as before, by number, until somebody writes the
# secret: for a value that nobody changes any more, for good. Set on the mount it is the same,
# for each secret apart. "0" is "as the mount has it" on a secret, so one would think that
# another number goes before the mount's, as it does with cas_required: the larger of the two
# counts. A secret can keep more than its mount says and never fewer. Each of these calls is a
# success, and the metadata show the number that was asked for.
#
# Version: github.com/hashicorp/vault-plugin-secrets-kv v0.25.0, as in Vault 1.21.
# Seen on 2026-11-30, of a secret with six versions:
#
#   mount    secret   that can be read then   after one more write
#   not set  2        1 2 3 4 5 6             6 7
#   2        not set  1 2 3 4 5 6             6 7
#   4        2        1 2 3 4 5 6             4 5 6 7
#   2        4        1 2 3 4 5 6             4 5 6 7
#
# Who is hit: whoever sets max_versions to 1 after a theft, so that no earlier value can be read
# by a stolen token: all of them can. Whoever sets it on one secret of a mount that keeps ten and
# rotates it: the value before is there, and the nine before that.
#
# How Rollcall copes: it does not rely on it. Once a value is dead, the versions that were seen to
# hold it are destroyed by their numbers (docs/protocol.md).
#
# 2026-11-30
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
	"log"
	"strings"
	"time"

	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/sdk/logical"
)

// mount is a KV v2 secrets engine with storage in memory.
type mount struct {
	engine  logical.Backend
	storage logical.Storage
}

func newMount() mount {
	conf := logical.TestBackendConfig()
	conf.StorageView = &logical.InmemStorage{}
	conf.Config = map[string]string{"version": "2"}
	conf.BackendUUID = "finding"
	engine, err := kv.Factory(context.Background(), conf)
	if err != nil {
		log.Fatal(err)
	}
	return mount{engine, conf.StorageView}
}

func (m mount) ask(op logical.Operation, path string, data map[string]any) *logical.Response {
	for try := 0; ; try++ {
		got, err := m.engine.HandleRequest(context.Background(), &logical.Request{Operation: op, Path: path, Data: data, Storage: m.storage})
		if err != nil && strings.HasPrefix(err.Error(), "Upgrading from non-versioned") && try < 500 {
			time.Sleep(20 * time.Millisecond) // it begins so
			continue
		}
		if err != nil || got.IsError() {
			log.Fatal(op, path, err, got)
		}
		return got
	}
}

func (m mount) write(n int) {
	m.ask(logical.UpdateOperation, "data/esg", map[string]any{"data": map[string]any{"password": fmt.Sprint("value-", n)}})
}

// readable are the versions whose value is answered.
func (m mount) readable() string {
	var out []string
	for n := 1; n <= 7; n++ {
		got := m.ask(logical.ReadOperation, "data/esg", map[string]any{"version": n})
		if got == nil {
			continue
		}
		if data, _ := got.Data["data"].(map[string]any); data["password"] == fmt.Sprint("value-", n) {
			out = append(out, fmt.Sprint(n))
		}
	}
	return strings.Join(out, " ")
}

func main() {
	for _, row := range []struct{ mount, secret int }{{0, 2}, {2, 0}, {4, 2}, {2, 4}} {
		m := newMount()
		for n := 1; n <= 6; n++ {
			m.write(n)
		}
		name := func(n int) string {
			if n == 0 {
				return "not set"
			}
			return fmt.Sprint(n)
		}
		if row.mount > 0 {
			m.ask(logical.UpdateOperation, "config", map[string]any{"max_versions": row.mount})
		}
		if row.secret > 0 {
			m.ask(logical.UpdateOperation, "metadata/esg", map[string]any{"max_versions": row.secret})
			if shown := fmt.Sprint(m.ask(logical.ReadOperation, "metadata/esg", nil).Data["max_versions"]); shown != fmt.Sprint(row.secret) {
				log.Fatal("the metadata show ", shown)
			}
		}
		before := m.readable()
		m.write(7)
		fmt.Printf("%-9s%-9s%-25s%s\n", name(row.mount), name(row.secret), before, m.readable())
	}
}
END

go mod init example.org/finding >go.out 2>&1 && go get github.com/hashicorp/vault-plugin-secrets-kv@v0.25.0 >>go.out 2>&1 || { cat go.out >&2; exit 1; }
go run . | tee seen

diff - seen <<'END' || { echo "changed: the lines with < were seen on 2026-11-30" >&2; exit 1; }
not set  2        1 2 3 4 5 6              6 7
2        not set  1 2 3 4 5 6              6 7
4        2        1 2 3 4 5 6              4 5 6 7
2        4        1 2 3 4 5 6              4 5 6 7
END
echo "as on 2026-11-30: a smaller max_versions takes nothing away before the next write"
