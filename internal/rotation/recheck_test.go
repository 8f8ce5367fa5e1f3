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
		proved[n] = Proved{cs[n], got.Evidence[0].Changed}
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

// What an account refused before the rotation lies at its path still, and its new value at
// Rollcall's own: the look at the end must not take the one for the other.
func TestTheLookAtTheEndGoesByThePathThatTookPart(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{MaxFailure: 3}})
	c := r.credential(0)
	spare := credential.Path{Mount: "kv", Path: "rollcall/own/" + c.Subject, Field: "password"}
	c.Spare = &spare
	r.store.put(spare, r.accounts[0].Password)
	r.store.put(c.Paths[0], "somebody else's")
	account, err := r.rotator().Authority.Account(t.Context(), r.slapd.LDAPS(), c)
	require.NoError(t, err)
	set, _, _ := strings.Cut(account.Changed, "/")
	look := func() Looked { return r.rotator().Recheck(t.Context(), []Proved{{c, set + "/0"}})[0] }
	require.Equal(t, Looked{}, look())
	r.store.put(spare, "nobody's")
	got := look()
	require.NotNil(t, got.Stop, "%+v", got)
	require.Equal(t, protocol.ReasonChangedSince, got.Stop.Reason)
}
