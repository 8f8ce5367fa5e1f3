package activities

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/kind/registry"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/vault/setup"
	"rollcall/internal/vault/setup/setuptest"
	"rollcall/internal/wire"
)

// outage is one Vault and one slapd, on which something happens to Vault when
// it is about to get a certain activation.
type outage struct {
	t      *testing.T
	slapd  *lab.Slapd
	vault  *lab.Vault
	front  *httptest.Server
	spec   *config.Campaign
	admin  *vaultapi.Client
	at     atomic.Int64 // the activation at which it happens, counted down
	event  func()
	writes atomic.Int64 // probes
	turned atomic.Int64 // requests that a quota turned away
}

const (
	outageConnections = 4
	outagePolicy      = "outage-worker"
)

func newOutage(t *testing.T, accounts int) *outage {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	o := &outage{t: t}
	o.slapd, err = lab.StartSlapd(ctx, lab.SlapdOptions{Dir: t.TempDir(), CA: ca, Accounts: lab.SeedAccounts("svc", accounts)})
	require.NoError(t, err)
	t.Cleanup(func() { _ = o.slapd.Stop(context.WithoutCancel(ctx)) })
	o.vault, err = lab.StartVault(ctx, lab.VaultOptions{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(o.vault.Kill)
	o.admin = o.vault.Client()
	to, err := url.Parse(o.vault.Address())
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.ModifyResponse = func(answer *http.Response) error {
		if answer.StatusCode == http.StatusTooManyRequests {
			o.turned.Add(1)
		}
		return nil
	}
	o.front = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && strings.HasPrefix(r.URL.Path, "/v1/kv/data/apps/") && o.at.Add(-1) == 0 {
			o.event()
		}
		if strings.HasSuffix(r.URL.Path, "staging/~probe") {
			o.writes.Add(1)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(o.front.Close)
	o.spec = &config.Campaign{
		Device: "esg-01", Containment: setuptest.Contained, Vault: config.Vault{Mount: "rollcall", Transit: "rollcall-transit", Adopt: "kv/rollcall/{directory}/{account}#password"},
		Limits: config.Limits{Parallel: 4, Concurrency: 16},
		Directories: map[string]config.Directory{"corp": {
			Driver: config.OpenLDAP, Servers: []string{o.slapd.LDAPS()}, Base: o.slapd.BaseDN(), CA: o.slapd.CA, Set: "exop",
			Bind:        config.Bind{DN: o.slapd.BinderDN, Password: credential.Path{Mount: "kv", Path: "bind", Field: "password"}},
			Connections: outageConnections, Timeout: config.Duration(time.Minute), Password: config.PasswordPolicy{Length: 24},
		}},
		Sources: []config.Source{{Name: "apps", Type: config.VaultKV, Prefix: "kv/apps"}},
	}
	o.environment(o.vault.RootToken().Reveal())
	root, err := ownmount.Open(ctx, ownmount.Settings{Mount: "rollcall", Transit: "rollcall-transit"})
	require.NoError(t, err)
	_, err = setup.Run(ctx, root, o.spec, nil)
	require.NoError(t, err)
	require.NoError(t, root.Close())
	_, err = o.admin.Logical().Write("kv/data/bind", map[string]any{"data": map[string]any{"password": o.slapd.BinderPassword}})
	require.NoError(t, err)
	return o
}

func (o *outage) environment(token string) {
	for name, value := range map[string]string{
		"HOME": o.t.TempDir(), "VAULT_ADDR": o.front.URL, "VAULT_TOKEN": token,
		vault.EnvRoleID: "", vault.EnvSecretIDFile: "", "VAULT_CACERT": "", "VAULT_NAMESPACE": "",
	} {
		o.t.Setenv(name, value)
	}
}

// grant writes the policy of the worker's token: what init gives it, or what is
// left of that.
func (o *outage) grant(without string) {
	for _, p := range setup.Policies(o.spec, nil) {
		if p.Name == vault.WorkerPolicy {
			text := p.HCL
			if without != "" {
				require.Contains(o.t, text, without)
				text = strings.ReplaceAll(text, without, strings.ReplaceAll(without, `, "update"`, ""))
			}
			require.NoError(o.t, o.admin.Sys().PutPolicy(outagePolicy, text))
		}
	}
}

func (o *outage) token(in vaultapi.TokenCreateRequest) string {
	in.Policies = []string{outagePolicy}
	got, err := o.admin.Auth().Token().Create(&in)
	require.NoError(o.t, err)
	return got.Auth.ClientToken
}

// campaign is the accounts from one to another, as one campaign in one worker
// process.
type outageCampaign struct {
	*outage
	rotation    *Rotation
	batches     []wire.Batch
	credentials []credential.Credential
	dead        map[string]bool // by id
}

func (o *outage) campaign(name, token string, from, to int) *outageCampaign {
	t := o.t
	c := &outageCampaign{outage: o, dead: map[string]bool{}}
	store := c.worker(token)
	conn, err := o.slapd.AdminConn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	for _, a := range lab.SeedAccounts("svc", to)[from:] {
		found, err := conn.Search(ldap.NewSearchRequest(o.slapd.AccountDN(a.UID), ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", []string{"entryUUID"}, nil))
		require.NoError(t, err)
		uuid := found.Entries[0].GetAttributeValue("entryUUID")
		at := credential.Path{Mount: "kv", Path: "apps/" + a.UID, Field: "password"}
		_, err = o.admin.Logical().Write("kv/data/"+at.Path, map[string]any{"data": map[string]any{"password": o.slapd.SeededPassword(a.UID)}})
		require.NoError(t, err)
		id := "corp/" + uuid
		c.credentials = append(c.credentials, credential.Credential{ID: id, Kind: credential.LDAPPassword, Authority: "corp", Subject: uuid, Name: o.slapd.AccountDN(a.UID), Paths: []credential.Path{at},
			Spare: &credential.Path{Mount: at.Mount, Path: at.Path + "-" + uuid, Field: at.Field}})
	}
	data, err := json.Marshal(o.spec)
	require.NoError(t, err)
	require.NoError(t, Open(t.Context(), store, ownmount.CampaignRecord{Campaign: name, Device: "esg-01"}, data))
	index, err := store.WriteRoll(t.Context(), &credential.Roll{Campaign: name, Device: "esg-01", Credentials: c.credentials})
	require.NoError(t, err)
	c.credentials, err = store.ReadPage(t.Context(), name, index.Snapshot, 0)
	require.NoError(t, err)
	half := len(c.credentials) / 2
	for _, span := range []credential.Span{{To: half}, {From: half, To: len(c.credentials)}} {
		c.batches = append(c.batches, wire.Batch{Campaign: name, Snapshot: index.Snapshot, Authority: "corp", Kind: credential.LDAPPassword, Concurrency: 16, Span: span})
	}
	return c
}

// worker begins another process, with that token.
func (c *outageCampaign) worker(token string) *ownmount.Store {
	t := c.t
	c.environment(token)
	store, err := ownmount.Open(t.Context(), ownmount.Settings{Mount: "rollcall", Transit: "rollcall-transit"})
	require.NoError(t, err)
	t.Cleanup(func() { _ = store.Close() })
	kinds := registry.New(store.Client)
	t.Cleanup(func() { _ = kinds.Close() })
	c.rotation = NewRotation(store, kinds)
	return store
}

func (c *outageCampaign) call(name string, in, out any) {
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(c.rotation)
	got, err := env.ExecuteActivity(name, in)
	require.NoError(c.t, err)
	if out != nil {
		require.NoError(c.t, got.Get(out))
	}
}

// pass takes what is open of both batches through Prepare and Apply at the same
// time, and says by id what keeps a credential open.
func (c *outageCampaign) pass(n int) map[string]protocol.Stop {
	open := map[string]protocol.Stop{}
	var mu sync.Mutex
	var both sync.WaitGroup
	for _, b := range c.batches {
		both.Go(func() {
			var items []int
			for i := b.Span.From; i < b.Span.To; i++ {
				if !c.dead[c.credentials[i].ID] {
					items = append(items, i)
				}
			}
			if len(items) == 0 {
				return
			}
			var prepared []wire.PreparedItem
			c.call("Prepare", wire.PrepareInput{Batch: b, Pass: n, Items: items}, &prepared)
			in := wire.ApplyInput{Batch: b}
			mu.Lock()
			for _, p := range prepared {
				if p.Stop != nil {
					open[c.credentials[p.Index].ID] = *p.Stop
					continue
				}
				in.Items = append(in.Items, wire.ApplyItem{Index: p.Index, Attempt: p.Attempt, Fresh: p.Fresh})
			}
			mu.Unlock()
			if len(in.Items) == 0 {
				return
			}
			var applied []wire.AppliedItem
			c.call("Apply", in, &applied)
			mu.Lock()
			defer mu.Unlock()
			for _, a := range applied {
				if a.Stop != nil {
					open[c.credentials[a.Index].ID] = *a.Stop
				}
			}
		})
	}
	both.Wait()
	for _, x := range c.credentials {
		if _, still := open[x.ID]; !still {
			c.dead[x.ID] = true
		}
	}
	return open
}

// cutOff are those whose consumers read a value that the directory refuses.
func (c *outageCampaign) cutOff() (ids []string) {
	c.t.Helper()
	roots := x509.NewCertPool()
	require.True(c.t, roots.AppendCertsFromPEM([]byte(c.slapd.CA)))
	conn, err := ldap.DialURL(c.slapd.LDAPS(), ldap.DialWithTLSConfig(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}))
	require.NoError(c.t, err)
	defer conn.Close()
	for _, x := range c.credentials {
		got, err := c.admin.Logical().Read("kv/data/" + x.Paths[0].Path)
		require.NoError(c.t, err)
		value := got.Data["data"].(map[string]any)["password"].(string)
		if err := conn.Bind(x.Name, value); err != nil {
			require.True(c.t, ldap.IsErrorWithCode(err, ldap.LDAPResultInvalidCredentials), "%v", err)
			ids = append(ids, x.ID)
		}
	}
	return ids
}

func (c *outageCampaign) reasons(open map[string]protocol.Stop) map[protocol.Reason]int {
	out := map[protocol.Reason]int{}
	for _, s := range open {
		out[s.Reason]++
	}
	return out
}

// However Vault goes away in the middle, nobody else is set after it, and what
// is cut off is what was in hand. When it is back, all come to their end.
func TestNothingIsSetThatVaultDoesNotTake(t *testing.T) {
	const each = 40
	o := newOutage(t, 4*each)
	o.grant("")
	for n, row := range []struct {
		name    string
		event   func(c *outageCampaign) // at the twelfth activation
		mend    func(c *outageCampaign)
		reasons []protocol.Reason // of those that were not set
		says    string            // of those that were
	}{
		{"sealed", func(*outageCampaign) { require.NoError(t, o.vault.Seal(t.Context())) },
			func(*outageCampaign) { require.NoError(t, o.vault.Unseal(t.Context())) },
			[]protocol.Reason{protocol.ReasonVault}, "sealed"},
		{"a right on the live paths is taken away", func(*outageCampaign) {
			o.grant(`path "kv/data/apps/*" { capabilities = ["create", "read", "update"] }`)
		},
			func(*outageCampaign) { o.grant("") },
			[]protocol.Reason{protocol.ReasonVaultRights}, `"create, update"`},
		{"the token is revoked", func(c *outageCampaign) {
			require.NoError(t, o.admin.Auth().Token().RevokeTree(c.rotation.Store.API().Token()))
		}, func(c *outageCampaign) {
			c.worker(o.token(vaultapi.TokenCreateRequest{TTL: "1h"}))
		}, []protocol.Reason{protocol.ReasonVaultLogin}, "log in again"},
		{"the mount is moved away", func(*outageCampaign) {
			require.NoError(t, o.admin.Sys().Remount("kv", "away"))
		}, func(*outageCampaign) {
			require.NoError(t, o.admin.Sys().Remount("away", "kv"))
		}, []protocol.Reason{protocol.ReasonVaultRefuse, protocol.ReasonVault, protocol.ReasonVaultRights}, "the mount"},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := o.campaign(fmt.Sprintf("outage-%d", n), o.token(vaultapi.TokenCreateRequest{TTL: "1h"}), n*each, (n+1)*each)
			o.event = func() { row.event(c) }
			o.at.Store(12)
			open := c.pass(1)
			reasons := c.reasons(open)
			t.Log(reasons)
			cut := reasons[protocol.ReasonNotActive]
			require.Positive(t, cut)
			require.LessOrEqual(t, cut, outageConnections)
			for id, s := range open {
				if s.Reason == protocol.ReasonNotActive {
					require.Contains(t, s.Detail, "waits in staging", id)
					require.Contains(t, s.Detail, row.says)
					require.NotContains(t, s.Detail, "nothing was changed")
					continue
				}
				require.Contains(t, row.reasons, s.Reason, s.Detail)
			}
			require.GreaterOrEqual(t, len(open), each/2, "it happened in the middle")

			again := c.pass(2)
			require.LessOrEqual(t, c.reasons(again)[protocol.ReasonNotActive], outageConnections)
			row.mend(c)
			require.ElementsMatch(t, ofReason(open, protocol.ReasonNotActive), c.cutOff(), "nobody else's consumers are cut off")
			require.Eventually(t, func() bool { return len(c.pass(3)) == 0 }, 2*time.Minute, 100*time.Millisecond)
			require.Empty(t, c.cutOff())
		})
	}
}

func ofReason(open map[string]protocol.Stop, r protocol.Reason) (ids []string) {
	for id, s := range open {
		if s.Reason == r {
			ids = append(ids, id)
		}
	}
	return ids
}

// A login that will not last from Set to Activate begins nothing.
func TestNothingIsSetWithALoginThatEndsFirst(t *testing.T) {
	o := newOutage(t, 8)
	o.grant("")
	no := false
	c := o.campaign("ends", o.token(vaultapi.TokenCreateRequest{TTL: "1h"}), 0, 8)
	c.worker(o.token(vaultapi.TokenCreateRequest{TTL: "25s", Renewable: &no}))
	open := c.pass(1)
	require.Len(t, open, 8)
	for _, s := range open {
		require.Equal(t, protocol.ReasonVaultLogin, s.Reason)
		require.Contains(t, s.Detail, "too soon to set a value and activate it")
	}
	require.Empty(t, c.cutOff())
}

// A quota on the whole of Vault slows a campaign down and costs nobody
// anything.
func TestACampaignLivesWithARateLimitOfVault(t *testing.T) {
	const accounts, perSecond = 12, 8 // few, for a machine with much else to do: each waits its turn for 30 s at most
	o := newOutage(t, accounts)
	o.grant("")
	c := o.campaign("throttled", o.token(vaultapi.TokenCreateRequest{TTL: "1h"}), 0, accounts)
	_, err := o.admin.Logical().Write("sys/quotas/rate-limit/all", map[string]any{"rate": perSecond})
	require.NoError(t, err)
	began := time.Now()
	open := c.pass(1)
	t.Log(time.Since(began), c.reasons(open))
	require.Empty(t, open, "nothing is given up that only has to wait for its turn")
	require.Positive(t, o.turned.Load(), "it was turned away all the same")
	for _, b := range c.batches {
		var clean []wire.CleanItem
		for i := b.Span.From; i < b.Span.To; i++ {
			clean = append(clean, wire.CleanItem{Index: i, Dead: wire.Dead{Attempt: 1, To: []int{2}, Written: make([]time.Time, 1), Doomed: [][]int{{1}}}})
		}
		c.call("Clean", wire.CleanInput{Batch: b, Items: clean}, nil)
	}
	require.Eventually(t, func() bool { // the quota holds for this call too
		_, err := o.admin.Logical().Delete("sys/quotas/rate-limit/all")
		return err == nil
	}, time.Minute, 50*time.Millisecond)
	require.Empty(t, c.cutOff())
}
