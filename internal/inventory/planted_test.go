package inventory

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/lab"
)

// Whoever writes the device's part of Vault chooses by custom_metadata what the
// directory is asked for. Whatever that is, the others are listed: by an
// identity that may get 500 entries, as bind.dn has commonly been, since no
// look-up of a roll needs more.
func TestNoNameInMetadataEndsTheListing(t *testing.T) {
	servers(t)
	ca, err := lab.NewCA()
	require.NoError(t, err)
	seeded := lab.SeedAccounts("svc", 520)
	for i := range seeded {
		if seeded[i].UID != "svc0003" {
			seeded[i].Attrs = map[string][]string{"mail": {"all@example.org"}}
		}
	}
	s, err := lab.StartSlapd(t.Context(), lab.SlapdOptions{Dir: t.TempDir(), CA: ca, Accounts: seeded})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	d := slapdDirectory(s)
	d.Bind.DN = s.AccountDN("svc0001")
	client, err := directory.Open("corp", d, func(context.Context) (credential.Secret, error) {
		return credential.NewSecret(s.SeededPassword("svc0001")), nil
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })

	planted := map[string]string{ // by name: what is said of it
		"objectClass=top":              "is not in corp",
		"objectClass=person," + d.Base: "is not in corp",
		"mail=all@example.org":         "is not in corp",
		"o=no such\\, attribute=x":     "is not in corp",
		"nosuchattribute=*," + d.Base:  "is not in corp",
		"svc0003":                      "was not looked for: the entry ",
		"svc0004":                      "was not looked for: directory corp: ",
		strings.Repeat("x=y,", 100):    "is not in corp",
	}
	metadata, kv := map[string]map[string]any{}, map[string]map[string]any{}
	for i, name := range []string{"svc0002", "uid=svc0005,ou=people," + d.Base, "userid=SVC0006, OU=people," + d.Base} {
		at := "planted/good" + string(rune('a'+i))
		kv[at], metadata[at] = map[string]any{"password": "x"}, map[string]any{"account": name, "directory": "corp"}
	}
	for name := range planted {
		at := "planted/bad" + string(rune('a'+len(kv)))
		kv[at], metadata[at] = map[string]any{"password": "y"}, map[string]any{"account": name, "directory": "corp"}
	}
	kv["planted/all"], metadata["planted/all"] = map[string]any{"password": "z"}, map[string]any{"account": "all@example.org", "directory": "corp"}
	require.NoError(t, realVault.SeedKV(t.Context(), kv))
	require.NoError(t, realVault.SeedMetadata(t.Context(), metadata))
	c := campaign()
	c.Directories = map[string]config.Directory{"corp": d}
	c.Sources = []config.Source{{Name: "device", Type: config.VaultKV, Prefix: "kv/planted"}}
	odd := &oddAnswers{Directory: client}
	roll, _, err := listIn(t.Context(), c, map[string]Directory{"corp": odd}, openVault(t, realVault.RootToken().Reveal()), "c", time.Now())
	require.NoError(t, err)
	for _, uid := range []string{"svc0002", "svc0005", "svc0006"} {
		require.Empty(t, byName(roll)[s.AccountDN(uid)].Problem)
		require.Len(t, byName(roll)[s.AccountDN(uid)].Paths, 1, uid)
	}
	for name, want := range planted {
		got := byName(roll)[name]
		require.Equal(t, credential.NoAccount, got.Problem, name)
		require.Contains(t, details(roll, got.ID, credential.FindingNoAccount), want, name)
	}

	require.Equal(t, credential.Ambiguous, byName(roll)["all@example.org"].Problem)

	// What the file itself names has to be known.
	c.Exclude = []config.Exclude{{Account: "svc0004", Reason: "x"}}
	_, _, err = listIn(t.Context(), c, map[string]Directory{"corp": odd}, openVault(t, realVault.RootToken().Reveal()), "c", time.Now())
	require.ErrorContains(t, err, "the listing was given up and nothing was changed")
	c.Exclude = nil
	odd.down = true
	_, _, err = listIn(t.Context(), c, map[string]Directory{"corp": odd}, openVault(t, realVault.RootToken().Reveal()), "c", time.Now())
	require.ErrorContains(t, err, "the line is cut", "a server that does not answer ends it")
}

// oddAnswers hides the id of one entry, and stops at a limit where another is
// asked for.
type oddAnswers struct {
	Directory
	down bool
}

func (o *oddAnswers) Find(ctx context.Context, server, base, filter string, attrs []string, each func(directory.Entry) error) ([]string, error) {
	if o.down {
		return nil, errors.New("the line is cut")
	}
	if strings.Contains(filter, "(uid=svc0004)") {
		return o.Directory.Find(ctx, server, base, "(objectClass=*)", attrs, func(directory.Entry) error { return nil })
	}
	return o.Directory.Find(ctx, server, base, filter, attrs, func(e directory.Entry) error {
		if strings.HasPrefix(e.DN, "uid=svc0003,") {
			e.ID = ""
		}
		return each(e)
	})
}
