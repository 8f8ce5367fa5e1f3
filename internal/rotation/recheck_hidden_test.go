package rotation

import (
	"context"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
	"rollcall/internal/rotation/recheck"
)

// Where bind.dn may not read when an entry was changed, two marks that are not
// shown look alike. That is no sign that nothing was changed.
func TestALookAtTheEndThatIsShownNoChangeMarksIsNoLook(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{MaxFailure: 5}, HidesMarks: true})
	const thief, untouched = 0, 1
	cs := []credential.Credential{r.credential(thief), r.credential(untouched)}
	kept, err := r.login(r.slapd, cs[thief].Name, r.accounts[thief].Password)
	require.NoError(t, err)
	var proved []recheck.Proved
	for n, got := range r.run(cs, nothing) {
		require.True(t, got.Dead(), "%+v", got)
		proved = append(proved, provedOf(cs[n], got))
	}
	_, err = kept.PasswordModify(ldap.NewPasswordModifyRequest("", "", r.accounts[thief].Password))
	require.NoError(t, err)
	require.True(t, r.logsIn(r.slapd, cs[thief].Name, r.accounts[thief].Password), "the stolen login works again")

	got := r.rotator().Recheck(t.Context(), proved)
	require.NotNil(t, got[thief].Stop, "%+v", got[thief])
	require.Equal(t, protocol.ReasonChangedSince, got[thief].Stop.Reason)
	require.Equal(t, recheck.Looked{Unseen: true}, got[untouched], "its value is in force, and whether another one is beside it nobody saw")
}

// numberless is an authority that numbers the changes of a secret, and shows
// the numbers to others than us.
type numberless struct{ meddled }

func (n numberless) Account(ctx context.Context, server string, c credential.Credential) (kind.Account, error) {
	a, err := n.meddled.Account(ctx, server, c)
	a.Exact, a.Changed = true, ""
	return a, err
}

func (n numberless) Accounts(ctx context.Context, server string, cs []credential.Credential) map[string]kind.Account {
	return nil
}

// Active Directory accepts the password before for an hour, and only its marks
// tell servers that follow from those that do not.
func TestNothingIsSetWhereTheMarksThatAProofGoesByAreNotShown(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{MaxFailure: 5}})
	c := r.credential(0)
	rot := r.rotator()
	rot.Authority = numberless{rot.Authority.(meddled)}
	got := rot.Prepare(t.Context(), c)
	require.NotNil(t, got.Stop, "%+v", got)
	require.Equal(t, protocol.ReasonRights, got.Stop.Reason)
	require.Contains(t, got.Stop.Detail, "pwdLastSet")
	_, staged, err := r.store.ReadStaged(t.Context(), c.ID)
	require.NoError(t, err)
	require.False(t, staged)
}

// hidden shows no change mark of what one server holds.
type hidden struct {
	meddled
	at string
}

func (h hidden) Account(ctx context.Context, server string, c credential.Credential) (kind.Account, error) {
	a, err := h.meddled.Account(ctx, server, c)
	if server == h.at {
		a.Changed = "/"
	}
	return a, err
}

func (h hidden) AccountsAfterSet(context.Context, string, []credential.Credential) map[string]kind.Account {
	return nil
}

// No mark is older than none.
func TestAServerThatHidesItsMarksAtTheEndHasTakenNothingBack(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{Provider: true})
	other := r.join(r.start(lab.SlapdOptions{ReplicaOf: r.slapd, CA: r.ca}))
	c := r.credential(0)
	got := r.run([]credential.Credential{c}, nothing)[0]
	for pass := 0; !got.Dead() && pass < 10; pass++ {
		require.NoError(t, other.AwaitReplication(t.Context()))
		got = r.run([]credential.Credential{c}, nothing)[0]
	}
	require.True(t, got.Dead(), "%+v", got)
	rot := r.rotator()
	rot.Authority = hidden{rot.Authority.(meddled), other.LDAPS()}
	require.Equal(t, []recheck.Looked{{Unseen: true}}, rot.Recheck(t.Context(), []recheck.Proved{provedOf(c, got)}))
}
