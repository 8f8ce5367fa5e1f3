package rotation

import (
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// odd puts what looks like more than a bare secret at a path.
func (s *shelf) odd(p credential.Path, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.write(p, vault.Live{Found: true, Value: credential.NewSecret(value), More: "blanks"})
}

// TestAStalePassphraseKeepsItsAccountOpenOnlyIfItIsItsOnlyPlace: where an
// earlier campaign sent the new value to Rollcall's own path, consumers read
// that, and the passphrase is one of before.
func TestAStalePassphraseKeepsItsAccountOpenOnlyIfItIsItsOnlyPlace(t *testing.T) {
	t.Parallel()
	const stale = "correct horse: battery"
	for _, row := range []struct {
		name  string
		most  int    // wrong logins that lock
		own   string // what lies at the path of an earlier campaign: "" for nothing, "right" for what is in force
		empty bool   // the other path holds nothing and a person named it
		proof protocol.Proof
	}{
		{name: "its only place", most: 5},
		{name: "the other one is empty", most: 5, empty: true},
		{name: "the earlier value is in force", most: 5, own: "right", proof: protocol.ProofBind},
		{name: "the earlier value is in force, and the second wrong login locks", most: 2, own: "right", proof: protocol.ProofBind},
		{name: "somebody changed it since", most: 5, own: "an earlier one", proof: protocol.ProofMetadata},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r := newReal(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{MaxFailure: row.most}})
			c := r.credential(0)
			c.Paths[0] = credential.Path{Mount: "kv", Path: "apps/stale", Field: "password"}
			r.store.odd(c.Paths[0], stale)
			own := credential.Path{Mount: "kv", Path: "rollcall/own", Field: "password"}
			switch {
			case row.empty:
				c.Paths, c.Named = append(c.Paths, own), []credential.Path{own}
			case row.own == "right":
				r.store.put(own, r.accounts[0].Password)
				c.Paths, c.Ours = append(c.Paths, own), []credential.Path{own}
			case row.own != "":
				r.store.put(own, row.own)
				r.store.since = map[credential.Path]ownmount.Since{own: ownmount.AsActivated}
				c.Paths, c.Ours = append(c.Paths, own), []credential.Path{own}
			}
			var got Applied
			for range 4 {
				if got = r.run([]credential.Credential{c}, nothing)[0]; got.Dead() {
					break
				}
			}
			require.Empty(t, r.attribute(r.slapd, c.Name, "pwdAccountLockedTime"))
			held, _ := r.store.ReadLive(t.Context(), c.Paths[0], 0)
			require.Equal(t, stale, held.Value.Reveal(), "it stays as it is")
			if row.proof == "" {
				require.Equal(t, protocol.ReasonNotBare, got.Stop.Reason)
				require.True(t, r.logsIn(r.slapd, c.Name, r.accounts[0].Password), "nothing was set")
				return
			}
			require.True(t, got.Dead(), "%+v", got.Stop)
			require.Equal(t, row.proof, got.Proof)
			now, _ := r.store.ReadLive(t.Context(), own, 0)
			require.True(t, r.logsIn(r.slapd, c.Name, now.Value.Reveal()))
		})
	}
}

// TestWrongLoginsAreRationedWhereNoTimeOfAChangeIsKept: accounts that were
// there before the policy have no pwdChangedTime, and each wrong login moves
// their entryCSN, so that the mark alone does not show that nothing was set.
func TestWrongLoginsAreRationedWhereNoTimeOfAChangeIsKept(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{MaxFailure: 5}})
	for i, stale := range []string{`<ldap user="a" password="b"/>`, "an old one"} {
		c := r.credential(i)
		r.older(c.Name)
		c.Paths[0] = credential.Path{Mount: "kv", Path: "apps/stale", Field: string(rune('a' + i))}
		r.store.odd(c.Paths[0], stale)
		for range 8 {
			got := r.run([]credential.Credential{c}, nothing)[0]
			require.Equal(t, protocol.ReasonNotBare, got.Stop.Reason)
		}
		require.Empty(t, r.attribute(r.slapd, c.Name, "pwdAccountLockedTime"))
		require.Equal(t, "/", r.attribute(r.slapd, c.Name, "pwdChangedTime")+"/", "nothing was set")
		require.True(t, r.logsIn(r.slapd, c.Name, r.accounts[i].Password))
	}
}

// older makes an account one that was there before the policy.
func (r *real) older(dn string) {
	r.admin(r.slapd, func(conn *ldap.Conn) error {
		// Relax Rules (draft-zeilenga-ldap-relax): what the server alone
		// writes.
		m := ldap.NewModifyRequest(dn, []ldap.Control{ldap.NewControlString("1.3.6.1.4.1.4203.666.5.12", true, "")})
		m.Delete("pwdChangedTime", nil)
		return conn.Modify(m)
	})
}
