package activities

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"rollcall/internal/credential"
	"rollcall/internal/faultproxy"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// An abort cancels a batch in the middle of any of its calls. What is then left
// open was not kept so by Vault nor by the directory, and nobody must be sent
// there to look.
func TestWhatABatchBreaksOffItselfReadsInterruptedAndNotUnreachable(t *testing.T) {
	o := newOutage(t, 2)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM([]byte(o.slapd.CA)))
	ldap, err := faultproxy.StartLDAP(t.Context(), "127.0.0.1:0", o.slapd.LDAPS(), nil, &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12})
	require.NoError(t, err)
	http, err := faultproxy.StartHTTP(t.Context(), "127.0.0.1:0", o.vault.Address(), nil, nil)
	require.NoError(t, err)
	corp := o.spec.Directories["corp"]
	corp.Servers, corp.Insecure = []string{ldap.URL()}, true
	o.spec.Directories["corp"] = corp
	o.front.URL = http.URL()

	c := o.campaign("esg-01-0", o.vault.RootToken().Reveal(), 0, 2)
	require.NoError(t, c.rotation.Store.CloseCampaign(t.Context(), "esg-01-0"))
	spec, err := json.Marshal(o.spec)
	require.NoError(t, err)
	dead, interrupted := 0, 0
	for at, more := 1, true; more; at++ {
		name := fmt.Sprintf("esg-01-%d", at)
		require.NoError(t, Open(t.Context(), c.rotation.Store, ownmount.CampaignRecord{Campaign: name, Device: "esg-01"}, spec))
		index, err := c.rotation.Store.WriteRoll(t.Context(), &credential.Roll{Campaign: name, Device: "esg-01", Credentials: c.credentials})
		require.NoError(t, err)
		b := wire.Batch{Campaign: name, Snapshot: index.Snapshot, Authority: "corp", Kind: credential.LDAPPassword, Concurrency: 1, Span: credential.Span{To: 2}}
		c.rotation = NewRotation(c.rotation.Store, c.rotation.Kinds)
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		broken := ""
		see := func(r faultproxy.Request) {
			if n++; n == at {
				broken = r.String()
				cancel()
			}
		}
		call := func(name string, in, out any) error {
			var suite testsuite.WorkflowTestSuite
			env := suite.NewTestActivityEnvironment()
			env.SetWorkerOptions(worker.Options{BackgroundActivityContext: ctx})
			env.RegisterActivity(c.rotation)
			got, err := env.ExecuteActivity(name, in)
			if err == nil {
				require.NoError(t, got.Get(out))
			}
			return err
		}
		open := map[int]protocol.Stop{}
		failed := func(err error) bool {
			if err == nil {
				return false
			}
			reason, detail := wire.ReasonFor(err)
			require.Equal(t, protocol.ReasonInterrupted, reason, "at %d, %s: %s", at, broken, detail)
			return true
		}
		ldap.OnRequest(see)
		http.OnRequest(see)
		var prepared []wire.PreparedItem
		var applied []wire.AppliedItem
		if !failed(call("Prepare", wire.PrepareInput{Batch: b, Pass: 1, Items: []int{0, 1}}, &prepared)) {
			in := wire.ApplyInput{Batch: b}
			for _, p := range prepared {
				if p.Stop != nil {
					open[p.Index] = *p.Stop
					continue
				}
				in.Items = append(in.Items, wire.ApplyItem{Index: p.Index, Attempt: p.Attempt, Fresh: p.Fresh})
			}
			if len(in.Items) > 0 && ctx.Err() == nil && !failed(call("Apply", in, &applied)) {
				for _, a := range applied {
					if a.Stop != nil {
						open[a.Index] = *a.Stop
					} else {
						dead++
					}
				}
			}
		}
		more = ctx.Err() != nil
		ldap.OnRequest(nil)
		http.OnRequest(nil)
		cancel()
		for _, s := range open {
			interrupted++
			require.Equal(t, protocol.ReasonInterrupted, s.Reason, "at %d, %s: %s", at, broken, s.Detail)
		}
		if !more {
			require.Empty(t, open)
		}
		// The next one begins anew.
		for _, x := range c.credentials {
			require.NoError(t, c.rotation.Store.Release(t.Context(), x.ID))
		}
		require.NoError(t, c.rotation.Store.CloseCampaign(t.Context(), b.Campaign))
		require.Less(t, at, 200)
	}
	require.NotZero(t, dead)
	require.NotZero(t, interrupted)
}
