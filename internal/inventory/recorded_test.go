package inventory

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/lab"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// oneRecorded is a Vault in which an earlier campaign put a value.
type oneRecorded struct {
	oneGone
	since ownmount.Since
}

func (v oneRecorded) Cut(ctx context.Context, full string) (vault.Place, error) {
	return v.emptyVault.Cut(ctx, full)
}

func (v oneRecorded) ReadLive(_ context.Context, p credential.Path, _ int) (vault.Live, error) {
	if p != v.at {
		return vault.Live{}, nil
	}
	return vault.Live{Found: true, Version: 2, Value: credential.NewSecret("x"), Written: time.Now()}, nil
}

func (v oneRecorded) SinceActivated(context.Context, string, credential.Path, vault.Live) (ownmount.Since, error) {
	return v.since, nil
}

// Somebody may write it until Set.
func TestAPathThatOnlyARecordHasIsLookedAtAgainBeforeSet(t *testing.T) {
	t.Parallel()
	s, _ := oddSlapd(t, lab.Account{UID: "svc", Password: "x", Attrs: map[string][]string{"description": {"esg-k1"}}})
	d := slapdDirectory(s)
	client, err := directory.Open("corp", d, func(context.Context) (credential.Secret, error) { return credential.NewSecret(s.BinderPassword), nil })
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	c := campaign()
	c.Directories = map[string]config.Directory{"corp": d}
	for _, s := range []struct {
		name           string
		path           string
		since          ownmount.Since
		doubted, asked bool
	}{
		{"it holds what Rollcall put there", "node-1", ownmount.AsActivated, true, false},
		{"somebody has written it", "node-1", ownmount.WrittenSince, true, true},
		{"no version was noted", "node-1", ownmount.NotSaid, false, false},
	} {
		c.Sources = []config.Source{bySource("(description=esg-k1)")}
		v := oneRecorded{oneGone{at: credential.Path{Mount: "apps", Path: s.path, Field: "password"}}, s.since}
		roll, _, err := listIn(t.Context(), c, map[string]Directory{"corp": client}, v, "esg-01-1", time.Now())
		require.NoError(t, err)
		require.Len(t, roll.Credentials, 1, s.name)
		require.Equal(t, []credential.Path{v.at}, roll.Credentials[0].Paths, s.name)
		require.Equal(t, s.doubted, len(roll.Credentials[0].Doubted) > 0, s.name)
		require.Equal(t, s.asked, len(roll.Findings[roll.Credentials[0].ID]) > 0, "%s: %v", s.name, roll.Findings)
	}
}
