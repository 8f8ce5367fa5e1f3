package vaultlogin

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/kind/kindtest"
	"rollcall/internal/protocol"
	"rollcall/internal/rotation"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// In one world, one after the other: a directory and a Vault take longer to
// start than all of these.
func TestPasswordsThatLogInToVault(t *testing.T) {
	w := newWorld(t)
	t.Run("what a stolen password minted is dead before the new one is written where it reads", w.deadBeforeWritten)
	t.Run("killed between the two", w.killedBetween)
	t.Run("a login that is on its way while the password changes mints nothing that lives", w.onItsWay)
	t.Run("renewals of a token that is left lock the account for its new password, and none is left", w.noRenewalLocks)
	t.Run("a server that Vault asks and that lags holds up the new value", w.lagging)
	t.Run("a server that Vault asks and that is silent or behind keeps it from being set", w.serversFirst)
	t.Run("a login that waits for a second factor is retired, and orphans count as its own", w.secondFactor)
	t.Run("batch tokens and orphans are told", w.whatCannotBeRevoked)
	t.Run("what a login could read is asked with the value in force, and wrong ones are not offered twice", w.reads)
	t.Run("however many stale values are asked with, nobody is locked", w.readsLockNobody)
	t.Run("a value that was let in once locks nobody when it is not the account's any more", w.onceLetIn)
	t.Run("a replica that does not answer leaves what one could read known, and nobody is locked there", w.readsBesideASilentServer)
	t.Run("what one could read is not what another could", w.readsOfEach)
	t.Run("who logs in by another name has what that name gets, and its tokens are revoked", w.anotherName)
	t.Run("of many logins that get the same one is asked", w.readsOfMany)
	t.Run("a login that gets nothing waits for nothing, and its tokens are revoked", w.plain)
	t.Run("a right that is missing shows before anything is set", w.rightsFirst)
	t.Run("contract", func(t *testing.T) {
		kindtest.Run(t, kindtest.Fixture{
			Authority: w.authority, New: w.credential,
			Delete: func(t *testing.T, c credential.Credential) {
				conn, err := w.provider.AdminConn(t.Context())
				require.NoError(t, err)
				defer conn.Close()
				require.NoError(t, conn.Del(deletion(c.Name)))
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
				defer cancel()
				require.NoError(t, w.replica.AwaitReplication(ctx))
			},
			Interrupt: func(t *testing.T) func(*testing.T) {
				w.provider.Process().Kill()
				return func(t *testing.T) {
					ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
					defer cancel()
					require.NoError(t, w.provider.Restart(ctx))
				}
			},
		})
	})
}

// thief watches the place of the new value with every token that he has, and
// tries the stolen password in between.
type thief struct {
	*ownmount.Store
	w       *world
	t       *testing.T
	c       credential.Credential
	stolen  credential.Secret
	tokens  []*vaultapi.Client
	crash   bool
	quiet   bool // he does not try here: the third wrong login locks the account
	written int
}

func (s *thief) Activate(ctx context.Context, p credential.Path, from vault.Live, value credential.Secret, owner string) (vault.Live, error) {
	if s.crash {
		s.crash = false
		panic("killed")
	}
	s.written++
	for i, c := range s.tokens {
		require.False(s.t, alive(c), "token %d could read the new value", i)
	}
	if s.quiet {
		return s.Store.Activate(ctx, p, from, value, owner)
	}
	_, err := s.w.login("ldap", s.c.Logins[0].Names[0], s.stolen)
	require.Error(s.t, err, "the stolen password could still mint a token that reads the new one")
	return s.Store.Activate(ctx, p, from, value, owner)
}

func (w *world) steal(t *testing.T) *thief {
	c, old := w.credential(t)
	name := c.Logins[0].Names[0]
	c.Paths = []credential.Path{{Mount: "rollcall", Path: "device/" + name, Field: "password"}}
	_, err := w.store.Activate(t.Context(), c.Paths[0], vault.Live{}, old, "")
	require.NoError(t, err)
	s := &thief{Store: w.store, w: w, t: t, c: c, stolen: old}
	plain, other := w.mustLogin(t, "ldap", name, old), w.mustLogin(t, "ldap", strings.ToUpper(name)+" ", old)
	made, err := other.Logical().Write("auth/token/create", nil)
	require.NoError(t, err)
	child := w.server.Client()
	child.SetToken(made.Auth.ClientToken)
	_, err = plain.Auth().Token().RenewSelf(0)
	require.NoError(t, err)
	s.tokens = []*vaultapi.Client{plain, other, child}
	for _, c := range s.tokens {
		seen, err := c.Logical().Read("rollcall/data/" + s.c.Paths[0].Path)
		require.NoError(t, err)
		require.NotNil(t, seen, "he reads the device's secrets")
	}
	return s
}

func (s *thief) rotator(campaign string) *rotation.Rotator {
	return &rotation.Rotator{Store: s, Authority: s.w.authority, Campaign: campaign, Pass: 1, Now: time.Now}
}

// apply goes on when the replica was slow, as the next pass does.
func (s *thief) apply(r *rotation.Rotator, attempt int, fresh bool) rotation.Applied {
	a := r.Apply(s.t.Context(), s.c, attempt, fresh)
	for a.Stop != nil && a.Stop.Reason == protocol.ReasonLagging && a.Step == protocol.Prove {
		ctx, cancel := context.WithTimeout(s.t.Context(), 5*time.Minute)
		require.NoError(s.t, s.w.replica.AwaitReplication(ctx))
		cancel()
		found := a.Findings
		a = r.Apply(s.t.Context(), s.c, attempt, false)
		a.Findings = append(found, a.Findings...)
	}
	return a
}

func (s *thief) dead(a rotation.Applied) {
	require.True(s.t, a.Dead(), "%+v", a.Stop)
	require.Equal(s.t, protocol.ProofBind, a.Proof)
	require.Equal(s.t, 1, s.written)
	live, err := s.ReadLive(s.t.Context(), s.c.Paths[0], 0)
	require.NoError(s.t, err)
	require.True(s.t, alive(s.w.mustLogin(s.t, "ldap", s.c.Logins[0].Names[0], live.Value)), "its consumer is fine")
}

func (w *world) deadBeforeWritten(t *testing.T) {
	s := w.steal(t)
	p := s.rotator("at-once").Prepare(t.Context(), s.c)
	require.Nil(t, p.Stop)
	a := s.apply(s.rotator("at-once"), p.Attempt, p.Fresh)
	s.dead(a)
	i := slices.IndexFunc(a.Findings, func(f credential.Finding) bool { return f.Code == credential.FindingTokensRevoked })
	require.GreaterOrEqual(t, i, 0, "%+v", a.Findings)
	require.Contains(t, a.Findings[i].Detail, "2 live tokens")
	require.NotContains(t, a.Findings[i].Detail, s.c.Logins[0].Names[0])
}

func (w *world) killedBetween(t *testing.T) {
	s := w.steal(t)
	s.crash = true
	p := s.rotator("killed").Prepare(t.Context(), s.c)
	require.Nil(t, p.Stop)
	require.Panics(t, func() { s.rotator("killed").Apply(t.Context(), s.c, p.Attempt, p.Fresh) })
	for _, c := range s.tokens {
		require.False(t, alive(c))
	}
	s.dead(s.apply(s.rotator("killed"), p.Attempt, false))
}

// The thief logs in without a pause until he is refused.
func (w *world) onItsWay(t *testing.T) {
	s := w.steal(t)
	s.quiet = true
	got := make(chan *vaultapi.Client, 10_000)
	first := make(chan struct{})
	go func() {
		defer close(got)
		for i := 0; ; i++ {
			c, err := w.login("ldap", s.c.Logins[0].Names[0], s.stolen)
			if i == 0 {
				close(first)
			}
			if err != nil {
				return
			}
			got <- c
		}
	}()
	<-first
	p := s.rotator("on-its-way").Prepare(t.Context(), s.c)
	require.Nil(t, p.Stop)
	s.dead(s.apply(s.rotator("on-its-way"), p.Attempt, p.Fresh))
	n := 0
	for c := range got {
		require.False(t, alive(c), "token %d", n)
		n++
	}
	require.Positive(t, n)
}

func (w *world) noRenewalLocks(t *testing.T) {
	renew := func(c *vaultapi.Client) {
		for range 4 {
			_, err := c.Auth().Token().RenewSelf(0)
			require.Error(t, err)
		}
	}
	for _, closes := range []bool{false, true} {
		c, old := w.credential(t)
		stale := w.mustLogin(t, "ldap", c.Logins[0].Names[0], old)
		var au kind.Authority = w.bare
		if closes {
			au = w.authority
		}
		a, err := au.Account(t.Context(), au.Servers()[0], c)
		require.NoError(t, err)
		next, err := au.Generate(t.Context(), c)
		require.NoError(t, err)
		require.NoError(t, au.Set(t.Context(), a, next, old))
		_, _, err = au.Retire(t.Context(), a, next)
		require.NoError(t, err)
		renew(stale)
		require.Equal(t, closes, w.attr(t, w.provider, c.Name, "pwdAccountLockedTime") == "",
			"Vault binds with the password of the login at each renewal")
		_, err = w.login("ldap", c.Logins[0].Names[0], next)
		require.Equal(t, closes, err == nil)
	}
}

func (w *world) lagging(t *testing.T) {
	w.mount(t, "far", w.replica, nil)
	s := w.steal(t)
	s.c.Logins = append(s.c.Logins, credential.VaultLogin{Mount: "far", Names: s.c.Logins[0].Names, Servers: []string{w.replica.LDAPS()}})
	w.replica.PauseReplication()
	p := s.rotator("lags").Prepare(t.Context(), s.c)
	require.Nil(t, p.Stop)
	a := s.rotator("lags").Apply(t.Context(), s.c, p.Attempt, p.Fresh)
	require.NotNil(t, a.Stop)
	require.Equal(t, protocol.ReasonLagging, a.Stop.Reason)
	require.Equal(t, protocol.Retire, a.Step)
	require.Zero(t, s.written, "the stolen password logs in there still, and reads the place")
	late := w.mustLogin(t, "far", s.c.Logins[0].Names[0], s.stolen)
	s.tokens = append(s.tokens, late)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	require.NoError(t, w.replica.ResumeReplication(ctx))
	require.NoError(t, w.replica.AwaitReplication(ctx))
	s.dead(s.apply(s.rotator("lags"), p.Attempt, false))

	// One that a person took out is not waited for.
	s = w.steal(t)
	s.c.Logins[0].Servers = append(s.c.Logins[0].Servers, w.replica.LDAPS())
	w.replica.PauseReplication()
	without := s.rotator("without")
	without.LeftOut = []string{w.replica.LDAPS()}
	p = without.Prepare(t.Context(), s.c)
	require.Nil(t, p.Stop)
	s.dead(without.Apply(t.Context(), s.c, p.Attempt, p.Fresh))
	require.NoError(t, w.replica.ResumeReplication(ctx))
	require.NoError(t, w.replica.AwaitReplication(ctx))
}

func (w *world) whatCannotBeRevoked(t *testing.T) {
	w.mount(t, "batch", w.provider, map[string]any{"token_type": "batch"})
	require.NoError(t, w.server.Client().Sys().PutPolicy("frees", `path "auth/token/create-orphan" { capabilities = ["update", "sudo"] }`))
	w.mount(t, "frees", w.provider, map[string]any{"token_policies": "frees"})
	for mount, want := range map[string]credential.FindingCode{"batch": credential.FindingBatchTokens, "frees": credential.FindingOrphanTokens} {
		c, old := w.credential(t)
		c.Logins[0].Mount = mount
		stolen := w.mustLogin(t, mount, c.Logins[0].Names[0], old)
		if mount == "frees" {
			made, err := stolen.Logical().Write("auth/token/create-orphan", nil)
			require.NoError(t, err)
			t.Cleanup(func() { w.write(t, "auth/token/revoke", map[string]any{"token": made.Auth.ClientToken}) })
		}
		a, err := w.authority.Account(t.Context(), w.authority.Servers()[0], c)
		require.NoError(t, err)
		next, err := w.authority.Generate(t.Context(), c)
		require.NoError(t, err)
		require.NoError(t, w.authority.Set(t.Context(), a, next, old))
		_, findings, err := w.authority.Retire(t.Context(), a, next)
		require.NoError(t, err)
		require.True(t, slices.ContainsFunc(findings, func(f credential.Finding) bool { return f.Code == want && f.Code.LivesOn() }), "%s: %+v", mount, findings)
	}
}

func (w *world) tokens(t *testing.T) []any {
	got, err := w.server.Client().Logical().List("auth/token/accessors")
	require.NoError(t, err)
	return got.Data["keys"].([]any)
}

func (w *world) plain(t *testing.T) {
	c, old := w.credential(t)
	require.True(t, w.authority.RetiresFirst(c))
	c.Logins[0].Plain = true
	require.False(t, w.authority.RetiresFirst(c))
	require.False(t, c.ReachesVault())
	stolen := w.mustLogin(t, "ldap", c.Logins[0].Names[0], old)
	a, err := w.authority.Account(t.Context(), w.authority.Servers()[0], c)
	require.NoError(t, err)
	next, err := w.authority.Generate(t.Context(), c)
	require.NoError(t, err)
	require.NoError(t, w.authority.Set(t.Context(), a, next, old))
	_, _, err = w.authority.Retire(t.Context(), a, next)
	require.NoError(t, err)
	require.False(t, alive(stolen))
	got, err := w.authority.Reads(t.Context(), c, nil, []string{"rollcall/data/device/x"})
	require.NoError(t, err)
	require.Empty(t, got, "nothing is asked of it")
}

func (w *world) rightsFirst(t *testing.T) {
	c, old := w.credential(t)
	poor := w.server.Client()
	got, err := poor.Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{"default"}})
	require.NoError(t, err)
	poor.SetToken(got.Auth.ClientToken)
	au := Around(w.bare, tokensOf(poor), "vault")
	a, err := au.Account(t.Context(), au.Servers()[0], c)
	require.NoError(t, err)
	var stop *protocol.Stop
	require.ErrorAs(t, au.Set(t.Context(), a, credential.NewSecret("never"), old), &stop)
	require.Equal(t, protocol.ReasonRights, stop.Reason)
	w.mustLogin(t, "ldap", c.Logins[0].Names[0], old)
}

func (w *world) serversFirst(t *testing.T) {
	c, old := w.credential(t)
	c.Logins[0].Servers = append(c.Logins[0].Servers, w.replica.LDAPS())
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	set := func(value string, leftOut ...string) error {
		a, err := w.authority.Account(ctx, w.authority.Servers()[0], c)
		require.NoError(t, err)
		a.LeftOut = leftOut
		return w.authority.Set(ctx, a, credential.NewSecret(value), old)
	}
	refused := func(err error, reason protocol.Reason) {
		var stop *protocol.Stop
		require.ErrorAs(t, err, &stop)
		require.Equal(t, reason, stop.Reason)
		require.Equal(t, w.replica.LDAPS(), stop.Server)
		require.Contains(t, stop.Detail, "was not changed")
		w.mustLogin(t, "ldap", c.Logins[0].Names[0], old)
	}
	w.replica.Process().Kill()
	refused(set("never-1-never-1-never"), protocol.ReasonUnreachable)
	require.NoError(t, w.replica.Restart(ctx))
	require.NoError(t, w.replica.AwaitReplication(ctx))
	w.replica.PauseReplication()
	a, err := w.bare.Account(ctx, w.bare.Servers()[0], c)
	require.NoError(t, err)
	someones := credential.NewSecret("someones-own-password")
	require.NoError(t, w.bare.Set(ctx, a, someones, old))
	old = someones
	refused(set("never-2-never-2-never"), protocol.ReasonLagging)
	require.NoError(t, set("a-person-left-it-out-1", w.replica.LDAPS()))
	require.NoError(t, w.replica.ResumeReplication(ctx))
	require.NoError(t, w.replica.AwaitReplication(ctx))
}

func (w *world) secondFactor(t *testing.T) {
	w.mount(t, "factors", w.provider, nil)
	about, err := w.server.Client().Sys().ListAuth()
	require.NoError(t, err)
	method := w.write(t, "identity/mfa/method/totp", map[string]any{"issuer": "test"})
	w.write(t, "identity/mfa/login-enforcement/factors", map[string]any{
		"mfa_method_ids": []any{method.Data["method_id"]}, "auth_method_accessors": []string{about["factors/"].Accessor},
	})
	made := w.write(t, "auth/token/create-orphan", nil)
	defer w.write(t, "auth/token/revoke", map[string]any{"token": made.Auth.ClientToken})
	c, old := w.credential(t)
	c.Logins[0].Mount = "factors"
	_, err = w.authority.Reads(t.Context(), c, []credential.Secret{old}, []string{"rollcall/data/device/x"})
	require.Error(t, err, "nobody knows what it reads")
	a, err := w.authority.Account(t.Context(), w.authority.Servers()[0], c)
	require.NoError(t, err)
	next, err := w.authority.Generate(t.Context(), c)
	require.NoError(t, err)
	require.NoError(t, w.authority.Set(t.Context(), a, next, old))
	_, findings, err := w.authority.Retire(t.Context(), a, next)
	require.NoError(t, err)
	require.True(t, slices.ContainsFunc(findings, func(f credential.Finding) bool { return f.Code == credential.FindingOrphanTokens }), "%+v", findings)
}

// Groups may be nested, and the directory far away.
func TestTheWaitForLoginsOnTheirWayGoesByWhatOneTakes(t *testing.T) {
	au, a := &Authority{}, kind.Account{Logins: []credential.VaultLogin{{Mount: "ldap"}, {Mount: "plain", Plain: true}}}
	au.measured("plain", time.Minute)
	for _, of := range []struct{ took, waits time.Duration }{
		{10 * time.Millisecond, inFlightLeast}, {2 * time.Second, 6 * time.Second}, {time.Minute, maxInFlight}, {time.Second, maxInFlight},
	} {
		au.measured("ldap", of.took)
		require.Equal(t, of.waits, au.inFlight(t.Context(), a, credential.Secret{}), of.took)
	}
	a.Logins[0].Mount = "never"
	require.Equal(t, slower*unmeasured, au.inFlight(t.Context(), a, credential.Secret{}), "ours was not good there: it has no name")
}

// People log in with their mail address (userfilter). Vault's policies go by
// what is typed, and with username_as_alias its entity does so too.
func (w *world) anotherName(t *testing.T) {
	w.mount(t, "mailed", w.provider, map[string]any{"userfilter": "(|(uid={{.Username}})(mail={{.Username}}))", "username_as_alias": true})
	require.NoError(t, w.server.Client().Sys().PutPolicy("mailed", `path "kv/data/mailed/*" { capabilities = ["read"] }`))
	w.write(t, "auth/mailed/users/kim@example.org", map[string]any{"policies": "mailed"})
	admin, err := w.provider.AdminConn(t.Context())
	require.NoError(t, err)
	defer admin.Close()
	dn := "cn=Kim Doe," + w.provider.PeopleDN()
	add := ldap.NewAddRequest(dn, nil)
	for k, v := range map[string]string{"objectClass": "inetOrgPerson", "cn": "Kim Doe", "sn": "Doe", "uid": "kim", "mail": "kim@example.org"} {
		add.Attribute(k, []string{v})
	}
	require.NoError(t, admin.Add(add))
	stolen, fresh := credential.NewSecret("the-stolen-one-1-abc"), credential.NewSecret("the-new-one-2-abcdefg")
	_, err = admin.PasswordModify(ldap.NewPasswordModifyRequest(dn, "", stolen.Reveal()))
	require.NoError(t, err)
	uuid, at := w.attr(t, w.provider, dn, "entryUUID"), []string{w.provider.LDAPS()}
	c := credential.Credential{ID: "corp/" + uuid, Kind: credential.LDAPPassword, Authority: "corp", Subject: uuid, Name: dn,
		Logins: []credential.VaultLogin{{Mount: "mailed", Names: []string{"kim", "kim@example.org"}, Servers: at}, {Mount: "mailed", Names: []string{"kim@example.org", "kim"}, Servers: at}}}
	paths := []string{"kv/data/mailed/a", "kv/data/other"}
	for range 2 {
		got, err := w.authority.Reads(t.Context(), c, []credential.Secret{stolen}, paths)
		require.NoError(t, err)
		require.Equal(t, paths[:1], got, "what the address gets counts, whatever the uid gets")
	}
	thief := w.mustLogin(t, "mailed", "kim@example.org", stolen)
	acc, err := w.authority.Account(t.Context(), w.authority.Servers()[0], c)
	require.NoError(t, err)
	require.NoError(t, w.authority.Set(t.Context(), acc, fresh, stolen))
	_, _, err = w.authority.Retire(t.Context(), acc, fresh)
	require.NoError(t, err)
	_, err = w.login("mailed", "kim@example.org", stolen)
	require.Error(t, err)
	require.False(t, alive(thief), "what it minted by the address is revoked")
}
