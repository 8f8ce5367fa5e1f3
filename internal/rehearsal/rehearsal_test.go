package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/kind/registry"
	"rollcall/internal/lab"
	"rollcall/internal/listing"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/vault/setup"
)

const place = "ou=rehearsal,dc=example,dc=org"

// On a busy machine a replica follows in its own time.
func init() { patience = 5 * time.Minute }

// start starts an estate, sets Rollcall up in its Vault, and reads its campaign
// file after edit.
func start(t *testing.T, o estate.Options, edit func(e *estate.Estate, text string) string) (*estate.Estate, *config.Campaign) {
	t.Helper()
	o.Dir = t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	e, err := estate.Start(ctx, o)
	require.NoError(t, err)
	t.Cleanup(func() { e.Stop(context.WithoutCancel(ctx)) })
	file, err := e.CampaignFile(nil, "")
	require.NoError(t, err)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	file = filepath.Join(e.Dir, "rehearse.yaml")
	patient := strings.ReplaceAll(edit(e, string(text)), "    driver: ", "    timeout: 2m\n    driver: ")
	require.NoError(t, os.WriteFile(file, []byte(patient), 0o600))
	spec, err := config.Load(file)
	require.NoError(t, err)
	t.Setenv("HOME", t.TempDir())
	e.Vault.UseIn(t, e.Vault.RootToken().Reveal())
	store := open(t, spec)
	_, err = setup.Run(t.Context(), store, spec, nil)
	require.NoError(t, err)
	_, err = setup.Run(t.Context(), store, spec, rehearsal(t, spec).Roll.Credentials) // as init does
	require.NoError(t, err)
	return e, spec
}

// open opens the store with the token of the environment.
func open(t *testing.T, spec *config.Campaign) *ownmount.Store {
	t.Helper()
	store, err := ownmount.Open(t.Context(), ownmount.Settings{Mount: spec.Vault.Mount, Transit: spec.Vault.Transit})
	require.NoError(t, err)
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// rehearsal lists, as the command does.
func rehearsal(t *testing.T, spec *config.Campaign) *Rehearsal {
	t.Helper()
	store := open(t, spec)
	kinds := registry.New(store.Client)
	t.Cleanup(func() { _ = kinds.Close() })
	roll, _, err := listing.List(t.Context(), store, kinds, spec, "dry-test")
	require.NoError(t, err)
	return &Rehearsal{Store: store, Kinds: kinds, Spec: listing.Servers{Servers: roll.Servers, Addresses: roll.Addresses}.Of(spec), Roll: roll}
}

// worker logs in with the worker's policy alone, as a campaign does.
func worker(t *testing.T, e *estate.Estate, policies ...string) {
	t.Helper()
	made, err := e.Vault.Client().Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: append(policies, vault.WorkerPolicy), TTL: "1h"})
	require.NoError(t, err)
	e.Vault.UseIn(t, made.Auth.ClientToken)
}

// traces are the change marks of all accounts of the roll, and the versions of
// their live paths: what no rehearsal may change.
func traces(t *testing.T, r *Rehearsal) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, c := range r.Roll.Credentials {
		a, err := r.Kinds.Authority(r.Spec, c.Authority, c.Kind)
		require.NoError(t, err)
		for _, s := range a.Servers() {
			acc, err := a.Account(t.Context(), s, c)
			require.NoError(t, err)
			out[c.ID+" at "+s] = fmt.Sprint(acc.State, acc.Changed, acc.Failed)
		}
		for _, p := range c.Paths {
			live, err := r.Store.ReadLive(t.Context(), p, 0)
			require.NoError(t, err)
			out[p.String()] = fmt.Sprint(live.Version)
		}
	}
	require.NotEmpty(t, out)
	return out
}

// nothingLeft: no account below the place, nothing kept in Vault.
func nothingLeft(t *testing.T, e *estate.Estate, r *Rehearsal, at string) {
	t.Helper()
	left, err := r.Store.Rehearsals(t.Context())
	require.NoError(t, err)
	require.Empty(t, left)
	names, err := r.Store.Names(t.Context(), "look", r.Store.Mount(), ownmount.RehearsalsFolder+"/")
	require.NoError(t, err)
	require.Empty(t, names)
	staged, err := r.Store.ListStaged(t.Context())
	require.NoError(t, err)
	require.NotContains(t, strings.Join(staged, " "), authority.Bogus)
	if mount, folder, ok := strings.Cut(at, "/"); ok {
		left, err := e.Vault.Client().Logical().List(mount + "/metadata/" + folder) // as root: the worker may not look
		require.NoError(t, err)
		require.Nil(t, left)
	}
}

func below(t *testing.T, dial func(context.Context) (*ldap.Conn, error), dn string) (names []string) {
	t.Helper()
	conn, err := dial(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	got, err := conn.Search(ldap.NewSearchRequest(dn, ldap.ScopeSingleLevel, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", []string{"1.1"}, nil))
	require.NoError(t, err)
	for _, e := range got.Entries {
		names = append(names, e.DN)
	}
	return names
}

func add(t *testing.T, dial func(context.Context) (*ldap.Conn, error), dn string, attrs map[string][]string) {
	t.Helper()
	conn, err := dial(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	req := ldap.NewAddRequest(dn, nil)
	for k, v := range attrs {
		req.Attribute(k, v)
	}
	require.NoError(t, conn.Add(req))
}

func byAuthority(results []Result) map[string]Result {
	out := map[string]Result{}
	for _, r := range results {
		out[r.Authority+" "+string(r.Kind)] = r
	}
	return out
}

// A rehearsal beside a full roll goes through the whole protocol on each
// authority, changes nothing of the roll, and leaves nothing behind. Then each
// fault is reported as what a campaign would have met.
func TestARehearsalGoesThroughTheProtocolAndTouchesNothingOfTheRoll(t *testing.T) {
	const live = "kv/apps/other/rehearsals"
	e, spec := start(t, estate.Options{Accounts: 4, Replica: true, AppRoles: 1, Users: 1, Postgres: 2, DS389: 2, Policy: lab.SlapdPolicy{MinLength: 60}}, func(e *estate.Estate, text string) string {
		in := func(name, what string) {
			text = strings.Replace(text, "  "+name+":\n", "  "+name+":\n    rehearsal: "+what+"\n", 1)
		}
		in("corp", "{under: \""+place+"\"}")
		in(estate.DS389Name, "{under: \""+place+"\"}")
		in(estate.PostgresName, "{create: true}")
		return text + "\nvault: {rehearsal: {path: " + live + ", approle: approle/rollcall-rehearsal, userpass: userpass/rollcall-rehearsal}}\n"
	})
	ou := map[string][]string{"objectClass": {"organizationalUnit"}, "ou": {"rehearsal"}}
	add(t, e.Slapd.AdminConn, place, ou)
	ou["aci"] = []string{`(targetattr="*")(version 3.0; acl "the binder rehearses here"; allow (all) userdn="ldap:///` + e.DS389.BinderDN + `";)`,
		`(targetattr!="userPassword || aci")(version 3.0; acl "logins read"; allow (read, search, compare) userdn="ldap:///all";)`}
	add(t, e.DS389.AdminConn, place, ou)
	admin := e.Vault.Client().Logical()
	for path, data := range map[string]map[string]any{"auth/approle/role/rollcall-rehearsal": {"token_no_default_policy": true, "token_ttl": "60s"},
		"auth/userpass/users/rollcall-rehearsal": {"password": "of-no-use-" + e.Vault.RootToken().Reveal()[:6], "token_no_default_policy": true}} {
		_, err := admin.Write(path, data)
		require.NoError(t, err)
	}
	worker(t, e)
	r := rehearsal(t, spec)
	require.GreaterOrEqual(t, len(r.Roll.Credentials), 10)
	before := traces(t, r)

	results := r.All(t.Context())
	got := byAuthority(results)
	require.Len(t, got, 5)
	for name, res := range got {
		require.Equal(t, Passed, res.State, "%s: %+v", name, res)
		require.Equal(t, protocol.ProofBind, res.Proof, name)
		require.Empty(t, res.Left)
		require.NotEmpty(t, res.Servers)
		for _, s := range res.Servers {
			require.Equal(t, string(Passed), s.State, name)
		}
	}
	require.Len(t, got["corp ldap-password"].Servers, 2)
	require.Len(t, got[estate.PostgresName+" postgres-password"].Servers, 2)
	require.Zero(t, Code(results))
	gone := func() {
		t.Helper()
		nothingLeft(t, e, r, live)
		require.Equal(t, before, traces(t, r), "nothing of the roll was touched")
		require.Empty(t, below(t, e.Slapd.AdminConn, place))
		require.Empty(t, below(t, e.DS389.AdminConn, place))
		var roles int
		conn, err := e.Postgres.AdminConn(t.Context())
		require.NoError(t, err)
		defer conn.Close(t.Context())
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'rollcall-rehearsal%'").Scan(&roles))
		require.Zero(t, roles)
		require.NoError(t, e.CheckBystanders(t.Context()))
	}
	gone()

	one := func(r *Rehearsal, name string) Result {
		t.Helper()
		return r.at(t.Context(), stage{authority: name, kind: spec.KindOf(name), in: spec.Rehearsal(name)})
	}
	t.Run("a crash at any moment: the next one removes it, and not what lives", func(t *testing.T) {
		s := stage{authority: "corp", kind: spec.KindOf("corp"), in: spec.Rehearsal("corp"), id: "abcdef012345"}
		s.name = authority.Bogus + "-" + s.id
		_, stop, err := r.open(t.Context(), &s)
		require.NoError(t, err)
		c, err := r.account(t.Context(), &s)
		require.NoError(t, err)
		_, _, err = s.store.Stage(t.Context(), c.ID, ownmount.Staged{Secret: credential.NewSecret("x"), Campaign: "c", Attempt: 1})
		require.NoError(t, err)
		stop() // as kill -9 does: nothing is removed
		live := s
		live.id, live.made = "abcdef99", false
		live.name = authority.Bogus + "-" + live.id
		_, stop, err = r.open(t.Context(), &live)
		require.NoError(t, err)
		removed, err := r.Leftovers(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"corp " + s.name}, removed)
		require.Empty(t, below(t, e.Slapd.AdminConn, place))
		records, err := r.Store.Rehearsals(t.Context())
		require.NoError(t, err)
		require.Len(t, records, 1, "it lives")
		stop()
		require.NoError(t, r.Store.EndRehearsal(t.Context(), live.id))
		gone()
	})
	t.Run("an account of the roll is left alone", func(t *testing.T) {
		s := stage{authority: "corp", kind: spec.KindOf("corp"), in: authority.Rehearsal{Account: e.Slapd.AccountDN("svc-esg-0001")}, store: r.Store}
		res := r.at(t.Context(), s)
		require.Equal(t, NotRehearsed, res.State)
		require.Contains(t, res.Cure, "whose name does not begin with rollcall-rehearsal")
		err := r.notOnTheRoll(credential.Credential{Authority: "corp", ID: e.ID("svc-esg-0001")})
		require.ErrorContains(t, err, "is on the roll, and was left alone")
		gone()
	})
	t.Run("a replica that is stopped", func(t *testing.T) {
		require.NoError(t, e.PostgresReplica.Stop(t.Context()))
		res := one(r, estate.PostgresName)
		require.Equal(t, WouldFail, res.State)
		require.Equal(t, protocol.ReasonUnreachable, res.Reason)
		require.NotEmpty(t, res.Next)
		require.Equal(t, []Server{{e.Postgres.URL(), string(Passed)}, {e.PostgresReplica.URL(), string(WouldFail)}}, res.Servers)
		require.Empty(t, res.Left)
		require.Equal(t, 1, Code([]Result{res}))
	})
	t.Run("rights are missing to make one", func(t *testing.T) {
		conn, err := e.DS389.AdminConn(t.Context())
		require.NoError(t, err)
		defer conn.Close()
		mod := ldap.NewModifyRequest(place, nil)
		mod.Delete("aci", nil)
		require.NoError(t, conn.Modify(mod))
		require.NoError(t, e.DS389.AwaitIdle(t.Context()))
		res := one(r, estate.DS389Name)
		require.Equal(t, NotRehearsed, res.State, "a campaign would not have met it")
		require.Contains(t, res.Cure, "make a bogus account below rehearsal.under")
		require.Empty(t, res.Left)
		require.Equal(t, 2, Code([]Result{res}))
	})
	t.Run("the right to set passwords is missing", func(t *testing.T) {
		conn, err := e.DS389.AdminConn(t.Context())
		require.NoError(t, err)
		defer conn.Close()
		mod := ldap.NewModifyRequest(place, nil)
		mod.Replace("aci", []string{`(targetattr="*")(version 3.0; acl "makes and removes"; allow (add, delete) userdn="ldap:///` + e.DS389.BinderDN + `";)`})
		require.NoError(t, conn.Modify(mod))
		require.NoError(t, e.DS389.AwaitIdle(t.Context()))
		res := one(r, estate.DS389Name)
		require.Equal(t, WouldFail, res.State, "%+v", res)
		require.Equal(t, protocol.ReasonRights, res.Reason)
		require.Empty(t, res.Left)
		require.Empty(t, below(t, e.DS389.AdminConn, place))
	})
	t.Run("the password policy refuses the generated value", func(t *testing.T) {
		e.Vault.UseIn(t, e.Vault.RootToken().Reveal())
		defer worker(t, e)
		require.NoError(t, e.Vault.SeedKV(t.Context(), map[string]map[string]any{"infra/writer": {"password": e.Slapd.WriterPassword}}))
		d := spec.Directories["corp"]
		d.Bind = config.Bind{DN: e.Slapd.WriterDN, Password: credential.Path{Mount: "kv", Path: "infra/writer", Field: "password"}}
		weaker := *spec
		weaker.Directories = map[string]config.Directory{"corp": d}
		res := one(&Rehearsal{Store: open(t, spec), Kinds: registry.New(open(t, spec).Client), Spec: &weaker, Roll: r.Roll}, "corp")
		require.Equal(t, WouldFail, res.State, "%+v", res)
		require.Equal(t, protocol.ReasonPolicy, res.Reason, "an identity with write is bound by it, one with manage is not")
		require.Empty(t, res.Left)
		require.Empty(t, below(t, e.Slapd.AdminConn, place))
	})
	t.Run("Vault refuses the live path", func(t *testing.T) {
		require.NoError(t, e.Vault.Client().Sys().PutPolicy("no-live", `path "`+strings.Replace(live, "kv/", "kv/data/", 1)+`/rollcall-rehearsal-*" { capabilities = ["deny"] }`))
		worker(t, e, "no-live")
		res := one(rehearsal(t, &config.Campaign{Device: spec.Device, Containment: spec.Containment, Vault: spec.Vault, Directories: map[string]config.Directory{"corp": spec.Directories["corp"]}, Sources: spec.Sources[:1]}), "corp")
		require.Equal(t, WouldFail, res.State, "%+v", res)
		require.Equal(t, protocol.ReasonVaultRights, res.Reason)
		require.Empty(t, res.Left)
		require.Empty(t, below(t, e.Slapd.AdminConn, place))
		worker(t, e)
	})
}

// In a domain an administrator's account is rehearsed with, or one is made;
// either is reset twice.
func TestARehearsalInADomain(t *testing.T) {
	require.NoError(t, lab.CanStartSamba(t.Context()))
	e, spec := start(t, estate.Options{Accounts: 1, Domain: 1}, func(e *estate.Estate, text string) string {
		return strings.Replace(text, "  "+estate.DomainName+":\n", "  "+estate.DomainName+":\n    rehearsal: {under: \""+e.Domain.ServicesDN()+"\"}\n", 1)
	})
	r := rehearsal(t, spec)
	before := traces(t, r)
	res := byAuthority(r.All(t.Context()))
	require.Equal(t, NotRehearsed, res["corp ldap-password"].State)
	require.Contains(t, res["corp ldap-password"].Cure, "rehearsal")
	refused := res[estate.DomainName+" ad-password"]
	require.Equal(t, NotRehearsed, refused.State, "its login may reset passwords and make no accounts: %+v", refused)
	require.Contains(t, refused.Cure, "docs/rights.md")

	// What dsacls OU /G "EXAMPLE\rollcall:CCDC;user" and, below it, RPWP grant.
	const user = "bf967aba-0de6-11d0-a285-00aa003049e2"
	require.NoError(t, e.Domain.AddACE(t.Context(), e.Domain.ServicesDN(), e.Domain.BinderDN, "(OA;;CCDC;"+user+";;%[1]s)(OA;CIIO;RPWP;;"+user+";%[1]s)"))
	made := r.All(t.Context())
	got := byAuthority(made)[estate.DomainName+" ad-password"]
	require.Equal(t, Passed, got.State, "%+v", got)
	require.True(t, got.Made)
	require.Equal(t, 2, Code(made), "corp was not rehearsed")

	add(t, e.Domain.AdminConn, "CN=rollcall-rehearsal,"+e.Domain.ServicesDN(), map[string][]string{"objectClass": {"user"}, "sAMAccountName": {"rollcall-rehearsal"}, "userAccountControl": {"514"}})
	theirs := r.at(t.Context(), stage{authority: estate.DomainName, kind: credential.ADPassword, in: authority.Rehearsal{Account: "CN=rollcall-rehearsal," + e.Domain.ServicesDN()}})
	require.Equal(t, NotRehearsed, theirs.State)
	require.Contains(t, theirs.Cure, "disabled")
	require.False(t, theirs.Made)
	nothingLeft(t, e, r, "")
	require.Equal(t, before, traces(t, r))
	require.False(t, slices.ContainsFunc(below(t, e.Domain.AdminConn, e.Domain.ServicesDN()), func(dn string) bool {
		return authority.IsBogus(dn) && !strings.HasPrefix(dn, "CN=rollcall-rehearsal,")
	}))
}

func TestCodeOfSeveralResults(t *testing.T) {
	require.Zero(t, Code(nil))
	require.Zero(t, Code([]Result{{State: Passed}}))
	require.Equal(t, 2, Code([]Result{{State: NotRehearsed}, {State: Passed}}))
	require.Equal(t, 1, Code([]Result{{State: NotRehearsed}, {State: WouldFail}}))
	require.Equal(t, 1, Code([]Result{{State: Passed, Left: "it"}}))
	require.Equal(t, protocol.ReasonInternal, asStop(errors.New("x")).Reason)
}
