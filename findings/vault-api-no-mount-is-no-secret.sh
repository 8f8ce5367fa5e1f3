#!/bin/bash
# Vault's Go client: a mount that is not there reads as "no secret at this path", without an
# error.
#
# What is surprising: that Logical().Read gives nil, nil for an absent secret is well known.
# It gives the same for a mount that does not exist (a typo, a wrong VAULT_NAMESPACE, the
# engine disabled) and for a path that the API does not have, and drops Vault's words that
# say so. List does too, and KVv2(mount).Get makes ErrSecretNotFound of all three. Write and
# Delete give the words for the same answers. A path of KV v2 that lacks its "data/" is one
# more thing: a secret that is not nil, with Data nil and the reason in Warnings only, and
# with KVv2.Get an error that is not ErrSecretNotFound.
#
# Version: github.com/hashicorp/vault/api v1.23.0. A small server on loopback stands in for
# Vault; its answers (all with status 404) are those of Vault 1.21.0 on the same day.
# Seen on 2026-11-28:
#
#   answer of Vault        Read and List               KVv2.Get           Write and Delete
#   secret absent          nil, nil                    ErrSecretNotFound  404 without words
#   no such mount          nil, nil                    ErrSecretNotFound  404 no handler for route
#   no such API path       nil, nil                    ErrSecretNotFound  404 unsupported path
#   v2 path without data/  0 data, 1 warning, nil      another error      404 and the warning
#
# Who is hit: code of the kind "not there yet, so make one" or "gone already, so done". With
# one wrong letter in the mount it takes a whole store for empty: it reports a clean-up as
# complete, starts with defaults, or changes a password that it can then keep nowhere.
#
# How Rollcall copes: it asks Vault first which mount serves a path, and stops where none
# does ("no mount that this login can see serves ..."), or one that is not KV version 2.
#
# 2026-11-28
set -euo pipefail

command -v go >/dev/null || { echo "Go is missing (1.26 or later)" >&2; exit 1; }
for name in "${!VAULT_@}"; do unset "$name"; done # the client reads them
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
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/hashicorp/vault/api"
)

// answers are the bodies that come with status 404.
var answers = []struct{ name, body string }{
	{"secret absent", `{"errors":[]}`},
	{"no such mount", `{"errors":["no handler for route \"kvv/data/app\". route entry not found."]}`},
	{"no such API path", `{"errors":["1 error occurred:\n\t* unsupported path\n\n"]}`},
	{"v2 path without data/", `{"data":null,"warnings":["Invalid path for a versioned K/V secrets engine."]}`},
}

func main() {
	for _, a := range answers {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, a.body)
		}))
		conf := api.DefaultConfig()
		conf.Address = server.URL
		client, err := api.NewClient(conf)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		client.SetToken("a-token")
		fmt.Printf("%s:", a.name)
		fmt.Print(" Read ", say(client.Logical().Read("kvv/data/app")))
		fmt.Print("; List ", say(client.Logical().List("kvv/metadata")))
		got := "another error"
		if _, err := client.KVv2("kvv").Get(context.Background(), "app"); errors.Is(err, api.ErrSecretNotFound) {
			got = "ErrSecretNotFound"
		}
		fmt.Print("; KVv2.Get ", got)
		fmt.Print("; Write ", say(client.Logical().Write("kvv/data/app", map[string]any{"data": map[string]any{"a": "b"}})))
		fmt.Print("; Delete ", say(client.Logical().Delete("kvv/data/app")), "\n")
		server.Close()
	}
}

func say(s *api.Secret, err error) string {
	out := "nil"
	if s != nil {
		out = fmt.Sprintf("%d data %d warning", len(s.Data), len(s.Warnings))
	}
	var answer *api.ResponseError
	switch {
	case err == nil:
		return out + ", nil"
	case errors.As(err, &answer):
		return fmt.Sprintf("%s, %d%s", out, answer.StatusCode, words(answer.Errors))
	}
	return out + ", another error"
}

// words is what Vault said, as far as the table above has it.
func words(errs []string) string {
	for _, known := range []string{"no handler for route", "unsupported path"} {
		if strings.Contains(strings.Join(errs, " "), known) {
			return " " + known
		}
	}
	return strings.Join(errs, " ")
}
END

go mod init example.org/finding >go.out 2>&1 && go get github.com/hashicorp/vault/api@v1.23.0 >>go.out 2>&1 || { cat go.out >&2; exit 1; }
go run . | tee seen

diff - seen <<'END' || { echo "changed: the lines with < were seen on 2026-11-28" >&2; exit 1; }
secret absent: Read nil, nil; List nil, nil; KVv2.Get ErrSecretNotFound; Write nil, 404; Delete nil, 404
no such mount: Read nil, nil; List nil, nil; KVv2.Get ErrSecretNotFound; Write nil, 404 no handler for route; Delete nil, 404 no handler for route
no such API path: Read nil, nil; List nil, nil; KVv2.Get ErrSecretNotFound; Write nil, 404 unsupported path; Delete nil, 404 unsupported path
v2 path without data/: Read 0 data 1 warning, nil; List 0 data 1 warning, nil; KVv2.Get another error; Write 0 data 1 warning, 404; Delete 0 data 1 warning, 404
END
echo "as on 2026-11-28: no such mount and no such secret are one answer to a reader"
