package rotation

import (
	"context"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
	"rollcall/internal/rotation/recheck"
)

// At the end of a campaign logins have moved the marks of accounts, and
// somebody has set a password of his own, perhaps within the second of the
// reset.
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
	proved := make([]recheck.Proved, len(cs))
	for n, got := range r.run(cs, nothing) {
		require.True(t, got.Dead(), "%+v", got)
		proved[n] = provedOf(cs[n], got)
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
	require.Equal(t, recheck.Looked{Finding: credential.FindingLockedSince}, got[locked])
	for _, n := range []int{untouched, consumer, stale} {
		require.Equal(t, recheck.Looked{}, got[n], n)
	}
	r.admin(r.slapd, func(conn *ldap.Conn) error { return conn.Del(ldap.NewDelRequest(cs[untouched].Name, nil)) })
	require.Equal(t, recheck.Looked{Unseen: true}, r.rotator().Recheck(t.Context(), proved)[untouched], "deleted, or moved to where nobody looks")
}

// A thief writes a value of his own to the account's path, which the account
// refuses, so the new value goes to Rollcall's own path. On a kept connection
// he sets what he wrote, within the second of the reset. The look at the end
// must not offer it for him.
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
	look := func(to ...int) recheck.Looked {
		account, err := r.rotator().Authority.Account(t.Context(), r.slapd.LDAPS(), c)
		require.NoError(t, err)
		set, _, _ := strings.Cut(account.Changed, "/") // as if it was set in the second of the reset
		return r.rotator().Recheck(t.Context(), []recheck.Proved{{Credential: c, Mark: set + "/0", To: to}})[0]
	}
	require.Equal(t, recheck.Looked{}, look(0, 1))
	r.store.put(spare, "another field's, or another hand's")
	require.Equal(t, recheck.Looked{}, look(0, 1), "what was proved is in the version that was activated")

	_, err = kept.PasswordModify(ldap.NewPasswordModifyRequest("", "", own))
	require.NoError(t, err)
	requireChanged := func(l recheck.Looked) {
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

// provedOf is what the ledger would say of it.
func provedOf(c credential.Credential, a Applied) recheck.Proved {
	p := recheck.Proved{Credential: c, Mark: a.Evidence[0].Changed, Marks: map[string]string{}, To: a.To, Written: a.Written}
	for _, ev := range a.Evidence[1:] {
		p.Marks[ev.Server] = ev.Changed
	}
	return p
}

// Whoever may write the branch can give a dead account's name to another entry,
// which has the stolen password: consumers, and he, log in by name.
func TestTheLookAtTheEndKnowsWhoseTheNameIs(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{MaxFailure: 5}})
	const replaced, renamed, deletedAndReplaced, deleted, untouched = 0, 1, 2, 3, 4
	var cs []credential.Credential
	for n := range 5 {
		cs = append(cs, r.credential(n))
	}
	var proved []recheck.Proved
	for n, got := range r.run(cs, nothing) {
		require.True(t, got.Dead(), "%+v", got)
		proved = append(proved, provedOf(cs[n], got))
	}
	r.swap(cs[replaced].Name, r.accounts[replaced].Password)
	r.admin(r.slapd, func(conn *ldap.Conn) error {
		for _, n := range []int{deletedAndReplaced, deleted} {
			require.NoError(t, conn.Del(ldap.NewDelRequest(cs[n].Name, nil)))
		}
		return conn.ModifyDN(ldap.NewModifyDNRequest(cs[renamed].Name, "uid=elsewhere", true, ""))
	})
	r.add(cs[deletedAndReplaced].Name, r.accounts[deletedAndReplaced].Password)
	require.True(t, r.logsIn(r.slapd, cs[replaced].Name, r.accounts[replaced].Password), "the stolen login works again")

	got := r.rotator().Recheck(t.Context(), proved)
	for n, words := range map[int]string{replaced: "another entry has the name", deletedAndReplaced: "another entry has the name", renamed: "renamed or moved"} {
		require.NotNil(t, got[n].Stop, "%d", n)
		require.Equal(t, protocol.ReasonRenamedSince, got[n].Stop.Reason)
		require.Contains(t, got[n].Stop.Detail, words)
		require.NotContains(t, got[n].Stop.Detail, "uid=", "what travels names no account")
	}
	require.Equal(t, recheck.Looked{Unseen: true}, got[deleted], "it may be hidden")
	require.Equal(t, recheck.Looked{}, got[untouched])
}

// What one server shows is not what the others accept.
func TestTheLookAtTheEndAsksEveryServer(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{Provider: true, LastBind: true, Policy: lab.SlapdPolicy{MaxFailure: 5}})
	other := r.join(r.start(lab.SlapdOptions{ReplicaOf: r.slapd, Provider: true, LastBind: true, CA: r.ca}))
	const changed, takenBack, consumer, sameSecond, replaced = 0, 1, 2, 3, 4
	var cs []credential.Credential
	for n := range 5 {
		cs = append(cs, r.credential(n))
	}
	searches := map[string]int{}
	proved := make([]recheck.Proved, len(cs))
	for n, got := range r.run(cs, nothing) {
		for pass := 0; !got.Dead() && pass < 10; pass++ { // replication may take its time on a busy machine
			r.resume(other, r.slapd)
			got = r.run(cs[n:n+1], nothing)[0]
		}
		require.True(t, got.Dead(), "%+v", got)
		proved[n] = provedOf(cs[n], got)
		require.Len(t, proved[n].Marks, 1)
	}
	r.resume(other, r.slapd)
	r.meddle = func(op, server string) { searches[op+" "+server]++ }
	require.Equal(t, make([]recheck.Looked, 5), r.rotator().Recheck(t.Context(), proved), "as they were proved")
	require.Equal(t, []int{1, 1}, []int{searches["accounts "+r.slapd.LDAPS()], searches["accounts "+other.LDAPS()]})
	r.meddle = func(string, string) {}

	r.slapd.PauseReplication()
	other.PauseReplication()
	at := func(dn string, change func(*ldap.ModifyRequest)) {
		r.admin(other, func(conn *ldap.Conn) error {
			// With "relax" the rootdn writes what only the server keeps, as a
			// restored backup would.
			req := ldap.NewModifyRequest(dn, []ldap.Control{ldap.NewControlString("1.3.6.1.4.1.4203.666.5.12", true, "")})
			change(req)
			return conn.Modify(req)
		})
	}
	at(cs[changed].Name, func(m *ldap.ModifyRequest) { m.Replace("userPassword", []string{"the thief's own"}) })
	at(cs[changed].Name, func(m *ldap.ModifyRequest) { m.Replace("pwdChangedTime", []string{"20990101000000Z"}) })
	at(cs[takenBack].Name, func(m *ldap.ModifyRequest) { m.Replace("userPassword", []string{r.accounts[takenBack].Password}) })
	at(cs[takenBack].Name, func(m *ldap.ModifyRequest) { m.Replace("pwdChangedTime", []string{"20200101000000Z"}) })
	set, _, _ := strings.Cut(proved[sameSecond].Mark, "/")
	at(cs[sameSecond].Name, func(m *ldap.ModifyRequest) { m.Replace("userPassword", []string{"the thief's own"}) })
	at(cs[sameSecond].Name, func(m *ldap.ModifyRequest) { m.Replace("pwdChangedTime", []string{set}) })
	proved[sameSecond].Marks[other.LDAPS()] = set + "/0" // as if nothing was read later than in that second
	now, _ := r.store.ReadLive(t.Context(), cs[consumer].Paths[0], 0)
	require.True(t, r.logsIn(other, cs[consumer].Name, now.Value.Reveal()))
	r.admin(other, func(conn *ldap.Conn) error { return conn.Del(ldap.NewDelRequest(cs[replaced].Name, nil)) })
	r.addAt(other, cs[replaced].Name, r.accounts[replaced].Password)

	got := r.rotator().Recheck(t.Context(), proved)
	for n, reason := range map[int]protocol.Reason{
		changed: protocol.ReasonChangedSince, takenBack: protocol.ReasonTakenBack, sameSecond: protocol.ReasonChangedSince,
		replaced: protocol.ReasonRenamedSince,
	} {
		require.NotNil(t, got[n].Stop, "%d %+v", n, got[n])
		require.Equal(t, reason, got[n].Stop.Reason, n)
		require.Equal(t, other.LDAPS(), got[n].Stop.Server)
	}
	require.Equal(t, recheck.Looked{}, got[consumer])

	left := r.rotator()
	left.LeftOut = []string{other.LDAPS()}
	require.Equal(t, make([]recheck.Looked, 5), left.Recheck(t.Context(), proved), "a server that a person left out is not asked")
	r.admin(other, func(conn *ldap.Conn) error { return conn.Del(ldap.NewDelRequest(cs[consumer].Name, nil)) })
	require.Equal(t, recheck.Looked{ShownLess: true}, r.rotator().Recheck(t.Context(), proved)[consumer], "what one server does not show lets nobody in there")
	require.NoError(t, other.Stop(context.Background()))
	silent := r.rotator().Recheck(t.Context(), proved)
	for _, l := range silent {
		require.Equal(t, recheck.Looked{Unseen: true}, l, "no proof is taken back by silence")
	}
}

// Versions begin at 1 again when a secret is deleted with its metadata, so who
// may do that chooses what a number means.
func TestTheLookAtTheEndBelievesNoVersionThatWasMadeAnew(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{})
	c := r.credential(0)
	got := r.run([]credential.Credential{c}, nothing)[0]
	require.True(t, got.Dead(), "%+v", got)
	const own = "the thief's own"
	r.store.deleteAll(c.Paths[0])
	for range got.To[0] {
		r.store.put(c.Paths[0], own)
	}
	r.admin(r.slapd, func(conn *ldap.Conn) error {
		_, err := conn.PasswordModify(ldap.NewPasswordModifyRequest(c.Name, "", own))
		return err
	})
	p := provedOf(c, got)
	account, err := r.rotator().Authority.Account(t.Context(), r.slapd.LDAPS(), c)
	require.NoError(t, err)
	set, _, _ := strings.Cut(account.Changed, "/")
	p.Mark = set + "/0" // as if he was quick enough for the second of the reset
	looked := r.rotator().Recheck(t.Context(), []recheck.Proved{p})[0]
	require.NotNil(t, looked.Stop)
	require.Equal(t, protocol.ReasonMadeAnew, looked.Stop.Reason)
	p.Written = nil
	require.Equal(t, recheck.Looked{}, r.rotator().Recheck(t.Context(), []recheck.Proved{p})[0], "a ledger that does not say when is looked at by the number alone")
}

// Whoever deletes a secret with its metadata beside an entry that he leaves
// alone takes the new value away from consumers, and from Rollcall, which has
// freed what was staged.
func TestTheLookAtTheEndSeesASecretThatWasMadeAnewBesideAnUntouchedEntry(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{})
	var cs []credential.Credential
	for n := range 5 {
		cs = append(cs, r.credential(n))
	}
	proved := make([]recheck.Proved, len(cs))
	for n, got := range r.run(cs, nothing) {
		require.True(t, got.Dead(), "%+v", got)
		proved[n] = provedOf(cs[n], got)
	}
	const untouched, anew, gone, newer, tookNoPart = 0, 1, 2, 3, 4
	for _, n := range []int{anew, gone, tookNoPart} {
		r.store.deleteAll(cs[n].Paths[0])
	}
	for range proved[anew].To[0] {
		r.store.put(cs[anew].Paths[0], "the thief's own")
	}
	r.store.put(cs[newer].Paths[0], "by its owner")
	proved[tookNoPart].To = []int{0}
	got := r.rotator().Recheck(t.Context(), proved)
	for _, n := range []int{untouched, newer, tookNoPart} {
		require.Equal(t, recheck.Looked{}, got[n], n)
	}
	for _, n := range []int{anew, gone} {
		require.NotNil(t, got[n].Stop, n)
		require.Equal(t, protocol.ReasonMadeAnew, got[n].Stop.Reason)
	}

	// One look at a secret is for all credentials that live in it.
	r.store.looks = 0
	proved[newer] = proved[untouched]
	r.rotator().Recheck(t.Context(), proved[:4])
	require.Equal(t, 3, r.store.looks)
}
