#!/bin/bash
# Vault's Go client: the "404 not found" of a proxy before Vault is read as a secret.
#
# What is surprising: where a gateway has no route to Vault (not set up yet, a host name or
# a path prefix mistyped) it answers 404 with a small JSON object of its own. Logical().Read
# and List give that object back as a secret, with a nil error: the gateway's words lie in
# Data. With an empty body or an empty object the same 404 is nil, nil: "no such secret".
# Only a body that is no JSON is an error, and that one says nothing of 404. Write and
# Delete give an error for all of them; with another status, here 502, reading does so too.
#
# Version: github.com/hashicorp/vault/api v1.23.0. A small server on loopback stands in for
# the gateway; the bodies have the forms that API gateways and web frameworks use.
# Seen on 2026-11-28 (secret, error):
#
#   answer                    Read and List                  Write and Delete
#   404, a message            Data [message], nil            Data [message], 404
#   404, framework's report   Data [error path status], nil  Data [error path status], 404
#   404, empty object         nil, nil                       nil, 404
#   404, empty body           nil, nil                       nil, 404
#   404, web page             nil, an error without 404      nil, an error without 404
#   502, a message            nil, 502                       nil, 502
#
# Who is hit: code that checks the error and for nil, as it should, and then
# takes Data["password"] with a type assertion that may fail: it goes on with an empty
# password, or copies the gateway's words into another store as if they were the secret.
#
# How Rollcall copes: its own mount must first answer with the settings of KV version 2;
# for any other path it asks for the mount, and the answer must name one above that path;
# a secret must bring the number of its version. The gateway's words have none of these,
# so the run stops before it changes anything.
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
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"

	"github.com/hashicorp/vault/api"
)

var answers = []struct {
	name   string
	status int
	body   string
}{
	{"404, a message", 404, `{"message":"no route for this request"}`},
	{"404, framework's report", 404, `{"status":404,"error":"Not Found","path":"/v1/kv/data/app"}`},
	{"404, empty object", 404, `{}`},
	{"404, empty body", 404, ``},
	{"404, web page", 404, `<html><body>Not Found</body></html>`},
	{"502, a message", 502, `{"message":"no answer from the server behind"}`},
}

func main() {
	for _, a := range answers {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(a.status)
			fmt.Fprint(w, a.body)
		}))
		conf := api.DefaultConfig()
		conf.Address, conf.MaxRetries = server.URL, 0
		client, err := api.NewClient(conf)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		client.SetToken("a-token")
		fmt.Print(a.name, ": Read ", say(client.Logical().Read("kv/data/app")))
		fmt.Print("; List ", say(client.Logical().List("kv/metadata")))
		fmt.Print("; Write ", say(client.Logical().Write("kv/data/app", map[string]any{"data": map[string]any{"a": "b"}})))
		fmt.Print("; Delete ", say(client.Logical().Delete("kv/data/app")), "\n")
		server.Close()
	}
}

func say(s *api.Secret, err error) string {
	out := "nil"
	if s != nil {
		out = "Data [" + strings.Join(slices.Sorted(maps.Keys(s.Data)), " ") + "]"
	}
	var answer *api.ResponseError
	switch {
	case err == nil:
		return out + ", nil"
	case errors.As(err, &answer):
		return fmt.Sprintf("%s, %d", out, answer.StatusCode)
	case strings.Contains(err.Error(), "404"):
		return out + ", an error with 404"
	}
	return out + ", an error without 404"
}
END

go mod init example.org/finding >go.out 2>&1 && go get github.com/hashicorp/vault/api@v1.23.0 >>go.out 2>&1 || { cat go.out >&2; exit 1; }
go run . | tee seen

diff - seen <<'END' || { echo "changed: the lines with < were seen on 2026-11-28" >&2; exit 1; }
404, a message: Read Data [message], nil; List Data [message], nil; Write Data [message], 404; Delete Data [message], 404
404, framework's report: Read Data [error path status], nil; List Data [error path status], nil; Write Data [error path status], 404; Delete Data [error path status], 404
404, empty object: Read nil, nil; List nil, nil; Write nil, 404; Delete nil, 404
404, empty body: Read nil, nil; List nil, nil; Write nil, 404; Delete nil, 404
404, web page: Read nil, an error without 404; List nil, an error without 404; Write nil, an error without 404; Delete nil, an error without 404
502, a message: Read nil, 502; List nil, 502; Write nil, 502; Delete nil, 502
END
echo "as on 2026-11-28: the words of a proxy that has no route to Vault are read as a secret"
