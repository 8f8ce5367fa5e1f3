package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/faultproxy"
	"rollcall/internal/kind/registry"
	"rollcall/internal/rotation"
	"rollcall/internal/vault/ownmount"
)

// Calls are the requests of one credential's rotation, as the servers saw them.
type Calls struct {
	Campaign []string `json:"campaign"`
	Bare     []string `json:"bare"`
	Same     bool     `json:"same"`
	LDAP     int      `json:"ldap_per_account"` // without the look-up that many accounts share
	Vault    int      `json:"vault_per_account"`
}

// compareCalls lets rotation and the bare loop each rotate a few accounts
// through proxies that write down every request.
func compareCalls(ctx context.Context, g *ground, d *dirServer) (Calls, error) {
	ours, err := g.observe(ctx, d, g.accounts[d.group(groupCountOurs)], func(ldapURL, vaultURL string) (rotator, error) {
		return newSteps(ctx, g, d, ldapURL, vaultURL)
	})
	if err != nil {
		return Calls{}, fmt.Errorf("writing down the calls of a rotation: %w", err)
	}
	bare, err := g.observe(ctx, d, g.accounts[d.group(groupCountBare)], func(ldapURL, vaultURL string) (rotator, error) {
		return bareRotator(g, d, ldapURL, vaultURL, 1)()
	})
	if err != nil {
		return Calls{}, fmt.Errorf("writing down the calls of the bare loop: %w", err)
	}
	c := Calls{Campaign: ours, Bare: bare, Same: strings.Join(ours, "\n") == strings.Join(bare, "\n")}
	for _, call := range bare[1:] {
		if strings.HasPrefix(call, "ldap ") {
			c.LDAP++
		} else {
			c.Vault++
		}
	}
	return c, nil
}

// observe rotates accounts one after another behind proxies and returns how
// they were looked up and the calls of the last one, when every connection is
// up.
func (g *ground) observe(ctx context.Context, d *dirServer, accounts []account, open func(ldapURL, vaultURL string) (rotator, error)) ([]string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cert, key, _, err := g.ca.Issue(g.dir, "proxy", time.Hour)
	if err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(d.ca))
	toDirectory, err := faultproxy.StartLDAP(ctx, "127.0.0.1:0", d.url, &tls.Config{Certificates: []tls.Certificate{pair}}, &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"})
	if err != nil {
		return nil, err
	}
	toVault, err := faultproxy.StartHTTP(ctx, "127.0.0.1:0", g.vault.Address(), nil, nil)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var seen []string
	write := func(server string) func(faultproxy.Request) {
		return func(r faultproxy.Request) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, server+" "+r.Kind+" "+r.Detail)
		}
	}
	toDirectory.OnRequest(write("ldap"))
	toVault.OnRequest(write("vault"))
	r, err := open(toDirectory.URL(), toVault.URL())
	if err != nil {
		return nil, err
	}
	defer r.close()
	take := func() []string {
		mu.Lock()
		defer mu.Unlock()
		taken := seen
		seen = nil
		return taken
	}
	if err := r.lookUp(ctx, accounts); err != nil {
		return nil, err
	}
	// Policies are asked for once a minute, and are not part of it.
	looked := slices.DeleteFunc(take(), func(call string) bool { return call != "ldap search "+d.base })
	if len(looked) == 0 {
		return nil, errors.New("nothing looked the accounts up")
	}
	var last []string
	for _, a := range accounts {
		if err := r.rotate(ctx, a); err != nil {
			return nil, err
		}
		last = take()
	}
	return named(append(looked[len(looked)-1:], last...), accounts), nil
}

// named words calls without the accounts they are about.
func named(calls []string, accounts []account) []string {
	pairs := []string{"staging/corp/", "staging/", "staging/windows/", "staging/", "staging/bench/", "staging/"}
	for _, a := range accounts {
		pairs = append(pairs, a.dn, "<account>", a.uuid, "<uuid>", a.path, "<path>")
	}
	words := strings.NewReplacer(pairs...)
	out := make([]string, len(calls))
	for i, c := range calls {
		out[i] = words.Replace(strings.Replace(c, "vault POST", "vault PUT", 1))
	}
	return out
}

// steps takes accounts through internal/rotation, as the activities do.
type steps struct {
	rotation.Rotator
	directory *dirServer
	end       func()
}

func newSteps(ctx context.Context, g *ground, d *dirServer, ldapURL, vaultURL string) (rotator, error) {
	// Vault's client reads its address from the environment.
	if err := errors.Join(os.Setenv("VAULT_ADDR", vaultURL), os.Setenv("VAULT_TOKEN", g.vault.RootToken().Reveal())); err != nil {
		return nil, err
	}
	store, err := ownmount.Open(ctx, ownmount.Settings{Mount: "rollcall", Transit: "rollcall-transit"})
	if err != nil {
		return nil, err
	}
	kinds := registry.New(store.Client)
	conf := config.Directory{
		Driver: d.driver, Servers: []string{ldapURL}, Base: d.base, CA: d.ca,
		Bind: config.Bind{DN: d.binderDN, Password: credential.Path{Mount: "kv", Path: d.bindPath(), Field: "password"}},
	}
	if !d.domain() {
		conf.Set = "exop"
	}
	authority, err := kinds.Authority(&config.Campaign{Directories: map[string]config.Directory{d.name: conf}}, d.name, conf.Kind())
	if err != nil {
		return nil, err
	}
	s := &steps{directory: d, end: func() {
		_ = kinds.Close()
		_ = store.Close()
	}}
	s.Store, s.Authority, s.Campaign, s.Now = store, authority, "bench", time.Now
	s.Listed = time.Now() // as after the listing of a campaign
	s.Cache = rotation.NewPreparedCache()
	s.StillOpen = func(context.Context) bool { return true }
	return s, nil
}

func (s *steps) credential(a account) credential.Credential {
	return credential.Credential{
		ID: s.directory.name + "/" + a.uuid, Kind: s.directory.kind(), Authority: s.directory.name, Subject: a.uuid, Name: a.dn,
		Paths: []credential.Path{{Mount: "kv", Path: a.path, Field: "password"}},
	}
}

func (s *steps) lookUp(ctx context.Context, accounts []account) error {
	var all []credential.Credential
	for _, a := range accounts {
		all = append(all, s.credential(a))
	}
	s.LookUp(ctx, all)
	return nil
}

func (s *steps) rotate(ctx context.Context, a account) error {
	c := s.credential(a)
	prepared := s.Prepare(ctx, c)
	if prepared.Stop != nil {
		return prepared.Stop
	}
	applied := s.Apply(ctx, c, prepared.Attempt, prepared.Fresh)
	if !applied.Dead() {
		return applied.Stop
	}
	s.Cache.Proved(s.Campaign, c.ID, applied.Attempt, s.Now())
	lost, err := s.Clean(ctx, c, applied.ToClean())
	if lost != nil {
		return lost
	}
	return err
}

func (s *steps) close() { s.end() }
