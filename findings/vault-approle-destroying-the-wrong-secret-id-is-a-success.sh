#!/bin/bash
# Vault's AppRole: to destroy a secret-id of another role, or one with a line end behind it, is
# answered with success, and the secret-id goes on logging in.
#
# What is surprising: role/NAME/secret-id/destroy looks the text that it is given up among the
# secret-ids of that role, as it stands, and answers a text that it does not find like one that
# it does: 204 ("Success!" by the command line). So the role's name mistyped as that of another
# one, or secret_id=@file with a file that ends in a line end, as most do, destroys nothing. The
# lookup of such a text is no error either, but an empty answer. By the accessor the same
# mistakes are errors. That a delete in Vault says nothing of what was not there is known of
# paths; here the path is right and what is meant to be ended stands in the request.
#
# Version: github.com/hashicorp/vault v1.21.0, the backend itself with storage in memory.
# Seen on 2026-11-30, of a secret-id of the role esg-01:
#
#   call                                        answer              afterwards
#   destroy at esg-02 (another role)            success             in
#   destroy at esg-01, a line end behind it     success             in
#   destroy at esg-01, never issued             success             in
#   lookup at esg-02                            success, no data    in
#   destroy by accessor at esg-02               permission denied   in
#   destroy by accessor, a line end behind it   error               in
#   destroy at esg-03 (no such role)            error               in
#   destroy at ESG-01, as it is                 success             refused
#
# Who is hit: whoever ends a stolen secret-id by a script: it ends with 0, and the thief logs in
# as before.
#
# How Rollcall copes: it believes no answer. It destroys by accessors, and a secret-id is dead
# when a login with it is refused while one with the new value is let in.
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
	"errors"
	"fmt"
	"log"

	"github.com/hashicorp/vault/builtin/credential/approle"
	"github.com/hashicorp/vault/sdk/logical"
)

var (
	ctx   = context.Background()
	store = &logical.InmemStorage{}
)

func main() {
	conf := logical.TestBackendConfig()
	conf.StorageView = store
	b, err := approle.Factory(ctx, conf)
	if err == nil {
		err = b.Initialize(ctx, &logical.InitializationRequest{Storage: store})
	}
	if err != nil {
		log.Fatal(err)
	}
	request := func(op logical.Operation, path string, data map[string]any) (*logical.Response, error) {
		return b.HandleRequest(ctx, &logical.Request{
			Operation: op, Path: path, Data: data, Storage: store, Connection: &logical.Connection{RemoteAddr: "127.0.0.1"},
		})
	}
	must := func(op logical.Operation, path string, data map[string]any) map[string]any {
		got, err := request(op, path, data)
		if err != nil || got.IsError() {
			log.Fatal(path, got, err)
		}
		if got == nil {
			return nil
		}
		return got.Data
	}
	for _, role := range []string{"esg-01", "esg-02"} {
		must(logical.CreateOperation, "role/"+role, map[string]any{"token_policies": "mail"})
	}
	role := must(logical.ReadOperation, "role/esg-01/role-id", nil)["role_id"]
	issued := must(logical.UpdateOperation, "role/esg-01/secret-id", nil)
	secret, accessor := issued["secret_id"].(string), issued["secret_id_accessor"].(string)

	login := func() string {
		got, err := request(logical.UpdateOperation, "login", map[string]any{"role_id": role, "secret_id": secret})
		if err == nil && got != nil && got.Auth != nil {
			return "in"
		}
		return "refused"
	}
	if login() != "in" {
		log.Fatal("the secret-id does not log in to begin with")
	}
	look := func(what, path, field, value string) {
		got, err := request(logical.UpdateOperation, path, map[string]any{field: value})
		answer := "success"
		switch {
		case errors.Is(err, logical.ErrPermissionDenied):
			answer = "permission denied"
		case err != nil || got.IsError():
			answer = "error"
		case what[0] == 'l' && got == nil:
			answer = "success, no data"
		case got != nil:
			answer = fmt.Sprint(got)
		}
		fmt.Printf("%-43s %-19s %s\n", what, answer, login())
	}
	look("destroy at esg-02 (another role)", "role/esg-02/secret-id/destroy", "secret_id", secret)
	look("destroy at esg-01, a line end behind it", "role/esg-01/secret-id/destroy", "secret_id", secret+"\n")
	look("destroy at esg-01, never issued", "role/esg-01/secret-id/destroy", "secret_id", "never-issued")
	look("lookup at esg-02", "role/esg-02/secret-id/lookup", "secret_id", secret)
	look("destroy by accessor at esg-02", "role/esg-02/secret-id-accessor/destroy", "secret_id_accessor", accessor)
	look("destroy by accessor, a line end behind it", "role/esg-01/secret-id-accessor/destroy", "secret_id_accessor", accessor+"\n")
	look("destroy at esg-03 (no such role)", "role/esg-03/secret-id/destroy", "secret_id", secret)
	look("destroy at ESG-01, as it is", "role/ESG-01/secret-id/destroy", "secret_id", secret)
}
END

go mod init example.org/finding >go.out 2>&1 && go get github.com/hashicorp/vault@v1.21.0 >>go.out 2>&1 || { cat go.out >&2; exit 1; }
go run . | tee seen

diff - seen <<'END' || { echo "changed: the lines with < were seen on 2026-11-30" >&2; exit 1; }
destroy at esg-02 (another role)            success             in
destroy at esg-01, a line end behind it     success             in
destroy at esg-01, never issued             success             in
lookup at esg-02                            success, no data    in
destroy by accessor at esg-02               permission denied   in
destroy by accessor, a line end behind it   error               in
destroy at esg-03 (no such role)            error               in
destroy at ESG-01, as it is                 success             refused
END
echo "as on 2026-11-30: destroying a secret-id that the role does not have is a success"
