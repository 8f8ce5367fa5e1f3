package e2e

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/intruder"
	"rollcall/internal/lab"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// policy389 is what a password administrator must not notice. The intruder's
// own wrong passwords count too: at most four in a row on each server, and the
// proof's one. The consumer adds what happens there to what its supplier has
// counted.
var policy389 = lab.DS389Policy{History: 5, MinAge: time.Hour, MinLength: 20, MaxFailure: 11, LockoutDuration: time.Hour, TrackUpdate: true, Global: true}

func TestACampaignOn389DirectoryServerLeavesNothingAliveOnSupplierAndConsumer(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 2, Bystanders: 2, DS389: 30, DS389Policy: policy389})
	file, err := e.CampaignFile(nil, unhurried)
	require.NoError(t, err)
	u := newUser(t, e, file).edited("driver: 389ds\n", "driver: 389ds\n"+waitsLong)
	u.must("init")
	doctor := u.must("doctor")
	require.Contains(t, doctor, `the server calls itself "389-Directory/`)
	require.Contains(t, doctor, "bind.dn may write userPassword of")
	require.Contains(t, u.must("plan"), e.DS389.LDAPS())
	r := startRaid(t, e)

	ran := u.run("run")
	require.Zero(t, ran.code, ran.out+ran.err)
	results := r.end()

	state := u.ledger()
	require.Equal(t, ledger.Closed, state.Phase)
	require.Len(t, state.Credentials, 32)
	requireAllDead(t, state, results)
	requireConsumersServed(t, e)
	requireBystandersUntouched(t, e)
	requireClean(t, e)
	adopted := 0
	for _, s := range on389(e) {
		l := state.Credential(s.ID)
		require.Equal(t, credential.LDAPPassword, l.Kind)
		require.Len(t, l.Evidence, 2, "supplier and consumer")
		if p, held := e.Live[s.ID]; held {
			require.Equal(t, protocol.ProofBind, l.Proof)
			require.Empty(t, l.Findings, l.Name)
			require.Equal(t, 2, versions(t, e.Vault.Client(), p), "consumers see one change")
			continue
		}
		adopted++
		require.Equal(t, protocol.ProofMetadata, l.Proof, "Vault never held it")
		require.Equal(t, []credential.FindingCode{credential.FindingNeverHeld}, codes(l))
	}
	require.Equal(t, 10, adopted)
	requireNotLocked389(t, e)
	bystander := credential.NewSecret(e.DS389.SeededPassword(estate.DS389Bystander))
	for _, server := range e.DS389Servers() {
		require.True(t, binds(t, e, server, e.DS389.AccountDN(estate.DS389Bystander), bystander), "not tied to the device, and touched")
	}
	require.Contains(t, u.must("report"), estate.DS389Name)
	requireToldOfOthers389(t, u)
}

// requireToldOfOthers389: once the supplier shows its agreements, a file that
// leaves the consumer out ends no campaign without a word.
func requireToldOfOthers389(t *testing.T, u *user) {
	t.Helper()
	var rule string
	for _, d := range decode[[]diagnosis](t, u.must("doctor", "-o", "json")) {
		if d.What == "all servers" && d.Where == estate.DS389Name {
			_, rule, _ = strings.Cut(d.Detail, "aci: ")
		}
	}
	require.NotEmpty(t, rule, "doctor says what would have to be shown")
	conn, err := u.e.DS389.AdminConn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	grant := ldap.NewModifyRequest("cn=mapping tree,cn=config", nil)
	grant.Add("aci", []string{rule})
	require.NoError(t, conn.Modify(grant))
	require.Contains(t, u.must("doctor"), "the directory shows no server that the file does not name")

	less := u.edited("\n      - "+u.e.DS389Consumer.LDAPS(), "")
	const knows = "the file names no server for these, which make or take changes"
	wrong, code := diagnose(t, less)
	require.Equal(t, 1, code)
	require.Len(t, wrong, 2, "%v", wrong)
	require.Contains(t, wrong[0].Detail, "earlier campaigns had servers or doors that this file does not reach")
	require.Contains(t, wrong[1].Detail, knows)
	listed := less.run("list")
	require.Equal(t, 2, listed.code, listed.err)
	require.Contains(t, listed.err, "warning: more-servers: directory "+estate.DS389Name)
	ran := less.run("run")
	require.Equal(t, 2, ran.code, ran.out+ran.err)
	require.Contains(t, ran.err, "this list may be incomplete: 2 warnings of the listing")
	require.Contains(t, strings.Join(strings.Fields(ran.out), " "), knows)
	require.True(t, slices.ContainsFunc(less.ledger().Findings, func(f credential.Finding) bool { return f.Code == credential.FindingMoreServers }))
	require.Contains(t, strings.Join(strings.Fields(less.must("report")), " "), knows)
}

func TestALaggingConsumerOf389DirectoryServerKeepsItsCredentialsOpenUntilItCatchesUp(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 2, DS389: 12, DS389Policy: policy389})
	file, err := e.CampaignFile(nil, patient)
	require.NoError(t, err)
	u := newUser(t, e, file).edited("driver: 389ds\n", "driver: 389ds\n"+waitsLong)
	u.must("init")
	held := lag{
		far:    e.DS389Consumer.LDAPS(),
		stolen: slices.DeleteFunc(on389(e), func(s intruder.Stolen) bool { return e.Live[s.ID].Path == "" }),
		heal:   e.DS389Consumer.ResumeReplication,
		changed: func(dn string) string {
			return attrAt389(t, e.DS389, dn, "pwdUpdateTime") + attrAt389(t, e.DS389, dn, "modifyTimestamp")
		},
	}
	require.Len(t, held.stolen, 8)

	e.DS389Consumer.PauseReplication()
	cmd, said := u.begin("run")
	changed := u.heldOpen(held, said)
	for _, d := range deaths(t, u.ledger()) {
		require.False(t, strings.HasPrefix(d.ID, estate.DS389Name+"/"), "%s is dead on one server only", d.ID)
	}
	u.healed(held, changed, cmd, said)
	requireNotLocked389(t, e)
}

// on389 are the stolen credentials of the 389 Directory Server.
func on389(e *estate.Estate) (out []intruder.Stolen) {
	for _, s := range e.Stolen {
		if strings.HasPrefix(s.ID, estate.DS389Name+"/") {
			out = append(out, s)
		}
	}
	return out
}

// requireNotLocked389: a failure count at the threshold is what locks, and each
// server has its own.
func requireNotLocked389(t *testing.T, e *estate.Estate) {
	t.Helper()
	for _, s := range on389(e) {
		for _, server := range []*lab.DS389{e.DS389, e.DS389Consumer} {
			require.Empty(t, attrAt389(t, server, s.DN, "accountUnlockTime"), "%s is locked at %s", s.DN, server.LDAPS())
		}
	}
}

// attrAt389 reads an attribute as the Directory Manager.
func attrAt389(t *testing.T, s *lab.DS389, dn, name string) string {
	t.Helper()
	conn, err := s.AdminConn(context.Background())
	require.NoError(t, err)
	defer conn.Close()
	if v := readAttr(t, conn, dn, name); len(v) > 0 {
		return v[0]
	}
	return ""
}
