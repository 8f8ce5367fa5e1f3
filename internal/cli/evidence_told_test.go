package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/notify"
)

// written is what a program wrote, which goes on writing.
type written struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

func (w *written) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

// watchedCampaign begins the campaign files of what is watched. The result of
// evidence that it names is being made: a watch takes its roll of a ledger.
const watchedCampaign = `device: esg-01
exposure:
  - {from: 2026-11-20, to: 2026-11-23}
containment:
  addresses: [192.0.2.10]
vault:
  mount: rollcall
directories:
  corp:
    driver: openldap
    servers: ["ldaps://ldap1.example.org"]
    base: dc=example,dc=org
    bind: {dn: "cn=rollcall,dc=example,dc=org", password: "kv/rollcall/bind#password"}
sources:
  - {name: accounts, type: directory, directory: corp, filter: "(uid=svc-*)"}
  - {type: evidence, file: evidence-esg-01.json}
`

const watchedFile = watchedCampaign + `ledger:
  dir: %s
notify:
  webhooks:
    - {name: soc, url: %q, secret: "kv/rollcall-notify#soc", ca_file: %q, events: [finding]}
`

// Where nothing is recorded, Vault is needed for a web hook's key alone: while
// it is sealed, findings are shown at once, and the receiver is told when it is
// open again, once.
func TestAFindingOfLogsIsShownWhileVaultIsAwayAndToldByASignedWebHookAfterwards(t *testing.T) {
	const key = "whsec_c2l4dGVlbi1ieXRlcy1vci1tb3JlLW9mLWtleQ=="
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	v, err := lab.StartVault(ctx, lab.VaultOptions{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(v.Kill)
	t.Setenv("HOME", t.TempDir())
	v.UseIn(t, v.RootToken().Reveal())
	require.NoError(t, v.SeedKV(ctx, map[string]map[string]any{"rollcall-notify": {"soc": key}}))
	type told struct {
		id string
		notify.Notice
	}
	heard := make(chan told, 10)
	hook := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		at, _ := strconv.ParseInt(r.Header.Get("webhook-timestamp"), 10, 64)
		signed, err := notify.Sign(credential.NewSecret(key), r.Header.Get("webhook-id"), time.Unix(at, 0), body)
		if err != nil || signed["webhook-signature"] != r.Header.Get("webhook-signature") {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		n := told{id: r.Header.Get("webhook-id")}
		_ = json.Unmarshal(body, &n.Notice)
		if len(n.Findings) > 0 && n.Findings[0].Evidence != nil { // and not that the ledger names no logins
			heard <- n
		}
	}))
	t.Cleanup(hook.Close)
	dir := t.TempDir()
	ca, file := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "esg.yaml")
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: hook.Certificate().Raw}), 0o600))
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, watchedFile, filepath.Join(dir, "ledger"), hook.URL+"/rollcall", ca), 0o600))
	require.NoError(t, smallLedger(filepath.Join(dir, "ledger", "esg-01-20261123T120000Z")))

	require.NoError(t, v.Seal(ctx))
	in, out := io.Pipe()
	var stdout, stderr written
	code := make(chan int, 1)
	go func() {
		code <- Run(ctx, []string{"evidence", "watch", "-f", file, "--no-record", "--state", filepath.Join(dir, "state"), "-"}, Streams{In: in, Out: &stdout, Err: &stderr})
	}()
	for _, text := range []string{"fd=1 ACCEPT from IP=203.0.113.9:5 (IP=192.0.2.2:389)", `op=0 BIND dn="uid=svc-1,dc=example,dc=org" method=128`, "op=0 RESULT tag=97 err=49 text="} {
		_, err := fmt.Fprintf(out, "2026-11-24T10:00:00Z ldap1 slapd[7]: conn=1 %s\n", text)
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { return strings.Contains(stdout.String(), "probable: tried-after-rotation: ") }, 5*time.Minute, 10*time.Millisecond, "%v", &stderr)
	require.Empty(t, heard)
	require.NoError(t, v.Unseal(ctx))
	var first told
	select {
	case n := <-heard:
		first = n
		require.Equal(t, "esg-01-20261123T120000Z", n.Campaign)
		require.Len(t, n.Findings, 1)
		require.Equal(t, "203.0.113.9", n.Findings[0].Evidence.Address)
	case <-ctx.Done():
		require.Fail(t, "nobody was told", stderr.String())
	}
	require.NoError(t, out.Close())
	require.Equal(t, exitExceptions, <-code, stderr.String())
	// It is sent again where its answer did not come in time.
	hook.Close()
	close(heard)
	for again := range heard {
		require.Equal(t, first.id, again.id, "once")
	}
	require.NotContains(t, stdout.String()+stderr.String(), key)
}
