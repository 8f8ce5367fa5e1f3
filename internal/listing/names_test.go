package listing

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/vault/setup/setuptest"
)

func TestANameStandsForTheServersThatItHad(t *testing.T) {
	const base = "dc=example,dc=org"
	known := map[string]ownmount.NamedDirectory{
		"corp":  {Name: "corp", Base: base, Servers: []string{"ldaps://a.example.org:636@10.0.0.1", "ldaps://b.example.org:636@10.0.0.2"}, Campaign: "c1", Device: "esg-01"},
		"plant": {Name: "plant", Base: "dc=plant", Servers: []string{"ldaps://a.example.org:636@10.0.0.1"}, Campaign: "c2", Device: "vpn-01"},
	}
	at := func(base string, servers ...string) config.Directory {
		return config.Directory{Base: base, Servers: servers, Addresses: map[string]string{"ldaps://new.example.org:636": "10.0.0.2"}}
	}
	moved := at(base, "ldaps://z.example.org:636")
	moved.Formerly = []string{"ldaps://b.example.org:636"}
	for name, tc := range map[string]struct {
		name string
		d    config.Directory
		want string // in the words; empty if it may go on
	}{
		"as before":                            {"corp", at(base, "ldaps://a.example.org:636", "ldaps://b.example.org:636"), ""},
		"one more, one less":                   {"corp", at(base, "ldaps://b.example.org:636", "ldaps://c.example.org:636"), ""},
		"a new name for one address":           {"corp", at(base, "ldaps://new.example.org:636"), ""},
		"by its address":                       {"corp", at(base, "ldaps://10.0.0.1:636"), ""},
		"one name with several addresses":      {"corp", at(base, "ldaps://a.example.org:636@10.0.0.9"), ""},
		"another base":                         {"corp", at("ou=people,"+base, "ldaps://a.example.org:636"), ""},
		"it moved, as a person says":           {"corp", moved, ""},
		"none of them":                         {"corp", at(base, "ldaps://test.example.org:636"), "give it another name"},
		"another server on that machine":       {"corp", at(base, "ldaps://a.example.org:1636"), "give it another name"},
		"under another name":                   {"ldap", at(base, "ldaps://b.example.org:636"), "call it corp"},
		"a part of it under another name":      {"people", at("ou=people,"+base, "ldaps://b.example.org:636"), "call it corp"},
		"another tree of that server":          {"lab", at("dc=lab", "ldaps://b.example.org:636"), ""},
		"another directory with the same base": {"lab", at(base, "ldaps://lab.example.org:636"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := misnamed(&config.Campaign{Vault: config.Vault{Mount: "rollcall"}, Directories: map[string]config.Directory{tc.name: tc.d}}, tc.name, known)
			if tc.want == "" {
				require.Nil(t, got)
				return
			}
			require.ErrorContains(t, got, tc.want)
			require.ErrorContains(t, got, "campaign c1 of device esg-01")
		})
	}
}

// safe is a Vault with Rollcall's own mounts.
type safe struct {
	ctx   context.Context
	store *ownmount.Store
	spec  *config.Campaign
}

func newSafe(t *testing.T) *safe {
	t.Helper()
	s := setuptest.New(t)
	return &safe{ctx: s.Context, store: s.Store, spec: s.Spec}
}

func TestOfTwoDirectoriesThatAreGivenOneNameAtOnceTheSecondIsRefused(t *testing.T) {
	s := newSafe(t)
	spec := func(server string) *config.Campaign {
		c := *s.spec
		c.Directories = map[string]config.Directory{"corp": {Base: "dc=example,dc=org", Servers: []string{server}}}
		return &c
	}
	production, test := spec("ldaps://a.example.org:636"), spec("ldaps://test.example.org:636")
	require.NoError(t, Names(s.ctx, s.store, nil, production))
	require.NoError(t, Names(s.ctx, s.store, nil, test), "nobody has the name yet")
	var outcomes [2]error
	done := make(chan struct{})
	for i, c := range []*config.Campaign{production, test} {
		go func() {
			outcomes[i] = KeepNames(s.ctx, s.store, c, "c1")
			done <- struct{}{}
		}()
	}
	<-done
	<-done
	var wrong *NameError
	if outcomes[0] == nil {
		outcomes[0] = outcomes[1]
	} else {
		require.NoError(t, outcomes[1])
	}
	require.ErrorAs(t, outcomes[0], &wrong)
	known, err := s.store.NamedDirectories(s.ctx)
	require.NoError(t, err)
	require.Len(t, known["corp"].Servers, 1)
	require.ErrorAs(t, Names(s.ctx, s.store, nil, spec("ldaps://copy.example.org:636")), &wrong)

	// A campaign of a version that kept no names says in its roll what a name
	// stood for.
	for _, rec := range []string{"old", "older"} {
		require.NoError(t, s.store.OpenCampaign(s.ctx, ownmount.CampaignRecord{Campaign: rec, Device: "esg-01"}))
	}
	_, err = s.store.WriteRoll(s.ctx, &credential.Roll{Campaign: "old", Device: "esg-01", Servers: map[string][]string{"plant": {"ldaps://p.example.org:636"}}, Addresses: map[string]string{"ldaps://p.example.org:636": "10.0.0.7"}})
	require.NoError(t, err)
	plant := func(server string) *config.Campaign {
		c := *s.spec
		c.Directories = map[string]config.Directory{"plant": {Base: "dc=plant", Servers: []string{server}}}
		return &c
	}
	require.ErrorAs(t, Names(s.ctx, s.store, nil, plant("ldaps://copy.example.org:636")), &wrong)
	require.ErrorAs(t, KeepNames(s.ctx, s.store, plant("ldaps://copy.example.org:636"), "c2"), &wrong)
	require.NoError(t, KeepNames(s.ctx, s.store, plant("ldaps://10.0.0.7:636"), "c2"))
}
