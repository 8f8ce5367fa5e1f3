package rotation

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

// Rollcall's own wrong logins must not be what locks an account, before the
// reset or in the proof, with those that others have made already.
func TestWrongLoginsAreRationedByThePolicyInForce(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name     string
		most     int
		stale    int // paths that hold a value that is not in force
		failed   int // wrong logins of somebody else
		proof    protocol.Proof
		findings []credential.FindingCode
	}{
		{"the second locks, and two copies are stale: which path is the account's cannot be found out", 2, 2, 0, "", nil},
		{"the second locks", 2, 0, 0, protocol.ProofBind, nil},
		{"the second locks, and somebody made the first", 2, 0, 1, protocol.ProofMetadata, []credential.FindingCode{credential.FindingRationed, credential.FindingConfirmed}},
		{"the third locks, and somebody made the first", 3, 0, 1, protocol.ProofBind, nil},
		{"the first locks", 1, 0, 0, protocol.ProofMetadata, []credential.FindingCode{credential.FindingRationed, credential.FindingConfirmed}},
		{"the first locks, and two copies are stale", 1, 2, 0, protocol.ProofMetadata, []credential.FindingCode{credential.FindingRationed, credential.FindingConfirmed}},
		{"the first locks, and nobody has confirmed the path", 1, 0, 0, "", []credential.FindingCode{credential.FindingRationed}},
		{"none locks", 0, 2, 0, protocol.ProofMetadata, elsewhere},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newReal(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{MaxFailure: row.most}})
			c := r.credential(0)
			for n := range row.stale {
				c.Paths = append(c.Paths[:n:n], credential.Path{Mount: "kv", Path: "stale", Field: string(rune('a' + n))})
				r.store.put(c.Paths[n], "an old one "+string(rune('a'+n)))
			}
			for range row.failed {
				require.False(t, r.logsIn(r.slapd, c.Name, "a guess"))
			}
			c.Named = c.Paths
			if slices.Contains(row.findings, credential.FindingConfirmed) {
				c.Confirmed = c.Paths
			}
			got := r.run([]credential.Credential{c}, nothing)[0]
			require.Empty(t, r.attribute(r.slapd, c.Name, "pwdAccountLockedTime"))
			if row.proof == "" {
				want := protocol.ReasonUnproved
				if row.findings != nil {
					want = protocol.ReasonNearLock
				}
				require.Equal(t, want, got.Stop.Reason)
				require.True(t, r.logsIn(r.slapd, c.Name, r.accounts[0].Password), "nothing was set")
				return
			}
			require.True(t, got.Dead(), "%+v", got)
			require.Equal(t, row.proof, got.Proof)
			require.Equal(t, row.findings, codes(got.Findings))
			require.Empty(t, r.attribute(r.slapd, c.Name, "pwdAccountLockedTime"))
			at := c.Paths[0]
			if slices.Contains(row.findings, credential.FindingSparePath) {
				at = *c.Spare
			}
			now, _ := r.store.ReadLive(t.Context(), at, 0)
			require.True(t, r.logsIn(r.slapd, c.Name, now.Value.Reveal()), "consumers are not locked out")
			if row.most != 1 {
				require.False(t, r.logsIn(r.slapd, c.Name, r.accounts[0].Password))
			}
		})
	}
}

// What campaigns staged that came to nothing before they set it is nowhere in
// force: the account shows that it was not set since, so no wrong login is
// spent on finding out, and the few that there are go to what may be.
func TestNoWrongLoginIsSpentOnWhatNobodySet(t *testing.T) {
	t.Parallel()
	for name, killed := range map[string]bool{"the first try": false, "and one that was killed right before it set": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReal(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{MaxFailure: 3}})
			c := r.credential(0)
			stale := credential.Path{Mount: "kv", Path: "stale", Field: "password"}
			r.store.put(stale, "an old one")
			c.Paths = append([]credential.Path{stale}, c.Paths...)
			c.Named = c.Paths
			prepare := func(campaign string) (*Rotator, Prepared) {
				rot := r.rotator()
				rot.Store, rot.Campaign, rot.Pass = ended{r.store}, campaign, 1
				p := rot.Prepare(t.Context(), c)
				require.Nil(t, p.Stop, "%+v", p.Stop)
				return rot, p
			}
			sent := func() {
				st := r.store.staged[c.ID]
				st.Unsent = false // as it is written right before Set
				r.store.staged[c.ID] = st
			}
			for _, campaign := range []string{"one", "two", "three"} {
				prepare(campaign)
				sent()
			}
			rot, p := prepare("four")
			if killed {
				sent()
			}
			got := rot.Apply(t.Context(), c, p.Attempt, !killed && p.Fresh)
			require.True(t, got.Dead(), "%+v", got.Stop)
			require.Equal(t, protocol.ProofBind, got.Proof)
			require.Empty(t, r.attribute(r.slapd, c.Name, "pwdAccountLockedTime"))
			require.True(t, r.logsIn(r.slapd, c.Name, r.store.live[c.Paths[1].String()].Value.Reveal()))
			require.False(t, r.logsIn(r.slapd, c.Name, r.accounts[0].Password))
		})
	}
}

// A value that no server ever had shows of no path whose it is, where it is not
// offered because one more wrong login would lock the account. The account's
// mark does not tell: its owner has set another password since.
func TestWhatIsNotOfferedShowsOfNoPathWhoseItIs(t *testing.T) {
	t.Parallel()
	for _, most := range []int{1, 2, 3} {
		t.Run(strconv.Itoa(most), func(t *testing.T) {
			t.Parallel()
			r := newReal(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{MaxFailure: most}})
			c := r.credential(0)
			c.Paths = []credential.Path{{Mount: "kv", Path: "planted", Field: "password"}}
			c.Named, c.Hearsay, c.Spare = nil, true, nil
			r.store.put(c.Paths[0], "planted")
			for n, campaign := range []string{"one", "two", "three"} {
				rot := r.rotator()
				rot.Store, rot.Campaign, rot.Pass = ended{r.store}, campaign, 1
				p := rot.Prepare(t.Context(), c)
				require.Nil(t, p.Stop, "%+v", p.Stop)
				got := rot.Apply(t.Context(), c, p.Attempt, p.Fresh)
				require.NotNil(t, got.Stop)
				require.Contains(t, []protocol.Reason{protocol.ReasonNearLock, protocol.ReasonUnproved, protocol.ReasonInterrupted}, got.Stop.Reason, got.Stop.Detail)
				r.admin(r.slapd, func(conn *ldap.Conn) error {
					_, err := conn.PasswordModify(ldap.NewPasswordModifyRequest(c.Name, "", "set by its owner after campaign "+campaign))
					return err
				})
				if n > 0 || most == 1 {
					continue
				}
				require.False(t, r.logsIn(r.slapd, c.Name, "a consumer that still has the one before"))
			}
			require.Equal(t, "planted", r.store.live[c.Paths[0].String()].Value.Reveal(), "nothing is written where whoever planted it reads")
		})
	}
}

// The policy that locks an account commonly lies beside the branch with the
// accounts, which is base. And where it is not shown at all, as few wrong
// logins are spent as where the second one locks.
func TestAPolicyThatIsNotBelowBaseOrNotShownLocksNobody(t *testing.T) {
	t.Parallel()
	for name, shown := range map[string]bool{"beside base": true, "not shown": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReal(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{MaxFailure: 2}})
			r.conf.Base = r.slapd.PeopleDN()
			c := r.credential(0)
			c.Paths = nil
			for _, field := range []string{"a", "b"} {
				at := credential.Path{Mount: "kv", Path: "stale", Field: field}
				r.store.put(at, "an old one "+field)
				c.Paths = append(c.Paths, at)
			}
			c.Named = c.Paths
			if !shown { // to an account of the lab's that sees no more than others
				r.sealPolicy(c.Name)
				r.conf.Bind.DN, r.bindPassword = r.slapd.WriterDN, r.slapd.WriterPassword
			}
			got := r.run([]credential.Credential{c}, nothing)[0]
			require.Empty(t, r.attribute(r.slapd, c.Name, "pwdAccountLockedTime"))
			require.NotNil(t, got.Stop)
			require.Equal(t, protocol.ReasonUnproved, got.Stop.Reason)
			require.Equal(t, !shown, strings.Contains(got.Stop.Detail, "let bind.dn read it"), got.Stop.Detail)
			require.True(t, r.logsIn(r.slapd, c.Name, r.accounts[0].Password), "nothing was set")
		})
	}
}

// sealPolicy gives an account a policy that nobody but the binder is shown, and
// that locks at the second wrong login.
func (r *real) sealPolicy(dn string) {
	at := "cn=sealed,ou=sealed," + r.slapd.BaseDN()
	r.admin(r.slapd, func(conn *ldap.Conn) error {
		add := ldap.NewAddRequest(at, nil)
		for name, value := range map[string][]string{"objectClass": {"device", "pwdPolicy"}, "pwdAttribute": {"userPassword"}, "pwdLockout": {"TRUE"}, "pwdMaxFailure": {"2"}} {
			add.Attribute(name, value)
		}
		require.NoError(r, conn.Add(add))
		own := ldap.NewModifyRequest(dn, nil)
		own.Replace("pwdPolicySubentry", []string{at})
		return conn.Modify(own)
	})
}
