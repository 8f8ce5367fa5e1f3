package inventory

import (
	"context"
	"strings"
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

// oneGone is a Vault in which an earlier campaign put a value into a mount that
// is not there any more.
type oneGone struct {
	emptyVault
	at credential.Path
}

func (v oneGone) ActivatedPlaces(_ context.Context, ids []string) (map[string][]credential.Path, error) {
	out := map[string][]credential.Path{}
	for _, id := range ids {
		out[id] = []credential.Path{v.at}
	}
	return out, nil
}

func (v oneGone) Cut(ctx context.Context, full string) (vault.Place, error) {
	if strings.HasPrefix(full, v.at.Mount+"/") {
		return vault.Place{}, &vault.Error{Op: "find the mount", Path: full, Kind: vault.NoMount}
	}
	return v.emptyVault.Cut(ctx, full)
}

func (v oneGone) ReadLive(ctx context.Context, p credential.Path, version int) (vault.Live, error) {
	if _, err := v.Cut(ctx, p.Mount+"/"+p.Path); err != nil {
		return vault.Live{}, err
	}
	return vault.Live{}, nil
}

// Whoever reads the secret reads it where its mount went: a value that is set
// and written elsewhere cuts him off.
func TestAnEarlierPathWhoseMountIsGoneKeepsItsAccountOpen(t *testing.T) {
	t.Parallel()
	s, _ := oddSlapd(t, lab.Account{UID: "svc", Password: "x", Attrs: map[string][]string{"description": {"esg-k1"}}})
	d := slapdDirectory(s)
	client, err := directory.Open("corp", d, func(context.Context) (credential.Secret, error) { return credential.NewSecret(s.BinderPassword), nil })
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	c := campaign()
	c.Directories = map[string]config.Directory{"corp": d}
	c.Sources = []config.Source{bySource("(description=esg-k1)")}
	v := oneGone{at: credential.Path{Mount: "apps", Path: "svc", Field: "password"}}
	list := func() *credential.Roll {
		roll, _, err := listIn(t.Context(), c, map[string]Directory{"corp": client}, v, "esg-01-1", time.Now())
		require.NoError(t, err)
		return roll
	}
	roll := list()
	require.Equal(t, credential.NoMount, roll.Credentials[0].Problem)
	c.Exclude = []config.Exclude{{Path: "apps/svc#password", Reason: "its consumers read kv/svc now"}}
	roll = list()
	require.Empty(t, roll.Credentials[0].Problem, "a person said that the path is no more")
}

// A row for another account may be a slip: what it takes away is where this
// one's consumers read.
func TestARowForAnotherDoesNotLeaveAnAccountWithoutThePathOfItsValue(t *testing.T) {
	path := "kv/apps/alice#password"
	earlier := func(since ownmount.Since) Candidate {
		c := from(t, "rollcall alice "+path)
		a := person("alice")
		c.Found, c.Earlier, c.Since = &a, true, since
		return c
	}
	tagged := from(t, "directory alice -")
	tagged.Reason.Type = config.FromLDAP
	problem := func(all ...Candidate) (credential.Credential, *credential.Roll) {
		roll, _, err := merge(campaign(), append([]Candidate{tagged}, all...), people(), nil)
		require.NoError(t, err)
		return byName(roll)[person("alice").Name], roll
	}
	alice, _ := problem(earlier(ownmount.AsActivated))
	require.Empty(t, alice.Problem)
	alice, roll := problem(earlier(ownmount.AsActivated), from(t, "rows bob "+path))
	require.Equal(t, credential.SharedPath, alice.Problem)
	require.Contains(t, details(roll, alice.ID, credential.FindingSharedPath), "named it for another account")
	require.Empty(t, byName(roll)[person("bob").Name].Problem)
	alice, _ = problem(earlier(ownmount.WrittenSince), from(t, "rows bob "+path))
	require.Empty(t, alice.Problem, "somebody has put another value there since")
	alice, _ = problem(earlier(ownmount.AsActivated), from(t, "rows bob "+path), from(t, "rows alice kv/apps/alice2#password"))
	require.Empty(t, alice.Problem, "it has another place")
}
