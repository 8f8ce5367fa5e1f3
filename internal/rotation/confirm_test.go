package rotation

import (
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

type protocolAnswer = protocol.Reply

// swap renames an account and puts another one under its name.
func (r *real) swap(dn, password string) (moved string) {
	r.admin(r.slapd, func(conn *ldap.Conn) error {
		rdn := "uid=moved"
		if err := conn.ModifyDN(ldap.NewModifyDNRequest(dn, rdn, true, "")); err != nil {
			return err
		}
		moved = rdn + "," + r.slapd.PeopleDN()
		return nil
	})
	r.add(dn, password)
	return moved
}

func (r *real) add(dn, password string) { r.addAt(r.slapd, dn, password) }

// addAt makes an entry with a password.
func (r *real) addAt(s *lab.Slapd, dn, password string) {
	r.admin(s, func(conn *ldap.Conn) error {
		other := ldap.NewAddRequest(dn, nil)
		other.Attribute("objectClass", []string{"inetOrgPerson"})
		other.Attribute("cn", []string{"somebody else"})
		other.Attribute("sn", []string{"else"})
		other.Attribute("userPassword", []string{password})
		return conn.Add(other)
	})
}

// Every login of a rotation goes by name, and an intruder who may rename
// entries can put another one with the stolen password under the account's
// name, at whatever moment.
func TestAnAccountThatIsRenamedAndReplacedByAnotherIsNeverCalledDeadForIt(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"before its turn", "try", "offer", "accounts"} {
		for nth := 1; nth <= 3; nth++ {
			if at == "before its turn" && nth > 1 || at == "try" && nth > 1 || at == "accounts" && nth > 2 {
				continue
			}
			r := newReal(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{MaxFailure: 5}})
			c := r.credential(0)
			stolen, moved := r.accounts[0].Password, ""
			then := nothing
			calls := 0
			if at == "before its turn" {
				then = func() { moved = r.swap(c.Name, stolen) }
			}
			r.meddle = func(op, _ string) {
				if op != at {
					return
				}
				if calls++; calls == nth && moved == "" {
					moved = r.swap(c.Name, stolen)
				}
			}
			first := r.run([]credential.Credential{c, r.credential(1)}, then)
			require.True(t, first[1].Dead())
			require.NotEmpty(t, moved)
			r.meddle = func(string, string) {}
			for pass := 0; !first[0].Dead() && pass < 3; pass++ {
				first = r.run([]credential.Credential{c}, nothing)
			}
			require.True(t, first[0].Dead(), "%s %d: %+v", at, nth, first[0])
			require.False(t, r.logsIn(r.slapd, moved, stolen), "the account of the id")
			now, _ := r.store.ReadLive(t.Context(), c.Paths[0], 0)
			require.True(t, r.logsIn(r.slapd, moved, now.Value.Reveal()))
		}
	}
}

// Who was logged in before the reset can set a new password after it, where
// accounts may write their own.
func TestAPasswordThatIsSetOnAKeptConnectionRightAfterTheProofKeepsItOpen(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{MaxFailure: 5}})
	c, other := r.credential(0), r.credential(1)
	kept, err := r.login(r.slapd, c.Name, r.accounts[0].Password)
	require.NoError(t, err)
	looks := 0
	r.meddle = func(op, _ string) {
		if op == "accounts" {
			if looks++; looks == 2 { // the look after the proofs of the batch
				_, err = kept.PasswordModify(ldap.NewPasswordModifyRequest("", "", "the thief's own"))
				require.NoError(t, err)
			}
		}
	}
	got := r.run([]credential.Credential{c, other}, nothing)
	require.Equal(t, 2, looks)
	require.True(t, got[1].Dead())
	require.False(t, got[0].Dead())
	require.Equal(t, protocol.ReasonChangedSince, got[0].Stop.Reason)
	require.Equal(t, credential.FindingChangedAfter, got[0].Findings[0].Code)
	require.NotEmpty(t, got[1].Evidence[0].Changed, "what it is held against at the end of the campaign")

	r.meddle = func(string, string) {}
	require.Equal(t, protocol.ReasonRestaged, r.run([]credential.Credential{c}, nothing)[0].Stop.Reason)
	require.True(t, r.run([]credential.Credential{c}, nothing)[0].Dead())
	require.False(t, r.logsIn(r.slapd, c.Name, "the thief's own"))
}
