#!/bin/bash
# Vault's userpass: a new password by another spelling of the name changes nothing, and is
# answered with success.
#
# What is surprising: names are the same in upper and lower case. A login as ALICE is one as
# alice, "users/ALICE" reads and writes the entry of alice, and so does a new user made as
# ALICE. The one call that is there for passwords (users/NAME/password) reads the entry of
# alice, sets the password in it and writes it to "ALICE", where no login ever looks: 204,
# the old password is good, the new one is refused. The stray entry shows in the list of users
# beside the real one, and "users/ALICE" never shows it.
#
# Version: github.com/hashicorp/vault v1.21.0, the backend itself with storage in memory; the
# server answers alike on the same day. Seen on 2026-11-28:
#
#   call                          answer
#   login as ALICE, old password  in
#   users/ALICE/password          success
#   login as alice or ALICE       old password in, new one refused
#   list of users                 ALICE alice
#
# Who is hit: whoever rotates passwords with names as people write them (from a directory, a
# spreadsheet): the rotation is a success, the consumer with the new password is cut off, and
# whoever stole the old one is not.
#
# How Rollcall copes: it writes names in lower case, takes the list of users so too, and
# believes no answer: the old password has to be refused and the new one to log in.
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

	"github.com/hashicorp/vault/builtin/credential/userpass"
	"github.com/hashicorp/vault/sdk/logical"
)

func main() {
	ctx, store := context.Background(), &logical.InmemStorage{}
	conf := logical.TestBackendConfig()
	conf.StorageView = store
	b, err := userpass.Factory(ctx, conf)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	ask := func(op logical.Operation, path string, data map[string]any) *logical.Response {
		got, err := b.HandleRequest(ctx, &logical.Request{Operation: op, Path: path, Data: data, Storage: store, Connection: &logical.Connection{RemoteAddr: "127.0.0.1"}})
		if got == nil && err != nil {
			fmt.Println(path, err)
		}
		return got
	}
	in := func(name, password string) string {
		if got := ask(logical.UpdateOperation, "login/"+name, map[string]any{"password": password}); got != nil && got.Auth != nil {
			return "in"
		}
		return "refused"
	}
	ask(logical.CreateOperation, "users/alice", map[string]any{"password": "old"})
	fmt.Println("login as ALICE, old password:", in("ALICE", "old"))
	answer := "no error"
	if got := ask(logical.UpdateOperation, "users/ALICE/password", map[string]any{"password": "new"}); got != nil {
		answer = fmt.Sprint(got.Error())
	}
	fmt.Println("new password for users/ALICE/password:", answer)
	for _, name := range []string{"alice", "ALICE"} {
		fmt.Printf("login as %s: old %s, new %s\n", name, in(name, "old"), in(name, "new"))
	}
	fmt.Println("users:", ask(logical.ListOperation, "users/", nil).Data["keys"])
}
END

go mod init example.org/finding >go.out 2>&1 && go get github.com/hashicorp/vault@v1.21.0 >>go.out 2>&1 || { cat go.out >&2; exit 1; }
go run . | tee seen

diff - seen <<'END' || { echo "changed: the lines with < were seen on 2026-11-28" >&2; exit 1; }
login as ALICE, old password: in
new password for users/ALICE/password: no error
login as alice: old in, new refused
login as ALICE: old in, new refused
users: [ALICE alice]
END
echo "as on 2026-11-28: a new password for ALICE is a success that leaves alice with the old one"
