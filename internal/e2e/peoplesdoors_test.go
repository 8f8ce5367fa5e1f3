package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/mail"
	"rollcall/internal/estate"
	"rollcall/internal/lab"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// startRADIUS puts a RADIUS server in front of the estate's directory, whose
// shared secret Vault holds.
func startRADIUS(t *testing.T, e *estate.Estate) *lab.FreeRADIUS {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	dir := filepath.Join(e.Dir, "radius")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	s, err := lab.StartFreeRADIUS(ctx, lab.FreeRADIUSOptions{Dir: dir, Directory: e.Slapd})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(t, s.Stop(ctx))
	})
	_, err = e.Vault.Client().KVv2("kv").Put(t.Context(), "infra/radius", map[string]any{"secret": s.Secret})
	require.NoError(t, err)
	return s
}

// Accounts of a directory and an account that only a person changes, at two
// doors, of which one remembers logins for an hour. The campaign is killed
// again and again; each door sees no wrong login that a good one does not
// follow, so that three of them, which lock an account, never come together.
func TestDoorsProveWhatRollcallRotatesAndWhatPeopleChange(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 2})
	m, r := startDovecot(t, e, time.Hour), startRADIUS(t, e)
	const login, stolen, changed = "nas-admin", "stolen-of-the-nas-8Q", "alices-own-choice-77"
	admin, err := e.Slapd.AdminConn(t.Context())
	require.NoError(t, err)
	defer admin.Close()
	add := ldap.NewAddRequest(e.Slapd.AccountDN(login), nil)
	add.Attribute("objectClass", []string{"inetOrgPerson"})
	add.Attribute("cn", []string{login})
	add.Attribute("sn", []string{login})
	add.Attribute("userPassword", []string{stolen})
	require.NoError(t, admin.Add(add))
	vault := e.Vault.Client()
	write := func(value string) {
		_, err := vault.KVv2("kv").Put(t.Context(), "people/nas", map[string]any{"password": value})
		require.NoError(t, err)
	}
	write(stolen)
	imap := mail.OpenIMAP(door.Settings{Type: "imaps", Address: m.Address("imaps"), TLS: door.Implicit, CA: string(e.CA.PEM), Timeout: time.Minute})
	asks := func(uid, value string) protocol.Reply {
		return imap.Ask(t.Context(), uid, credential.NewSecret(value)).Reply
	}
	require.Equal(t, protocol.Accepted, asks(login, stolen), "it is remembered")

	file, err := e.CampaignFile(nil, "limits: {retry_min: 200ms, retry_max: 1s, deadline: 60s, batch: 20}\n"+fmt.Sprintf(`doors:
  mail: {type: imaps, address: %q, ca_file: ca.pem, software: dovecot, for: [{directory: corp}]}
  vpn: {type: radius, address: %q, secret: "kv/infra/radius#secret", for: [{directory: corp}, {account: "svc-mistyped-*"}]}
`, m.Address("imaps"), r.Address()))
	require.NoError(t, err)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	with := strings.Replace(string(text), "sources:\n", "sources:\n  - {name: people, type: manifest, file: tasks.yaml}\n", 1)
	require.NoError(t, os.WriteFile(file, []byte(with), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(e.Dir, "tasks.yaml"), []byte("- {kind: local-account, name: nas, login: "+login+", owner: people/alice, due: 8h, make: false, path: kv/people/nas#password, doors: mail}\n"), 0o600))
	u := newUser(t, e, file)
	u.must("init")
	p := &people{u, vault}
	require.NoError(t, vault.Sys().EnableAuthWithOptions("people", &vaultapi.EnableAuthOptions{Type: "userpass"}))
	alice := p.token("alice")

	// A match that takes nothing is a door that is not asked.
	for command, code := range map[string]int{"list": 2, "plan": 2, "doctor": 1} {
		out := u.run(command)
		require.Equal(t, code, out.code, out.out+out.err)
		require.Contains(t, strings.Join(strings.Fields(out.out+out.err), " "), "doors.vpn.for[1] (account: svc-mistyped-*) takes no credential of the roll", command)
	}
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(with, `, {account: "svc-mistyped-*"}`, "", 1)), 0o600))
	plan := strings.Join(strings.Fields(u.must("plan")), " ")
	require.Contains(t, plan, "mail, imaps://"+m.Address("imaps")+": 3 credentials, as {account}")
	require.Contains(t, plan, "nas")
	require.Contains(t, plan, "may take an old value for up to 1h0m0s (Dovecot")
	require.Contains(t, plan, "doveadm auth cache flush USER", "what ends it")
	require.Contains(t, plan, "goes on when the password is dead: IMAP (Dovecot)")

	// Killed while it begins, sets, and asks.
	for range 3 {
		before := u.entries()
		cmd, _ := u.begin("run")
		require.Eventually(t, func() bool { return u.entries() > before }, patience, 5*time.Millisecond)
		require.True(t, u.kill(cmd, "both"))
	}
	state := p.waiting()
	accounts := 0
	for _, l := range state.Credentials {
		if l.Kind.ByHand() {
			continue
		}
		accounts++
		require.Equal(t, ledger.Dead, l.Outcome, l.Detail)
		require.Len(t, l.AtDoors, 2)
		for _, ev := range l.AtDoors {
			require.Equal(t, []protocol.Reply{protocol.Accepted, protocol.Refused, protocol.Accepted}, []protocol.Reply{ev.First, ev.Old, ev.New}, ev.Door)
		}
	}
	require.Equal(t, 2, accounts)

	// Said, and not done: what Vault holds is what it held.
	require.Zero(t, p.as(alice, "tasks", "done", "nas", "--end", "1").code)
	nas := p.waiting().Credential("person/" + estate.Device + "/nas")
	require.Equal(t, protocol.ReasonByHand, nas.Reason)
	require.Contains(t, nas.Detail, "write the new value there")
	require.Contains(t, strings.Join(strings.Fields(u.run("tasks").out), " "), "each end is said to be done, and it is not proved")
	// It is set before it is written: a door that is offered a new value too
	// early remembers that it was wrong (Dovecot, for as long as a good one).
	mod := ldap.NewModifyRequest(e.Slapd.AccountDN(login), nil)
	mod.Replace("userPassword", []string{changed})
	require.NoError(t, admin.Modify(mod))
	write(changed)
	var last ran
	require.Eventually(t, func() bool { last = u.run("run"); return last.code == 0 }, 2*patience, 100*time.Millisecond, "%s%s", last.out, last.err)
	require.Contains(t, last.out, "1 by doors")
	state = u.ledger()
	nas = state.Credential(nas.ID)
	require.Equal(t, protocol.ProofDoors, nas.Proof)
	require.Equal(t, protocol.Refused, nas.AtDoors[0].Old)
	require.Equal(t, protocol.Refused, asks(login, stolen))
	require.Equal(t, protocol.Accepted, asks(login, changed))
	u.must("ledger", "verify")
	for _, value := range []string{stolen, changed} {
		require.NotContains(t, u.must("ledger", "cat")+last.out+last.err, value)
	}
	got, err := admin.Search(ldap.NewSearchRequest(e.Slapd.PeopleDN(), ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false, "(pwdAccountLockedTime=*)", []string{"1.1"}, nil))
	require.NoError(t, err)
	require.Empty(t, got.Entries)
}
