package rotation

import (
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

// At the end of a campaign logins have moved the marks of accounts, and somebody has set a
// password of his own, perhaps within the second of the reset.
func TestTheLookAtTheEndTellsAChangeFromALogin(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{MaxFailure: 3}, LastBind: true})
	var cs []credential.Credential
	var kept []*ldap.Conn
	for n := range 5 {
		cs = append(cs, r.credential(n))
		conn, err := r.login(r.slapd, cs[n].Name, r.accounts[n].Password)
		require.NoError(t, err)
		kept = append(kept, conn)
	}
	proved := make([]Proved, len(cs))
	for n, got := range r.run(cs, nothing) {
		require.True(t, got.Dead(), "%+v", got)
		proved[n] = Proved{cs[n], got.Evidence[0].Changed, got.To}
	}
	const untouched, consumer, stale, thief, locked = 0, 1, 2, 3, 4
	now, _ := r.store.ReadLive(t.Context(), cs[consumer].Paths[0], 0)
	require.True(t, r.logsIn(r.slapd, cs[consumer].Name, now.Value.Reveal()))
	require.False(t, r.logsIn(r.slapd, cs[stale].Name, r.accounts[stale].Password))
	_, err := kept[thief].PasswordModify(ldap.NewPasswordModifyRequest("", "", "the thief's own"))
	require.NoError(t, err)
	require.True(t, r.logsIn(r.slapd, cs[thief].Name, "the thief's own"), "and hides that it was him")
	for range 3 {
		require.False(t, r.logsIn(r.slapd, cs[locked].Name, r.accounts[locked].Password))
	}

	got := r.rotator().Recheck(t.Context(), proved)
	require.Equal(t, protocol.ReasonChangedSince, got[thief].Stop.Reason)
	require.Equal(t, Looked{Locked: true}, got[locked])
	for _, n := range []int{untouched, consumer, stale} {
		require.Equal(t, Looked{}, got[n], n)
	}
	r.admin(r.slapd, func(conn *ldap.Conn) error { return conn.Del(ldap.NewDelRequest(cs[untouched].Name, nil)) })
	require.Equal(t, Looked{}, r.rotator().Recheck(t.Context(), proved)[untouched], "what is gone accepts nothing")
}

// A thief writes a value of his own to the account's path, which the account refuses, so
// the new value goes to Rollcall's own path. On a kept connection he sets what he wrote,
// within the second of the reset. The look at the end must not offer it for him.
func TestTheLookAtTheEndGoesByThePathThatTookPart(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{MaxFailure: 5}})
	const own = "the thief's own"
	c := r.credential(0)
	spare := *c.Spare
	kept, err := r.login(r.slapd, c.Name, r.accounts[0].Password)
	require.NoError(t, err)
	r.store.put(c.Paths[0], own)
	got := r.run([]credential.Credential{c}, nothing)[0]
	require.True(t, got.Dead(), "%+v", got)
	require.Equal(t, []int{0, 1}, got.To)
	look := func(to ...int) Looked {
		account, err := r.rotator().Authority.Account(t.Context(), r.slapd.LDAPS(), c)
		require.NoError(t, err)
		set, _, _ := strings.Cut(account.Changed, "/") // as if it was set in the second of the reset
		return r.rotator().Recheck(t.Context(), []Proved{{c, set + "/0", to}})[0]
	}
	require.Equal(t, Looked{}, look(0, 1))
	r.store.put(spare, "another field's, or another hand's")
	require.Equal(t, Looked{}, look(0, 1), "what was proved is in the version that was activated")

	_, err = kept.PasswordModify(ldap.NewPasswordModifyRequest("", "", own))
	require.NoError(t, err)
	requireChanged := func(l Looked) {
		t.Helper()
		require.NotNil(t, l.Stop, "%+v", l)
		require.Equal(t, protocol.ReasonChangedSince, l.Stop.Reason)
	}
	requireChanged(look(0, 1))
	r.store.put(spare, own)
	requireChanged(look(0, 1))
	r.store.forget(spare, 1)
	gone := look(0, 1)
	requireChanged(gone)
	require.Contains(t, gone.Stop.Detail, "not in Vault any more")
	requireChanged(look()) // nothing is known of what was activated
	require.True(t, r.logsIn(r.slapd, c.Name, own), "the look itself locked nothing")
}
