package activities

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/reach"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// What waits for tokens that are not watched by name waits for the next
// listing, whichever of those that are lives.
func TestWhatMoreTokensReadThanAreWatchedWaits(t *testing.T) {
	t.Parallel()
	with := func(accessors ...string) credential.Credential { return credential.Credential{ReadBy: accessors} }
	require.Nil(t, reach.ReadByToken(with(), nil))
	require.Nil(t, reach.ReadByToken(with("gone"), map[string]bool{"gone": false}))
	require.Equal(t, protocol.ReasonWithinReach, reach.ReadByToken(with("lives"), map[string]bool{"lives": true}).Reason)
	stop := reach.ReadByToken(with("gone", credential.MoreReaders), map[string]bool{"gone": false})
	require.Equal(t, protocol.ReasonWithinReach, stop.Reason)
	require.Contains(t, stop.Detail, "run again, which lists anew")

	// A login that is gone by now may have made tokens since.
	stop = reach.ReadByToken(with("gone", "auth/approle/role/esg-01"), map[string]bool{"gone": false})
	require.Equal(t, protocol.ReasonWithinReach, stop.Reason)
	require.Contains(t, stop.Detail, "then run again, which lists anew")
	require.NotContains(t, stop.Detail, "esg-01")
}

// Whoever has a login that is not dead yet can make a token that outlives it,
// when the listing has looked at all tokens already.
func TestWhatATokenReadsThatWasMadeSinceTheListingWaitsOrIsTold(t *testing.T) {
	w := reachableWith(t, func(w *reachable) { w.roll.NewestToken = time.Now().Unix() })
	w.accounts.Logins = nil // all that is asked here is about tokens
	made := func(name, policy string) string {
		got, err := w.client.Auth().Token().Create(&api.TokenCreateRequest{Policies: []string{policy}, DisplayName: name, NoParent: true})
		require.NoError(t, err)
		return got.Auth.Accessor
	}
	look := func() string {
		var found wire.NewReaders
		w.call("LookForTokens", "c", &found)
		return found.Detail
	}
	untouched := []protocol.Reason{protocol.ReasonUnreachable, protocol.ReasonUnreachable}
	require.Equal(t, untouched, w.reasons(), "there is none")
	w.thief("esg-01-a") // logs in by a login of the roll, which ends that
	require.Empty(t, look())

	w.restart() // a look that found nothing serves for a while
	named := made("esg-01", "reads-esg-01")
	require.Equal(t, []protocol.Reason{protocol.ReasonWithinReach, protocol.ReasonUnreachable}, w.reasons())
	var prepared []wire.PreparedItem
	w.call("Prepare", wire.PrepareInput{Batch: w.accounts, Pass: 2, Items: []int{2}, Sent: []int{2}}, &prepared)
	require.Equal(t, protocol.ReasonUnreachable, prepared[0].Stop.Reason, "what may be in force is brought to its end")
	require.Contains(t, look(), "1 token of Vault was made since the listing")
	require.Contains(t, look(), named+" (names the device)")

	// A person accepts it while the campaign runs, and that is taken up.
	index, err := w.store.ReadIndex(t.Context(), "c")
	require.NoError(t, err)
	accept := func(proposal string, places ...config.Accept) {
		text, err := w.store.LoadSpec(t.Context(), ownmount.CampaignSpec("c"))
		require.NoError(t, err)
		var spec config.Campaign
		require.NoError(t, json.Unmarshal(text, &spec))
		spec.Accept = append(spec.Accept, places...)
		text, err = json.Marshal(spec)
		require.NoError(t, err)
		require.NoError(t, w.store.SaveSpec(t.Context(), ownmount.RelistSpec("c", proposal), text))
		p, err := w.store.Propose(t.Context(), index, ownmount.Proposal{ID: proposal})
		require.NoError(t, err)
		_, err = w.store.Amend(t.Context(), "c", p, nil, nil, 0)
		require.NoError(t, err)
	}
	accept("p1", config.Accept{Vault: "auth/token/accessor/" + named, Reason: "the new machine's"})
	require.Equal(t, untouched, w.reasons(), "it holds up nothing any more")
	require.Empty(t, look(), "nor is it told of at the end")
	accept("p2")
	require.Equal(t, []protocol.Reason{protocol.ReasonWithinReach, protocol.ReasonUnreachable}, w.reasons(), "he took it back")

	require.NoError(t, w.client.Auth().Token().RevokeAccessor(named))
	require.NoError(t, w.client.Sys().PutPolicy("mail", `path "kv/data/apps/*" { capabilities = ["read"] }`))
	consumers := made("mail-flow", "mail")
	made("esg-01", "default")
	require.Equal(t, untouched, w.reasons(), "it is gone, and those of others hold up nobody")
	require.Contains(t, look(), "1 token of Vault")
	require.Contains(t, look(), consumers)
	require.NotContains(t, look(), "names the device")
}
