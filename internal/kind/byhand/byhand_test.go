package byhand

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
)

// There is nothing to ask and nothing to set: whoever does gets a reason, and
// nothing is called dead or accepted by it.
func TestNobodyIsAskedForAPerson(t *testing.T) {
	ctx, value := t.Context(), credential.NewSecret("x")
	a := New("person", config.PasswordPolicy{}, nil)
	_, err := a.Account(ctx, "person", credential.Credential{})
	stops := []error{err, a.Set(ctx, kind.Account{}, value, value)}
	for _, try := range []func(context.Context, string, kind.Account, credential.Secret) (protocol.Reply, error){a.Try, a.Offer} {
		answer, err := try(ctx, "person", kind.Account{}, value)
		require.Equal(t, protocol.NotAsked, answer)
		stops = append(stops, err)
	}
	_, _, err = a.Retire(ctx, kind.Account{}, value)
	for _, err := range append(stops, err) {
		var stop *protocol.Stop
		require.ErrorAs(t, err, &stop)
		require.Equal(t, protocol.ReasonByHand, stop.Reason)
	}
	require.Equal(t, protocol.ProofAttested, a.ProofWithoutOld())
	require.Equal(t, []string{"person"}, a.Servers())
}

func TestAValueIsMadeAsTheCampaignFileSays(t *testing.T) {
	a := New("person", config.PasswordPolicy{Length: 20, NoSymbols: true}, nil)
	one, err := a.Generate(t.Context(), credential.Credential{})
	require.NoError(t, err)
	two, err := a.Generate(t.Context(), credential.Credential{})
	require.NoError(t, err)
	require.Len(t, one.Reveal(), 20)
	require.NotEqual(t, one, two)
	of := ""
	a = New("person", config.PasswordPolicy{VaultPolicy: "strong"}, func(_ context.Context, p string) (credential.Secret, error) {
		of = p
		return credential.NewSecret("made"), nil
	})
	made, err := a.Generate(t.Context(), credential.Credential{})
	require.NoError(t, err)
	require.Equal(t, "made", made.Reveal())
	require.Equal(t, "strong", of)
}
