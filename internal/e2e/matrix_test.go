package e2e

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"rollcall/config"
	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/faultproxy"
	"rollcall/internal/intruder"
	"rollcall/internal/kind"
	"rollcall/internal/kind/registry"
	"rollcall/internal/lab"
	"rollcall/internal/postgres/settings"
	"rollcall/internal/rotation"
	"rollcall/internal/vault/ownmount"
)

// The crash matrix: at every request of a rotation in turn, to the directory
// and to Vault, something goes wrong. Whatever it is, nothing is lost, and
// going on ends with the old value dead, one change for consumers and one set.

// target is one credential and the way to it.
type target struct {
	Credential credential.Credential
	Campaign   *config.Campaign // with the credential's authority
	Vault      string           // URL
	Token      string           // file
	Patience   time.Duration    // with one request to Vault
}

// authority opens what decides on the credential.
func (g target) authority(ctx context.Context) (kind.Authority, *ownmount.Store, func(), error) {
	store, err := openStore(ctx, g)
	if err != nil {
		return nil, nil, nil, err
	}
	kinds := registry.New(store.Client)
	authority, err := kinds.Authority(g.Campaign, g.Credential.Authority, g.Credential.Kind)
	if err != nil {
		return nil, nil, nil, err
	}
	return authority, store, func() {
		_ = kinds.Close()
		_ = store.Close()
	}, nil
}

// open gives a rotator that reaches everything through the proxies.
func (g target) open(ctx context.Context) (*rotation.Rotator, func(), error) {
	authority, store, done, err := g.authority(ctx)
	if err != nil {
		return nil, nil, err
	}
	r := &rotation.Rotator{Store: store, Authority: authority, Campaign: "matrix", Now: time.Now, Cache: rotation.NewPreparedCache()}
	r.StillOpen = func(context.Context) bool { return true } // as with the activities
	return r, done, nil
}

// environment is held while a store reads its address from the environment.
var environment sync.Mutex

func openStore(ctx context.Context, g target) (*ownmount.Store, error) {
	token, err := os.ReadFile(g.Token)
	if err != nil {
		return nil, err
	}
	environment.Lock()
	defer environment.Unlock()
	for name, value := range map[string]string{"VAULT_ADDR": g.Vault, "VAULT_TOKEN": string(token), "VAULT_CLIENT_TIMEOUT": g.Patience.String()} {
		if err := os.Setenv(name, value); err != nil {
			return nil, err
		}
	}
	return ownmount.Open(ctx, ownmount.Settings{Mount: "rollcall", Transit: "rollcall-transit"})
}

// progress is what Temporal would remember of a pass: which activities have
// returned, and what they returned.
type progress struct {
	Prepared *rotation.Prepared
	Applied  *rotation.Applied
	Cleaned  bool
}

// pass takes a credential through the steps, from where progress stands, and
// reports each activity that returned.
func pass(ctx context.Context, r *rotation.Rotator, c credential.Credential, p *progress, returned func()) {
	first := p.Prepared == nil
	if first {
		prepared := r.Prepare(ctx, c)
		p.Prepared = &prepared
		returned()
	}
	if p.Prepared.Stop != nil {
		return
	}
	if p.Applied == nil {
		applied := r.Apply(ctx, c, p.Prepared.Attempt, first && p.Prepared.Fresh)
		p.Applied = &applied
		returned()
	}
	if !p.Applied.Dead() {
		return
	}
	if lost, err := r.Clean(ctx, c, p.Applied.ToClean()); lost == nil && err == nil {
		p.Cleaned = true
		returned()
	}
}

// bench is one credential behind proxies of its own.
type bench struct {
	target                 // through the proxies
	calm    target         // the same, once nothing is broken any more
	direct  kind.Authority // past them
	e       *estate.Estate
	stolen  intruder.Stolen
	keeps   func() (closed func() bool, err error) // opens a session with the stolen value; nil where a login gives none
	servers []*faultproxy.Proxy                    // of the authority, the write server first
	vault   *faultproxy.Proxy
	through *faultproxy.Proxy // the one that the case is about
}

// proxy is the one at a seat.
func (b *bench) proxy(at seat) *faultproxy.Proxy {
	switch at {
	case "vault":
		return b.vault
	case "replica":
		return b.servers[1]
	}
	return b.servers[0]
}

// directoryOf is the configuration of the directory that decides on a kind.
func directoryOf(e *estate.Estate, k credential.Kind) config.Directory {
	d := config.Directory{
		Driver: config.OpenLDAP, Servers: []string{e.Slapd.LDAPS()}, Base: e.Slapd.BaseDN(), CA: e.Slapd.CA, Set: "exop",
		Connections: 4, Timeout: config.Duration(2 * time.Second), Password: config.PasswordPolicy{Length: 24},
		Bind: config.Bind{DN: e.Slapd.BinderDN, Password: credential.Path{Mount: "kv", Path: "infra/rollcall-bind", Field: "password"}},
	}
	if e.OwnID(e.Slapd.PartnerDN) != "" {
		d.Partner = config.Bind{DN: e.Slapd.PartnerDN, Password: credential.Path{Mount: "kv", Path: "infra/rollcall-bind-b", Field: "password"}}
	}
	if k == credential.ADPassword || k == credential.UserPassword {
		// The domain controller answers one request after the other, and a
		// reset takes it a while.
		d.Driver, d.Servers, d.Base, d.Set, d.Timeout = config.ActiveDirectory, []string{e.Domain.LDAPS()}, e.Domain.BaseDN(), "", config.Duration(5*time.Second)
		d.Bind = config.Bind{DN: e.Domain.BinderDN, Password: credential.Path{Mount: "kv", Path: "infra/rollcall-bind-domain", Field: "password"}}
		if d.Partner.DN != "" {
			d.Partner = config.Bind{DN: e.Domain.PartnerDN, Password: credential.Path{Mount: "kv", Path: "infra/rollcall-bind-domain-b", Field: "password"}}
		}
	}
	return d
}

// judging is how long whoever looks past the proxies waits for an answer: it is
// not to take a slow machine for a fault.
const judging = time.Minute

// patientDirectoryOf is directoryOf for one who judges.
func patientDirectoryOf(e *estate.Estate, k credential.Kind) config.Directory {
	d := directoryOf(e, k)
	d.Timeout = config.Duration(judging)
	return d
}

// campaignOf names the credential's authority, and nothing where that is Vault.
// An operation takes patience at most, or what suits the server if it is 0.
func campaignOf(e *estate.Estate, c credential.Credential, patience time.Duration) *config.Campaign {
	spec := &config.Campaign{Device: estate.Device, Vault: config.Vault{Mount: config.DefaultMount, Transit: config.DefaultTransit}}
	switch {
	case c.Kind.OpensVault():
	case c.Authority == estate.PostgresName:
		spec.Systems = config.Systems{c.Authority: settings.Cluster{
			Servers: e.PostgresServers(), Database: "postgres", CA: e.Postgres.CA, Connections: 4, Timeout: cmp.Or(patience, 2*time.Second),
			Password: config.PasswordPolicy{Length: 24},
			Bind:     []authority.Login{{Name: e.Postgres.Admin, Secret: credential.Path{Mount: "kv", Path: "infra/rollcall-bind-db", Field: "password"}}},
		}}
	default:
		d := directoryOf(e, c.Kind)
		d.Timeout = cmp.Or(config.Duration(patience), d.Timeout)
		spec.Directories = map[string]config.Directory{c.Authority: d}
	}
	return spec
}

// behind puts a proxy before each server of the credential's authority, once.
func (b *bench) behind(t *testing.T, patience time.Duration) *config.Campaign {
	spec := campaignOf(b.e, b.Credential, patience)
	at := spec.Authority(b.Credential.Authority)
	if at == nil {
		return spec
	}
	var through []string
	for n, server := range at.ServerNames() {
		if n == len(b.servers) {
			b.servers = append(b.servers, serverProxy(t, b.e, n, server))
		}
		through = append(through, b.servers[n].URL())
	}
	switch a := at.WithServers(through, nil).(type) {
	case config.Directory:
		spec.Directories[b.Credential.Authority] = a
	default:
		spec.Systems[b.Credential.Authority] = a
	}
	return spec
}

// serverProxy puts a fault proxy before the nth server of an authority.
func serverProxy(t *testing.T, e *estate.Estate, n int, server string) *faultproxy.Proxy {
	t.Helper()
	if !strings.HasPrefix(server, "postgresql://") {
		return ldapProxy(t, e, server)
	}
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(e.CA.PEM))
	own, err := []*lab.Postgres{e.Postgres, e.PostgresReplica}[n].Certificate()
	require.NoError(t, err)
	p, err := faultproxy.StartPostgres(context.Background(), "127.0.0.1:0", server,
		&tls.Config{Certificates: []tls.Certificate{own}}, &tls.Config{RootCAs: pool})
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return p
}

func newBench(t *testing.T, e *estate.Estate, c credential.Credential, stolen intruder.Stolen) *bench {
	t.Helper()
	b := &bench{e: e, stolen: stolen}
	var err error
	b.vault, err = faultproxy.StartHTTP(context.Background(), "127.0.0.1:0", e.Vault.Address(), nil, nil)
	require.NoError(t, err)
	t.Cleanup(b.vault.Close)
	b.target = target{Credential: c, Campaign: campaignOf(e, c, judging), Vault: e.Vault.Address(), Token: filepath.Join(e.Dir, "vault", "root-token"), Patience: judging}
	var done func()
	b.direct, _, done, err = b.authority(context.Background())
	require.NoError(t, err)
	t.Cleanup(done)
	b.Vault, b.Campaign, b.Patience = b.vault.URL(), b.behind(t, 0), 2*time.Second
	b.calm = b.target
	b.calm.Campaign, b.calm.Patience = b.behind(t, judging), judging
	return b
}

// seat says which proxy a case is about.
type seat string

// what happens at a request.
type mishap struct {
	name  string
	fault faultproxy.Fault
	kill  string // "", "before" the server sees it, "after" it has answered
}

var mishaps = []mishap{
	{"the request is dropped", faultproxy.DropRequest, ""},
	{"the reply is dropped", faultproxy.DropReply, ""},
	{"the connection is cut", faultproxy.Cut, ""},
	{"killed before the server sees it", faultproxy.Cut, "before"},
	{"killed after the server applied it", faultproxy.DropReply, "after"},
}

func TestCrashMatrix(t *testing.T) {
	e := startEstate(t, estate.Options{Accounts: 320, AppRoles: 280, Domain: 300, People: 300, Bystanders: 2, Policy: lab.SlapdPolicy{History: 5, MaxFailure: 3}})
	file, err := e.CampaignFile(nil, quick)
	require.NoError(t, err)
	newUser(t, e, file).must("init")
	pool := &supply{e: e}
	for _, row := range []struct {
		kind credential.Kind
		seat seat
	}{
		{credential.LDAPPassword, "directory"},
		{credential.LDAPPassword, "vault"},
		{credential.AppRoleSecretID, "vault"},
		{credential.ADPassword, "directory"},
		{credential.ADPassword, "vault"},
		{credential.UserPassword, "directory"},
		{credential.UserPassword, "vault"},
	} {
		for _, m := range mishaps {
			t.Run(fmt.Sprintf("%s, %s, %s", row.kind, row.seat, m.name), func(t *testing.T) {
				t.Parallel()
				walk(t, pool, row.kind, row.seat, m)
			})
		}
	}
	t.Cleanup(func() { requireBystandersUntouched(t, e) })
}

// walk lets m happen at the first request of a rotation, then at the second,
// and so on until a rotation ends before it can happen.
func walk(t *testing.T, pool *supply, k credential.Kind, at seat, m mishap) {
	const abreast = 4
	for first := 1; ; first += abreast {
		var g errgroup.Group
		over := make([]bool, abreast)
		for i := range abreast {
			b := pool.take(t, k)
			b.through = b.proxy(at)
			g.Go(func() error {
				happened, err := b.try(m, first+i)
				over[i] = !happened
				if err != nil {
					return fmt.Errorf("at request %d: %w", first+i, err)
				}
				return nil
			})
		}
		require.NoError(t, g.Wait())
		if over[0] {
			require.Greater(t, first, 1, "nothing ever happened")
			t.Logf("%s, %s: %d requests or a few less", at, m.name, first-1)
			return
		}
	}
}

// try lets m happen at request n and reports whether the rotation had that
// many.
func (b *bench) try(m mishap, n int) (happened bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	p := &progress{}
	closed := func() bool { return true }
	if b.keeps != nil {
		if closed, err = b.keeps(); err != nil {
			return false, err
		}
	}
	match := func(r faultproxy.Request) bool { return !strings.Contains(r.Detail, "auth/token/") } // not our own login
	if b.Credential.Kind == credential.UserpassPassword {
		match = changes // each of its logins takes Vault a while
	}
	if m.kill == "" {
		r, done, err := b.open(ctx)
		if err != nil {
			return false, err
		}
		b.through.Arm(faultproxy.Plan{At: n, Fault: m.fault, Match: match})
		pass(ctx, r, b.Credential, p, func() {})
		done()
	} else if err := b.killedPass(ctx, m, n, match, p); err != nil {
		return false, err
	}
	request, happened := b.through.Fired()
	b.through.Disarm()
	if err := b.notLost(); err != nil {
		return happened, fmt.Errorf("%s: %w", request, err)
	}
	if err := b.goOn(ctx, p); err != nil {
		return happened, fmt.Errorf("%s: %w", request, err)
	}
	if err := b.ended(); err != nil {
		return happened, fmt.Errorf("%s: %w", request, err)
	}
	if !closed() {
		return happened, fmt.Errorf("%s: called dead, and a session of the stolen value lives on", request)
	}
	return happened, nil
}

// killedPass makes a process do the pass, and kills it at request n.
func (b *bench) killedPass(ctx context.Context, m mishap, n int, match func(faultproxy.Request) bool, p *progress) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), childVariable+"=1")
	var told bytes.Buffer
	cmd.Stdout = &told
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	var once sync.Once
	seen := 0
	kill := func(r faultproxy.Request) {
		if !match(r) {
			return
		}
		if seen++; seen == n {
			once.Do(func() { _ = cmd.Process.Kill() })
		}
	}
	if m.kill == "before" {
		b.through.OnRequest(kill)
	} else {
		b.through.OnReply(kill)
	}
	b.through.Arm(faultproxy.Plan{At: n, Fault: m.fault, Match: match})
	if err := json.NewEncoder(stdin).Encode(b.target); err != nil {
		return err
	}
	_ = stdin.Close()
	_ = cmd.Wait() // killed, or done when it had fewer requests
	for lines := json.NewDecoder(&told); ; {
		if lines.Decode(p) != nil {
			return nil
		}
	}
}

// childVariable makes the test binary do one pass and exit.
const childVariable = "ROLLCALL_TEST_PASS"

func passAsChild() int {
	var g target
	if err := json.NewDecoder(os.Stdin).Decode(&g); err != nil {
		return 1
	}
	ctx := context.Background()
	r, done, err := g.open(ctx)
	if err != nil {
		return 1
	}
	defer done()
	p := &progress{}
	pass(ctx, r, g.Credential, p, func() { _ = json.NewEncoder(os.Stdout).Encode(p) })
	return 0
}

// goOn does what the workflow would: it retries the activity that did not
// return, then does passes until one ends it.
func (b *bench) goOn(ctx context.Context, p *progress) error {
	r, done, err := b.calm.open(ctx)
	if err != nil {
		return err
	}
	defer done()
	for range 4 {
		pass(ctx, r, b.Credential, p, func() {})
		switch {
		case p.Cleaned:
			return nil
		case p.Applied != nil && p.Applied.Dead():
			continue // clean again
		case p.Prepared.Stop != nil:
			err = p.Prepared.Stop
		case p.Applied != nil:
			err = p.Applied.Stop
		}
		*p = progress{}
	}
	return fmt.Errorf("it did not end in four passes: %w", err)
}

// supply hands out fresh credentials.
type supply struct {
	e  *estate.Estate
	mu sync.Mutex
	n  map[credential.Kind]int

	keeps func(intruder.Stolen) (func() bool, error) // bench.keeps of each
}

func (s *supply) take(t *testing.T, k credential.Kind) *bench {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n == nil {
		s.n = map[credential.Kind]int{}
	}
	authority := map[credential.Kind]string{
		credential.LDAPPassword: "corp", credential.AppRoleSecretID: credential.VaultAuthority,
		credential.ADPassword: estate.DomainName, credential.UserPassword: estate.DomainName,
		credential.UserpassPassword: credential.VaultAuthority, credential.PostgresPassword: estate.PostgresName,
	}[k]
	for seen, at := 0, s.n[k]; seen < len(s.e.Stolen); seen++ {
		stolen := s.e.Stolen[seen]
		path, person := s.e.HandOver[stolen.ID]
		if !strings.HasPrefix(stolen.ID, authority+"/") || person != (k == credential.UserPassword) || (stolen.Kind == intruder.Userpass) != (k == credential.UserpassPassword) {
			continue
		}
		if !person {
			if path = s.e.Live[stolen.ID]; path == (credential.Path{}) {
				continue
			}
		}
		if at--; at >= 0 {
			continue
		}
		s.n[k]++
		subject := strings.TrimPrefix(stolen.ID, authority+"/")
		name := cmp.Or(stolen.DN, stolen.User, subject)
		c := credential.Credential{
			ID: stolen.ID, Kind: k, Authority: authority, Subject: subject, Name: name, Paths: []credential.Path{path},
		}
		if person {
			// As listed: Rollcall's own path, and another with the immutable
			// id.
			spare := path
			spare.Path += "-" + subject
			c.Adopted, c.Named, c.Spare = true, c.Paths, &spare
		}
		b := newBench(t, s.e, c, stolen)
		if s.keeps != nil {
			b.keeps = func() (func() bool, error) { return s.keeps(stolen) }
		}
		return b
	}
	require.Fail(t, "the estate has too few credentials for the matrix")
	return nil
}
