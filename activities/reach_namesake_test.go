package activities

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// newNamesake has a user of Vault on the roll for its name alone: it reads
// where the second account's new value goes, and that account's value was
// changed by hand since the device was in foreign hands.
func newNamesake(t *testing.T, password string) *reachable {
	w := reachableWith(t, func(w *reachable) {
		require.NoError(t, w.client.Sys().PutPolicy("reads-elsewhere", `path "kv/data/apps/elsewhere/*" { capabilities = ["read"] }`))
		mounts, err := w.client.Sys().ListAuth()
		require.NoError(t, err)
		if mounts["userpass/"] == nil {
			w.write("sys/auth/userpass", map[string]any{"type": "userpass"})
		}
		w.write("auth/userpass/users/mta", map[string]any{"password": password, "token_policies": "reads-elsewhere"})
		for _, value := range []string{"stolen-mta", "by-hand"} {
			w.write("kv/data/apps/elsewhere/mta", map[string]any{"data": map[string]any{"password": value}})
		}
		w.roll.Credentials = append(w.roll.Credentials[:2:2], append([]credential.Credential{{
			ID: "vault/userpass/mta", Kind: credential.UserpassPassword, Authority: "vault", Subject: "userpass/mta", Name: "userpass/mta", Problem: credential.SameName,
			Paths: []credential.Path{{Mount: "kv", Path: "apps/elsewhere/mta", Field: "password"}},
		}}, w.roll.Credentials[2:]...)...)
	})
	w.accounts.Span = credential.Span{From: 3, To: 5}
	return w
}

func (w *reachable) reasonElsewhere() protocol.Reason {
	w.restart()
	return w.reasonsOf(3, 4)[1]
}

// Whoever stole the first version logs in with it, whatever lies there by now.
func TestAUserOfAnAccountsNameIsAskedWithWhatWasStolenAndNotOnlyWithWhatLiesThereNow(t *testing.T) {
	w := newNamesake(t, "stolen-mta")
	require.Equal(t, protocol.ReasonWithinReach, w.reasonElsewhere())
}

// The version that it refused is destroyed once the account is dead, and
// nothing then tells anybody but the note.
func TestAUserThatRefusedWhatWasStolenHoldsUpNothingAlsoOnceThatIsDestroyed(t *testing.T) {
	w := newNamesake(t, "another")
	require.Equal(t, protocol.ReasonUnreachable, w.reasonElsewhere(), "the directory does not answer, and nothing waits for the user")
	w.write("kv/data/apps/elsewhere/mta", map[string]any{"data": map[string]any{"password": "a new value"}})
	w.write("kv/destroy/apps/elsewhere/mta", map[string]any{"versions": []int{1, 2}})
	require.Equal(t, protocol.ReasonUnreachable, w.reasonElsewhere())
}

func TestAUserOfAnAccountsNameHoldsUpWhatItReadsWhereNobodyCanOfferItWhatWasStolen(t *testing.T) {
	w := newNamesake(t, "stolen-mta")
	w.write("kv/destroy/apps/elsewhere/mta", map[string]any{"versions": []int{1}})
	require.Equal(t, protocol.ReasonWithinReach, w.reasonElsewhere(), "to refuse what was written since shows nothing")
	w.write("kv/metadata/apps/elsewhere/mta", map[string]any{"max_versions": 1})
	w.write("kv/data/apps/elsewhere/mta", map[string]any{"data": map[string]any{"password": "a new value"}})
	require.Equal(t, protocol.ReasonWithinReach, w.reasonElsewhere(), "nor where Vault knows nothing of it any more")
}
