#!/bin/bash
# Vault's Go client: a rate limit ends as "context deadline exceeded", and nothing says 429.
#
# What is surprising: the client's Timeout (60 s, VAULT_CLIENT_TIMEOUT) is not for one try but
# for all tries of a request and the waits between them. After a 429 it waits as long as
# Retry-After asks, even if that is longer than the time left, and without a cap
# (MaxRetryWait, 1.5 s, does not count then). So a quota with an interval of more than a
# minute, and Vault's rate limit headers on, turns each refusal, which came within
# milliseconds, into a minute of silence and an error like that of a dead network. Vault's
# words (rate limit quota exceeded) are dropped: neither errors.As to *api.ResponseError
# nor the text has them, and a request that surely was not carried out looks like one whose
# answer was lost. Without Retry-After the same refusals end in an error with 429 and the
# words, if all the waits fit into the time.
#
# Version: github.com/hashicorp/vault/api v1.23.0. A small server on loopback stands in for
# Vault; its answer is that of Vault 1.21.0 with a quota of rate 1, interval 5m and
# enable_rate_limit_response_headers=true on the same day (Retry-After: 300).
# Seen on 2026-11-28, with Timeout 3 s to be quick (tries = requests that the server saw):
#
#   answer                          tries  ended at    error
#   429, Retry-After: 300           1      the limit   context deadline exceeded, no 429 in it
#   429, no Retry-After, 5 retries  2      the limit   context deadline exceeded, no 429 in it
#   429, no retries                 1      at once     429 rate limit quota exceeded
#   no answer at all                1      the limit   context deadline exceeded
#
# Who is hit: whoever sets a quota and looks for its effect in the logs of the clients: they
# tell of a network or a Vault that hangs. A writer that cares for lost answers goes and
# looks whether its write arrived, which asks Vault even more.
#
# How Rollcall copes: it has a CheckRetry of its own that notes each 429 and does not wait
# where the wait is longer than the time left, so that the 429 is the error that is told
# ("a rate limit of Vault (sys/quotas) turned it away"), as a refusal and not as a lost answer.
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
	"sync/atomic"
	"time"

	"github.com/hashicorp/vault/api"
)

const limit = 3 * time.Second

func main() {
	ask("429, Retry-After: 300", api.DefaultConfig().MaxRetries, func(w http.ResponseWriter, _ *http.Request) { refuse(w, "300") })
	ask("429, no Retry-After, 5 retries", 5, func(w http.ResponseWriter, _ *http.Request) { refuse(w, "") })
	ask("429, no retries", 0, func(w http.ResponseWriter, _ *http.Request) { refuse(w, "") })
	ask("no answer at all", api.DefaultConfig().MaxRetries, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
}

func refuse(w http.ResponseWriter, after string) {
	if after != "" {
		w.Header().Set("Retry-After", after)
	}
	w.WriteHeader(http.StatusTooManyRequests)
	fmt.Fprint(w, `{"errors":["request path \"kv/data/app\": rate limit quota exceeded"]}`)
}

func ask(name string, retries int, answer http.HandlerFunc) {
	var tries atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tries.Add(1)
		answer(w, r)
	}))
	defer server.Close()
	conf := api.DefaultConfig()
	conf.Address, conf.Timeout, conf.MaxRetries = server.URL, limit, retries
	client, err := api.NewClient(conf)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	client.SetToken("a-token")
	began := time.Now()
	_, err = client.Logical().Read("kv/data/app")
	ended := "at once"
	if took := time.Since(began); took > limit-limit/10 {
		ended = "at the limit"
	} else if took > limit/3 {
		ended = "in between"
	}
	said := "no word of 429"
	var refused *api.ResponseError
	if errors.As(err, &refused) || strings.Contains(err.Error(), "429") || strings.Contains(err.Error(), "quota") {
		said = "429 and quota"
	}
	n := fmt.Sprint(tries.Load())
	if tries.Load() > 1 {
		n = "several" // how many is by chance: the waits have jitter
	}
	fmt.Printf("%s: tries %s, ended %s, deadline exceeded %t, %s\n", name, n, ended, errors.Is(err, context.DeadlineExceeded), said)
	fmt.Fprintf(os.Stderr, "  tries %d, error: %s\n", tries.Load(), strings.ReplaceAll(strings.ReplaceAll(err.Error(), server.URL, "http://SERVER"), "\n", " "))
}
END

go mod init example.org/finding >go.out 2>&1 && go get github.com/hashicorp/vault/api@v1.23.0 >>go.out 2>&1 || { cat go.out >&2; exit 1; }
go run . | tee seen

diff - seen <<'END' || { echo "changed: the lines with < were seen on 2026-11-28" >&2; exit 1; }
429, Retry-After: 300: tries 1, ended at the limit, deadline exceeded true, no word of 429
429, no Retry-After, 5 retries: tries several, ended at the limit, deadline exceeded true, no word of 429
429, no retries: tries 1, ended at once, deadline exceeded false, 429 and quota
no answer at all: tries 1, ended at the limit, deadline exceeded true, no word of 429
END
echo "as on 2026-11-28: a refusal by a quota reads like no answer at all"
