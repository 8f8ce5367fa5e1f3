package intruder

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/lab"
)

// vaultWith is a Vault in which the device's logins, one for each policy, read
// what lies below kv/apps/esg-01.
type vaultWith struct {
	*lab.Vault
	t     *testing.T
	roles map[string]string // role ids
}

const readRules = `path "kv/data/apps/esg-01/*" { capabilities = ["read"] }
path "kv/metadata/apps/esg-01/*" { capabilities = ["read", "list"] }
`

func newVault(t *testing.T) *vaultWith {
	t.Helper()
	v, err := lab.StartVault(t.Context(), lab.VaultOptions{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, v.Stop(context.Background())) })
	return &vaultWith{Vault: v, t: t, roles: map[string]string{}}
}

func (v *vaultWith) write(path string, body map[string]any) *vaultapi.Secret {
	v.t.Helper()
	s, err := v.Client().Logical().WriteWithContext(v.t.Context(), path, body)
	require.NoError(v.t, err)
	return s
}

// role makes an AppRole with these rules and returns what is stolen of it.
func (v *vaultWith) role(name, rules string, more map[string]any) Stolen {
	v.t.Helper()
	v.write("sys/policies/acl/"+name, map[string]any{"policy": rules})
	body := map[string]any{"token_policies": "default," + name}
	for k, x := range more {
		body[k] = x
	}
	v.write("auth/approle/role/"+name, body)
	id, err := v.Client().Logical().ReadWithContext(v.t.Context(), "auth/approle/role/"+name+"/role-id")
	require.NoError(v.t, err)
	v.roles[name] = id.Data["role_id"].(string)
	return Stolen{ID: "vault/approle/" + name, Kind: AppRole, Servers: []string{v.Address()}, RoleID: v.roles[name], Password: v.secretID(name, "")}
}

func (v *vaultWith) secretID(role, value string) string {
	v.t.Helper()
	path, body := "secret-id", map[string]any{}
	if value != "" {
		path, body["secret_id"] = "custom-secret-id", value
	}
	return v.write("auth/approle/role/"+role+"/"+path, body).Data["secret_id"].(string)
}

func (v *vaultWith) put(path string, data map[string]any) {
	v.t.Helper()
	v.write("kv/data/"+path, map[string]any{"data": data})
}

// destroySecretIDs of a role but one.
func (v *vaultWith) destroySecretIDs(role, but string) {
	v.t.Helper()
	all, err := v.Client().Logical().ListWithContext(v.t.Context(), "auth/approle/role/"+role+"/secret-id")
	require.NoError(v.t, err)
	keep := ""
	if but != "" {
		keep = v.write("auth/approle/role/"+role+"/secret-id/lookup", map[string]any{"secret_id": but}).Data["secret_id_accessor"].(string)
	}
	for _, a := range all.Data["keys"].([]any) {
		if a != keep {
			v.write("auth/approle/role/"+role+"/secret-id-accessor/destroy", map[string]any{"secret_id_accessor": a})
		}
	}
}

// revokeTokens ends every token of the device's logins, and looks again until
// there is none: a login that was on its way gives one more.
func (v *vaultWith) revokeTokens() {
	v.t.Helper()
	for again := true; again; {
		again = false
		accessors, err := v.Client().Logical().ListWithContext(v.t.Context(), "auth/token/accessors")
		require.NoError(v.t, err)
		for _, a := range accessors.Data["keys"].([]any) {
			info, err := v.Client().Auth().Token().LookupAccessorWithContext(v.t.Context(), a.(string))
			if err != nil {
				continue // a child of one that was revoked
			}
			if path := info.Data["path"].(string); !strings.HasPrefix(path, "auth/approle/login") && !strings.HasPrefix(path, "auth/userpass/login") {
				continue
			}
			again = true
			// Those that the intruder is revoking by itself are gone in
			// between.
			if err := v.Client().Auth().Token().RevokeAccessorWithContext(v.t.Context(), a.(string)); err != nil {
				require.ErrorContains(v.t, err, "token not found")
			}
		}
	}
}

func (f *feeding) overheard() Overheard {
	f.t.Helper()
	o, err := ReadOverheard(strings.NewReader(f.out.String()))
	require.NoError(f.t, err)
	return o
}

// heard waits until a report says so.
func (f *feeding) heard(what string, is func(Overheard) bool) {
	f.t.Helper()
	var o Overheard
	defer func() {
		if f.t.Failed() {
			f.t.Logf("it has heard %+v", o)
		}
	}()
	require.Eventually(f.t, func() bool {
		f.send(Command{Command: Report})
		said, err := ReadOverheard(strings.NewReader(f.out.String()))
		o = said
		return err == nil && is(said)
	}, 2*time.Minute, 20*time.Millisecond, what)
}

// listen starts an intruder that eavesdrops, and waits until it has heard
// everything once.
func listen(t *testing.T, c Command, stolen ...Stolen) *feeding {
	t.Helper()
	f := startIntruder(t)
	c.Command, c.EveryMS = Eavesdrop, 5
	f.send(c)
	for _, s := range stolen {
		f.send(s)
	}
	f.out.waitFor(t, `"listening"`)
	return f
}

// The estate of these tests: one account whose value the device reads, and one
// that is not its.
func eavesdropped(t *testing.T) (*vaultWith, *lab.Slapd, []Stolen) {
	t.Helper()
	v := newVault(t)
	s := newDirectory(t, lab.SlapdPolicy{}, lab.Account{UID: "one", Password: "Stolen-Value-One-1"}, lab.Account{UID: "other", Password: "Other-Value-1"})
	v.put("apps/esg-01/one", map[string]any{"username": "one", "password": "Stolen-Value-One-1"})
	v.put("apps/other/other", map[string]any{"username": "other", "password": "Other-Value-1"})
	role := v.role("esg-01", readRules, nil)
	v.put("apps/esg-01/login", map[string]any{"role_id": role.RoleID, "secret_id": role.Password})
	return v, s, []Stolen{role,
		{ID: "corp/one", Kind: LDAP, Servers: []string{s.LDAPS()}, CAPEM: s.CA, DN: s.AccountDN("one"), Password: "Stolen-Value-One-1"},
		{ID: "corp/other", Kind: LDAP, Servers: []string{s.LDAPS()}, CAPEM: s.CA, DN: s.AccountDN("other"), Known: true}}
}

// The order of a build that is safe: the login and what it minted are dead
// before anything new is written.
func TestAnEavesdropperWhoseLoginDiedFirstHearsNothingNew(t *testing.T) {
	t.Parallel()
	v, s, stolen := eavesdropped(t)
	f := listen(t, Command{}, stolen...)
	fresh := v.secretID("esg-01", "fresh-secret-id-1")
	v.destroySecretIDs("esg-01", fresh)
	f.heard("every token is dead", func(o Overheard) bool {
		v.revokeTokens() // also that of a login which was on its way
		return o.Sum.Tokens > 0 && o.Sum.TokensAlive == 0
	})
	v.put("apps/esg-01/login", map[string]any{"role_id": v.roles["esg-01"], "secret_id": fresh})
	reset(t, s, "one", "Fresh-Value-One-9")
	v.put("apps/esg-01/one", map[string]any{"username": "one", "password": "Fresh-Value-One-9"})
	_, sum := f.finish()
	require.Zero(t, sum.Open)
	o := f.overheard()
	require.Empty(t, o.Judge(nil))
	require.Zero(t, o.Sum.New)
	require.Empty(t, o.Heard)
	require.Equal(t, 1, o.Sum.Logins)
	require.Equal(t, 2, o.Sum.Places, "and not what lies elsewhere")
	require.Equal(t, 2, o.Sum.Values)
	require.Greater(t, o.Sum.Reads, 2)
}

func TestAnEavesdropperReadsWhatIsActivatedBeforeItsLoginDies(t *testing.T) {
	t.Parallel()
	v, s, stolen := eavesdropped(t)
	f := listen(t, Command{}, stolen...)
	reset(t, s, "one", "Fresh-Value-One-9")
	v.put("apps/esg-01/one", map[string]any{"username": "one", "password": "Fresh-Value-One-9"})
	f.heard("it reads the new value", func(o Overheard) bool { return o.Sum.New == 1 })
	v.destroySecretIDs("esg-01", "")
	v.revokeTokens()
	results, _ := f.finish()
	require.Empty(t, Judge(results, []Death{{"corp/one", time.Now().Add(-time.Hour)}})[1:], "what was stolen says nothing of it")
	wrong := f.overheard().Judge(nil)
	require.Len(t, wrong, 1)
	require.Equal(t, ReadIt, wrong[0].What)
	require.Equal(t, "corp/one", wrong[0].ID)
	require.Contains(t, wrong[0].String(), "(kv/apps/esg-01/one version 2, with a token of vault/approle/esg-01, 20")
	require.NotContains(t, f.out.String(), "Value", "what it read is in its memory alone")
	require.NotContains(t, f.out.String(), "ou=people")
	require.NotContains(t, f.out.String(), "hvs.")
}

// The new login itself, read with the old one, mints a token that no revocation
// by what the old one minted finds.
func TestAnEavesdropperMovesOverToTheNewLoginThatItReads(t *testing.T) {
	t.Parallel()
	v, s, stolen := eavesdropped(t)
	f := listen(t, Command{}, stolen...)
	fresh := v.secretID("esg-01", "fresh-secret-id-1")
	v.put("apps/esg-01/login", map[string]any{"role_id": v.roles["esg-01"], "secret_id": fresh})
	f.heard("it reads the new secret-id and logs in", func(o Overheard) bool { return o.Sum.Tokens == 2 })
	v.destroySecretIDs("esg-01", fresh)
	accessors := v.tokensOf("esg-01")
	require.NoError(t, v.Client().Auth().Token().RevokeAccessorWithContext(t.Context(), accessors[0]))
	reset(t, s, "one", "Fresh-Value-One-9")
	v.put("apps/esg-01/one", map[string]any{"username": "one", "password": "Fresh-Value-One-9"})
	f.heard("it reads on with the new login's token", func(o Overheard) bool { return o.Sum.New == 2 })
	f.finish()
	var ids []string
	for _, w := range f.overheard().Judge(nil) {
		ids = append(ids, w.ID)
	}
	require.Equal(t, []string{"corp/one", "vault/approle/esg-01"}, ids)
	require.Equal(t, 1, f.overheard().Sum.Logins, "what it read is no login that was stolen")
}

// tokensOf are the accessors of a role's tokens, the oldest first.
func (v *vaultWith) tokensOf(role string) []string {
	v.t.Helper()
	accessors, err := v.Client().Logical().ListWithContext(v.t.Context(), "auth/token/accessors")
	require.NoError(v.t, err)
	at := map[string]time.Time{}
	var out []string
	for _, a := range accessors.Data["keys"].([]any) {
		info, err := v.Client().Auth().Token().LookupAccessorWithContext(v.t.Context(), a.(string))
		if err != nil {
			continue // one that the intruder has just revoked
		}
		meta, _ := info.Data["meta"].(map[string]any)
		if meta["role_name"] != role {
			continue
		}
		made, err := time.Parse(time.RFC3339Nano, info.Data["issue_time"].(string))
		require.NoError(v.t, err)
		at[a.(string)] = made
		out = append(out, a.(string))
	}
	slices.SortFunc(out, func(a, b string) int { return at[a].Compare(at[b]) })
	return out
}

// A value that lies where a login of the device can read it is tried at every
// account, since who planted a name there chose the account.
func TestAValueOfAnotherAccountAtTheDevicesPlaceIsFound(t *testing.T) {
	t.Parallel()
	for name, custom := range map[string]map[string]any{"that the place names": {"account": "other"}, "that nothing names": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, s, stolen := eavesdropped(t)
			v.put("apps/esg-01/cache", map[string]any{"password": "Cache-Value-1"})
			v.write("kv/metadata/apps/esg-01/cache", map[string]any{"custom_metadata": custom})
			f := listen(t, Command{}, stolen...)
			reset(t, s, "other", "Fresh-Value-Other-9")
			v.put("apps/esg-01/cache", map[string]any{"password": "Fresh-Value-Other-9"})
			f.finish()
			wrong := f.overheard().Judge(nil)
			require.Len(t, wrong, 1)
			require.Equal(t, "corp/other", wrong[0].ID)
		})
	}
}

func TestEveryTokenThatALoginGivesIsHeldAndTried(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	v.put("apps/esg-01/one", map[string]any{"password": "Stolen-Value-One-1"})
	v.put("apps/esg-01/deep/er/two", map[string]any{"password": "Stolen-Value-Two-1"})
	reader := v.role("reader", readRules, nil)
	maker := v.role("maker", readRules+`path "auth/token/create" { capabilities = ["update"] }
path "auth/token/create-orphan" { capabilities = ["update", "sudo"] }
`, nil)
	batch := v.role("batch", readRules, map[string]any{"token_type": "batch", "token_ttl": "10m"})
	require.NoError(t, v.Client().Sys().EnableAuthWithOptionsWithContext(t.Context(), "userpass", &vaultapi.EnableAuthOptions{Type: "userpass"}))
	v.write("auth/userpass/users/device", map[string]any{"password": "Stolen-Value-User-1", "token_policies": "default,reader"})
	user := Stolen{ID: "vault/userpass/device", Kind: Userpass, Servers: []string{v.Address()}, User: "device", Password: "Stolen-Value-User-1"}

	f := listen(t, Command{}, reader, maker, batch, user)
	f.heard("all are held", func(o Overheard) bool { return o.Sum.Logins == 4 && o.Sum.Tokens == 8 && o.Sum.Places == 2 })
	v.destroySecretIDs("reader", "")
	v.destroySecretIDs("maker", "")
	v.destroySecretIDs("batch", "")
	v.write("auth/userpass/users/device", map[string]any{"password": "Fresh-Value-User-9"})
	f.heard("what no revocation reaches lives on: batch and orphan", func(o Overheard) bool {
		// A userpass login compares by bcrypt: one that was on its way when the
		// password was changed gives its token a tenth of a second later.
		v.revokeTokens()
		return o.Sum.TokensAlive == 2
	})
	v.put("apps/esg-01/one", map[string]any{"password": "Fresh-Value-One-9"})
	f.heard("and reads", func(o Overheard) bool { return o.Sum.New == 1 })
	_, sum := f.finish()
	require.Equal(t, 1, sum.Open, "the batch role's session")
	var alive []string
	for _, w := range f.overheard().Judge([]Death{{ID: reader.ID}, {ID: maker.ID}, {ID: batch.ID}, {ID: user.ID}}) {
		require.Equal(t, Minted, w.What)
		alive = append(alive, w.ID+": "+w.Via)
	}
	require.Equal(t, []string{"vault/approle/batch: token", "vault/approle/maker: orphan token"}, alive)
	require.NotContains(t, f.out.String(), "Value")
}

// Tokens are revoked while the secret-id still logs in: a thief has the next
// one at once.
func TestALoginThatStillWorksGivesAnotherToken(t *testing.T) {
	t.Parallel()
	v, _, stolen := eavesdropped(t)
	f := listen(t, Command{}, stolen...)
	v.write("sys/leases/revoke-prefix/auth/approle/login", map[string]any{"sync": true})
	v.put("apps/esg-01/one", map[string]any{"username": "one", "password": "Fresh-Value-One-9"})
	f.heard("it reads on", func(o Overheard) bool { return o.Sum.New == 1 && o.Sum.Tokens > 1 })
	f.finish()
}

func TestAnEavesdropperReadsOlderVersionsAndValuesInDocuments(t *testing.T) {
	t.Parallel()
	v, s, stolen := eavesdropped(t)
	f := listen(t, Command{}, stolen...)
	// Two versions at once: the one between was never current when it looked.
	reset(t, s, "one", "Fresh-Value-One-9")
	v.put("apps/esg-01/one", map[string]any{"username": "one", "dsn": "ldap://one:Fresh-Value-One-9@ldap.example.org/", "n": 7})
	v.put("apps/esg-01/one", map[string]any{"username": "one", "json": `{"deep":{"password":"Nobodys-Value-9"}}`})
	f.finish()
	o := f.overheard()
	require.Len(t, o.Judge(nil), 1)
	require.Equal(t, 1, o.Sum.InForce)
	fields := map[string]int{}
	for _, h := range o.Heard {
		fields[h.Field] = h.Version
	}
	require.Equal(t, map[string]int{"dsn": 2, "dsn.password": 2, "n": 2, "json": 3, "json.json.deep.password": 3}, fields)
}

func TestASealedVaultIsNeitherADeadTokenNorALoss(t *testing.T) {
	t.Parallel()
	v, _, stolen := eavesdropped(t)
	f := listen(t, Command{}, stolen...)
	require.NoError(t, v.Seal(t.Context()))
	f.out.waitFor(t, `"via":"login"`, `"to":"unreachable"`)
	require.NoError(t, v.Unseal(t.Context()))
	v.put("apps/esg-01/one", map[string]any{"username": "one", "password": "Fresh-Value-One-9"})
	f.heard("it reads on, with the token it had", func(o Overheard) bool { return o.Sum.New == 1 && o.Sum.Tokens == 1 })
	f.finish()
}

func TestAKeptConnectionSetsAPasswordWhereTheDirectoryLetsIt(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		policy lab.SlapdPolicy
		sets   bool
	}{
		"with self-write":                  {lab.SlapdPolicy{}, true},
		"where the old one must be sent":   {lab.SlapdPolicy{SafeModify: true}, false},
		"where a password must grow older": {lab.SlapdPolicy{MinAge: time.Hour}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newDirectory(t, row.policy, lab.Account{UID: "one", Password: "Stolen-Value-One-1"})
			f := startIntruder(t)
			f.send(Command{Command: Eavesdrop, Connections: 4, SelfWrite: true})
			f.send(Stolen{ID: "corp/one", Kind: LDAP, Servers: []string{s.LDAPS()}, CAPEM: s.CA, DN: s.AccountDN("one"), Password: "Stolen-Value-One-1"})
			f.heard("it keeps a connection", func(o Overheard) bool { return o.Sum.Connections == 1 })
			reset(t, s, "one", "Fresh-Value-One-9")
			_, sum := f.finish()
			require.Zero(t, sum.Open, "the stolen value is dead")
			o := f.overheard()
			require.Equal(t, 1, o.Sum.ConnectionsOpen, "a reset ends no connection")
			if !row.sets {
				require.Empty(t, o.Judge(nil))
				return
			}
			require.Len(t, o.Judge(nil), 1)
			require.Equal(t, SetIt, o.Judge(nil)[0].What)
			require.Equal(t, "corp/one", o.Judge(nil)[0].ID)
		})
	}
}

func TestWhatIsKnownAndNotStolenIsNotTried(t *testing.T) {
	var out strings.Builder
	require.NoError(t, Run(t.Context(), strings.NewReader(`{"id":"a","kind":"ldap","dn":"cn=a","servers":["ldap://127.0.0.1:1"],"known":true}`+"\n"), &out))
	require.Equal(t, `{"type":"summary","credentials":0,"open":0,"tries":0,"successes":0}`+"\n", out.String())
}

func TestTheJudgeOfWhatWasHeard(t *testing.T) {
	o, err := ReadOverheard(strings.NewReader(`{"type":"heard","place":"kv/x","field":"password","version":2,"new":true,"by":"vault/approle/a","via":"token"}
{"type":"eavesdropper","new":1}
{"type":"result","id":"a"}
{"type":"heard","place":"kv/x","field":"password","version":2,"new":true,"by":"vault/approle/a","via":"token","opens":[{"id":"corp/b","server":"s1"},{"id":"corp/a","server":"s1"}]}
{"type":"heard","place":"kv/y","field":"password","version":2,"new":true,"by":"vault/approle/a","via":"child token"}
{"type":"eavesdropper","new":2,"in_force":1,"own_password_set":[{"id":"corp/c","server":"s1"}]}
`))
	require.NoError(t, err)
	require.Equal(t, 2, o.Sum.New)
	require.Len(t, o.Heard, 2, "the later report stands")
	var got []string
	for _, v := range o.Judge(nil) {
		got = append(got, v.ID+": "+string(v.What))
	}
	require.Equal(t, []string{"corp/a: " + string(ReadIt), "corp/b: " + string(ReadIt), "corp/c: " + string(SetIt)}, got)
	_, err = ReadOverheard(strings.NewReader("not json\n"))
	require.Error(t, err)
}
