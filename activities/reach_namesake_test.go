package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/ownmount"
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

// While a device was in foreign hands its account may have had more values than
// a user may be offered without locking it. The fifth wrong password would.
func TestAUserOfAnAccountsNameIsOfferedAllThatWasStolenAFewInAPassTheNewestFirst(t *testing.T) {
	for _, tc := range []struct {
		password      string
		first, second protocol.Reason
		passes        []int // how many versions are noted as refused after each
	}{
		{"stolen-4", protocol.ReasonWithinReach, protocol.ReasonWithinReach, []int{0, 0}},
		{"stolen-mta", protocol.ReasonWithinReach, protocol.ReasonWithinReach, []int{3, 3}},
		{"another", protocol.ReasonWithinReach, protocol.ReasonUnreachable, []int{3, 4}},
	} {
		t.Run(tc.password, func(t *testing.T) {
			w := newNamesake(t, tc.password)
			var last *api.Secret
			for _, value := range []string{"stolen-3", "stolen-4"} {
				last = w.write("kv/data/apps/elsewhere/mta", map[string]any{"data": map[string]any{"password": value}})
			}
			until, err := time.Parse(time.RFC3339Nano, last.Data["created_time"].(string))
			require.NoError(t, err)
			w.exposedUntil(until)
			w.write("kv/data/apps/elsewhere/mta", map[string]any{"data": map[string]any{"password": "stolen-mta"}})
			for i, reason := range []protocol.Reason{tc.first, tc.second} {
				if i == 1 {
					require.Equal(t, tc.first, w.reasonElsewhere(), "while Vault counts them, another worker offers no more")
					w.write("rollcall/data/staging/vault/userpass/mta~wrong", map[string]any{"data": map[string]any{"page": fmt.Sprintf(`{"count":3,"at":%q}`, time.Now().Add(-21*time.Minute).Format(time.RFC3339))}})
				}
				require.Equal(t, reason, w.reasonElsewhere())
				refused, err := w.store.RefusedBefore(t.Context(), "vault/userpass/mta")
				require.NoError(t, err)
				require.Len(t, refused, tc.passes[i])
				p := w.roll.Credentials[2].Paths[0]
				require.Equal(t, len(refused) == 4, refused.Has(p, credential.StolenVersion{}), "all of it")
			}
			_, err = w.client.Logical().Write("auth/userpass/login/mta", map[string]any{"password": tc.password})
			require.NoError(t, err, "it is not locked, by wrong passwords for nothing")
		})
	}
}

// Batches that begin together, in two workers, ask an innocent user
// once with each value.
func TestBatchesSideBySideOfferAUserOfAnAccountsNameWhatWasStolenOnce(t *testing.T) {
	w := newNamesake(t, "another")
	audit := filepath.Join(t.TempDir(), "audit.log")
	require.NoError(t, w.client.Sys().EnableAuditWithOptions("once", &api.EnableAuditOptions{Type: "file", Options: map[string]string{"file_path": audit}}))
	w.restart()
	other := *w
	other.restart()
	var g errgroup.Group
	for _, worker := range []*reachable{w, &other} {
		for range 4 {
			g.Go(func() error {
				within, err := worker.rotation.reachOf(t.Context(), worker.accounts, worker.roll.Credentials[3:5], false)
				if err != nil {
					return err
				}
				if stop, _ := within.BeforeStaging(t.Context(), worker.roll.Credentials[4]); stop != nil {
					return errors.New("it waits for a user that refused what was stolen")
				}
				return nil
			})
		}
	}
	require.NoError(t, g.Wait())
	text, err := os.ReadFile(audit)
	require.NoError(t, err)
	var offered int
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, `"path":"auth/userpass/login/mta"`) && strings.Contains(line, `"type":"response"`) {
			offered++
		}
	}
	require.Equal(t, 2, offered, "what was stolen and what lies there by now, each once: wrong passwords for somebody who has nothing to do with it")
}

// What a worker that was killed had begun to ask is asked by the next one.
func TestAQuestionThatNobodyAsksAnyMoreIsAskedAgain(t *testing.T) {
	w := newNamesake(t, "another")
	const user = "vault/userpass/mta"
	_, err := w.store.Ask(t.Context(), user)
	require.NoError(t, err) // and it is killed
	soon, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err = w.store.Ask(soon, user)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	w.write("rollcall/data/staging/"+user+"~asked", map[string]any{"data": map[string]any{"page": fmt.Sprintf(`{"by":"somebody","at":%q}`, time.Now().Add(-10*time.Minute).Format(time.RFC3339))}})
	done, err := w.store.Ask(t.Context(), user)
	require.NoError(t, err)
	done()
	done, err = w.store.Ask(t.Context(), user)
	require.NoError(t, err)
	done()
}

// exposedUntil says in the campaign file that the device was in foreign hands
// until then.
func (w *reachable) exposedUntil(until time.Time) {
	text, err := w.store.LoadSpec(w.t.Context(), ownmount.CampaignSpec("c"))
	require.NoError(w.t, err)
	var spec map[string]any
	require.NoError(w.t, json.Unmarshal(text, &spec))
	was := spec["exposure"].([]any)[0].(map[string]any)
	was["to"] = until
	body, err := json.Marshal(spec)
	require.NoError(w.t, err)
	at := "rollcall/metadata/specs/campaign/c"
	names, err := w.client.Logical().List(at)
	require.NoError(w.t, err)
	for _, name := range names.Data["keys"].([]any) {
		_, err := w.client.Logical().Delete(at + "/" + name.(string)) // it is written once
		require.NoError(w.t, err)
	}
	require.NoError(w.t, w.store.SaveSpec(w.t.Context(), ownmount.CampaignSpec("c"), body))
}
