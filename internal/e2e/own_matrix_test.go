package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/faultproxy"
	"rollcall/internal/lab"
)

// The crash matrix of the worker's own bind pair: a kill -9 after every request
// of both rotations, to the directory and to Vault. After each the identities
// still log in with what Vault holds, and a process that begins anew ends with
// the old value dead and neither of them locked.
func TestAKillAnywhereInTheRotationOfItsOwnPairLocksNobodyOut(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 1, Domain: 1, Pair: true, Policy: lab.SlapdPolicy{History: 5, MaxFailure: 3}})
	lockable(t, e)
	file, err := e.CampaignFile(nil, quick)
	require.NoError(t, err)
	newUser(t, e, file).must("init")
	for _, k := range []credential.Kind{credential.LDAPPassword, credential.ADPassword} {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			p := newOwnPair(t, e, k)
			for _, at := range []seat{"directory", "vault"} {
				for _, m := range mishaps {
					if m.kill != "after" {
						// Killed before a request is killed after the one
						// before it, at this server or at the other.
						continue
					}
					for _, b := range p {
						n := 1
						for ; ; n++ {
							happened, err := p.try(b, at, m, n)
							require.NoError(t, err, "%s, %s, %s, at request %d", b.stolen.DN, at, m.name, n)
							if !happened {
								break
							}
						}
						require.Greater(t, n, 5, "hardly anything ever happened")
						t.Logf("%s, %s, %s: %d requests", b.stolen.DN, at, m.name, n-1)
					}
				}
			}
			for _, b := range p {
				if k == credential.ADPassword {
					require.Equal(t, "0", domainAttr(t, e, b.stolen.DN, "lockoutTime"))
				}
			}
		})
	}
}

// lockable lets wrong passwords of OpenLDAP's pair count like those of anybody.
func lockable(t *testing.T, e *estate.Estate) {
	t.Helper()
	conn, err := e.Slapd.AdminConn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	for _, dn := range []string{e.Slapd.BinderDN, e.Slapd.PartnerDN} {
		req := ldap.NewModifyRequest(dn, nil)
		req.Replace("pwdPolicySubentry", []string{"cn=default,ou=policies," + e.Slapd.BaseDN()})
		require.NoError(t, conn.Modify(req))
	}
}

// ownPair are the two identities of a directory, each as a credential to
// rotate.
type ownPair [2]*bench

func newOwnPair(t *testing.T, e *estate.Estate, k credential.Kind) ownPair {
	t.Helper()
	var p ownPair
	for n, identity := range directoryOf(e, k).Identities() {
		id := e.OwnID(identity.DN)
		for _, s := range e.Stolen {
			if s.ID != id {
				continue
			}
			authority, subject, _ := strings.Cut(id, "/")
			p[n] = newBench(t, e, credential.Credential{
				ID: id, Kind: k, Authority: authority, Subject: subject, Name: identity.DN, Paths: []credential.Path{identity.Password},
			}, s)
		}
		require.NotNil(t, p[n])
	}
	return p
}

// try rotates one of the pair, killed at request n, and then to the end.
func (p ownPair) try(b *bench, at seat, m mishap, n int) (happened bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	before, err := b.live()
	if err != nil {
		return false, err
	}
	b.through = b.proxy(at)
	match := func(r faultproxy.Request) bool { return !strings.Contains(r.Detail, "auth/token/") } // not the login to Vault
	state := &progress{}
	if err := b.killedPass(ctx, m, n, match, state); err != nil {
		return false, err
	}
	request, happened := b.through.Fired()
	b.through.Disarm()
	b.through.OnRequest(nil)
	b.through.OnReply(nil)
	for _, each := range p {
		if err := each.notLost(); err != nil {
			return happened, fmt.Errorf("%s: %s: %w", request, each.stolen.DN, err)
		}
	}
	if err := p.logsIn(); err != nil {
		return happened, fmt.Errorf("%s: %w", request, err)
	}
	if err := b.goOn(ctx, state); err != nil {
		return happened, fmt.Errorf("%s: %w", request, err)
	}
	if old, err := b.accepts(before); err != nil || old {
		return happened, fmt.Errorf("%s: called dead, and the old value logs in: %t %w", request, old, err)
	}
	for _, each := range p {
		live, err := each.live()
		if err != nil {
			return happened, err
		}
		if ok, err := each.accepts(live); err != nil || !ok {
			return happened, fmt.Errorf("%s: %s does not log in with what Vault holds %w", request, each.stolen.DN, err)
		}
		if staged, err := each.read("rollcall/data/staging/"+each.Credential.ID, "secret"); err != nil || !staged.IsZero() {
			return happened, fmt.Errorf("%s: %s is still staged %w", request, each.stolen.DN, err)
		}
	}
	return happened, nil
}

// logsIn: at least one of the pair logs in with its live value, which is what a
// worker that starts now offers.
func (p ownPair) logsIn() error {
	for _, b := range p {
		live, err := b.live()
		if err != nil {
			return err
		}
		if ok, err := b.accepts(live); err != nil || ok {
			return err
		}
	}
	return errors.New("LOCKED OUT: neither identity logs in with its live value")
}
