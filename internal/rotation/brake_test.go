package rotation

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
	"rollcall/internal/rotation/gate"
)

func TestUnderAPolicyThatHasEachResetChangedOneAccountIsSet(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{MustChange: true}})
	policy := "cn=default,ou=policies," + r.slapd.BaseDN()
	r.brakesAt(protocol.ReasonMustChange, 1, func() {
		r.admin(r.slapd, func(conn *ldap.Conn) error {
			req := ldap.NewModifyRequest(policy, nil)
			req.Replace("pwdMustChange", []string{"FALSE"})
			return conn.Modify(req)
		})
		r.admin(r.slapd, func(conn *ldap.Conn) error {
			req := ldap.NewModifyRequest(r.slapd.AccountDN(r.accounts[0].UID), nil)
			req.Delete("pwdReset", nil)
			return conn.Modify(req)
		})
	})
}

// Where the configuration shows which policy is the account's not even one is
// set.
func TestUnderAPolicyThatIsSeenToHaveEachResetChangedNothingIsSet(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{MustChange: true}, ShowsConfig: true})
	var cs []credential.Credential
	for n := range r.accounts[:3] {
		cs = append(cs, r.credential(n))
	}
	for i, got := range r.run(cs, nothing) {
		require.Equal(t, protocol.ReasonForced, got.Stop.Reason)
		require.Equal(t, protocol.Precheck, got.Step)
		require.Contains(t, got.Stop.Detail, "nothing was set")
		require.NotContains(t, got.Stop.Detail, "it was not so when it was listed")
		require.True(t, r.logsIn(r.slapd, cs[i].Name, r.accounts[i].Password))
	}
	require.Empty(t, r.store.staged)

	// A person may know better: an identity with write alone would not be held
	// to it.
	cs[0].Accepted = []credential.Problem{credential.ForcedChange}
	require.Equal(t, protocol.ReasonMustChange, r.run(cs[:1], nothing)[0].Stop.Reason)

	r.admin(r.slapd, func(conn *ldap.Conn) error {
		req := ldap.NewModifyRequest("cn=default,ou=policies,"+r.slapd.BaseDN(), nil)
		req.Replace("pwdMustChange", []string{"FALSE"})
		return conn.Modify(req)
	})
	for _, got := range r.run(cs[1:], nothing) {
		require.True(t, got.Dead(), "%+v", got)
		require.Equal(t, protocol.ProofBind, got.Proof)
	}
}

func TestWhereAccountsMayNotLogInFromHereOneAccountIsSetAndInTheNextPassOneMore(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{})
	conf := filepath.Join(filepath.Dir(r.slapd.LogFile()), "slapd.conf")
	text, err := os.ReadFile(conf)
	require.NoError(t, err)
	write := func(rules string) {
		require.NoError(t, os.WriteFile(conf, []byte(rules), 0o600))
		require.NoError(t, r.slapd.Restart(context.Background()))
	}
	alone := strings.Replace(string(text), "  by self =xw\n  by anonymous auth\n", "  by anonymous peername.ip=10.0.0.0%255.0.0.0 auth\n", 1)
	require.NotEqual(t, string(text), alone)
	write(alone)
	r.brakesAt(protocol.ReasonNewRefused, 2, func() { write(string(text)) })
}

// brakesAt has passes over all accounts, at each of which new values do not
// work until mend was called. No more than most are set, one of them in the
// first pass.
func (r *real) brakesAt(reason protocol.Reason, most int, mend func()) {
	var cs []credential.Credential
	for n := range r.accounts {
		cs = append(cs, r.credential(n))
	}
	before := make([]string, len(cs))
	for i, c := range cs {
		before[i] = r.attribute(r.slapd, c.Name, "userPassword")
	}
	brake := gate.NewBrake()
	for pass := range 3 {
		for i, a := range r.runWith(brake, cs) {
			require.NotNil(r, a.Stop)
			if i < min(pass+1, most) {
				require.Equal(r, reason, a.Stop.Reason, a.Stop.Detail)
			} else {
				require.Equal(r, protocol.ReasonHeldBack, a.Stop.Reason, a.Stop.Detail)
				require.Equal(r, protocol.Intent, a.Step)
				require.Contains(r, a.Stop.Detail, string(reason))
				require.Contains(r, a.Stop.Detail, "nothing more is set there until one does")
				require.Equal(r, before[i], r.attribute(r.slapd, cs[i].Name, "userPassword"), "it is as it was")
			}
			require.NotContains(r, codes(a.Findings), credential.FindingChangedBefore, "nobody has changed it")
			require.NotContains(r, codes(a.Findings), credential.FindingChangedDuring)
			require.NotContains(r, codes(a.Findings), credential.FindingSparePath, "nothing is there")
		}
	}
	mend()
	for i, a := range r.runWith(brake, cs) {
		require.True(r, a.Dead(), "%d: %+v", i, a.Stop)
	}
}

func (r *real) runWith(b *gate.Brake, cs []credential.Credential) []Applied {
	rot := r.rotator()
	rot.Brake = b
	out := make([]Applied, len(cs))
	verdicts := make([]Verdict, len(cs))
	for i, c := range cs {
		p := rot.Prepare(r.Context(), c)
		require.Nil(r, p.Stop)
		out[i] = rot.Apply(r.Context(), c, p.Attempt, p.Fresh)
		verdicts[i] = Verdict{c, &out[i]}
	}
	rot.Confirm(r.Context(), verdicts)
	return out
}
