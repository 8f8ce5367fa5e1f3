package inventory

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/lab"
)

// Whoever may write the metadata of a path that is left out could name any
// account in it.
func TestAPathThatIsLeftOutTakesNoAccountWithIt(t *testing.T) {
	c := campaign()
	c.Exclude = []config.Exclude{{Path: "kv/apps/leftover#password", Reason: "a leftover"}, {Path: "kv/apps/other", Reason: "not ours"}}
	both := []Candidate{from(t, "kv alice kv/apps/leftover#password"), from(t, "filter alice -"), from(t, "kv alice kv/apps/alice#password")}
	roll, warnings, err := merge(c, append(both, from(t, "kv bob kv/apps/other#key"), from(t, "kv - kv/apps/other#password")), people(), nil)
	require.NoError(t, err)
	require.Empty(t, warnings)
	require.Len(t, roll.Credentials, 1)
	require.Equal(t, person("alice").Name+" [kv/apps/alice#password] (filter kv) FINDING path-left-out", shown(roll, roll.Credentials[0]))
	var out []string
	for _, x := range roll.Excluded {
		out = append(out, x.ID+": "+x.Name+": "+x.Reason)
	}
	require.Equal(t, []string{
		"corp/" + uuidOf("bob") + ": " + person("bob").Name + ": not ours",
		"path/kv/apps/leftover#password: kv/apps/leftover#password: a leftover",
		"unmatched/kv/apps/other#password: kv/apps/other#password: not ours",
	}, out)
}

// A field of one secret and another secret that has a "#" in its name are two
// places.
func TestAFieldThatIsLeftOutIsNoOtherSecret(t *testing.T) {
	sharp := from(t, "kv bob kv/a%23b#password")
	require.Equal(t, "a#b", sharp.Path.Path)
	for path, want := range map[string][]string{"kv/a#b": {"bob"}, "kv/a%23b": {"alice"}, "kv/a%23b#password": {"alice"}} {
		c := campaign()
		c.Exclude = []config.Exclude{{Path: path, Reason: "x"}}
		roll, warnings, err := merge(c, []Candidate{from(t, "kv alice kv/a#b"), sharp}, people(), nil)
		require.NoError(t, err)
		require.Empty(t, warnings)
		var left []string
		for _, l := range roll.Credentials {
			left = append(left, rdnValue(l.Name))
		}
		require.Equal(t, want, left, path)
	}
}

// Its tokens may read what is set, and it is not among the logins of which that
// is asked.
func TestALoginToVaultThatIsLeftOutMakesTheListingIncomplete(t *testing.T) {
	found := []Candidate{from(t, "a alice -"), from(t, "a approle/esg kv/x/esg#secret_id")}
	for name, e := range map[string]config.Exclude{
		"by its name":          {Account: "approle/esg", Reason: "later"},
		"by its only place":    {Path: "kv/x/esg#secret_id", Reason: "later"},
		"by its only document": {Path: "kv/x/esg", Reason: "later"},
	} {
		t.Run(name, func(t *testing.T) {
			c := campaign()
			c.Exclude = []config.Exclude{e}
			roll, warnings, err := merge(c, found, people(), nil)
			require.NoError(t, err)
			require.Len(t, roll.Credentials, 1)
			require.Len(t, warnings, 1)
			require.Equal(t, credential.FindingLoginExcluded, warnings[0].Code)
			require.Contains(t, warnings[0].Detail, "approle/esg is a login to Vault and is left out (later): whoever stole it, and its tokens, may read what is set")
			roll.Warnings = warnings
			require.Equal(t, 1, roll.Incomplete())
			require.Len(t, roll.Excluded, 1)
			require.Contains(t, roll.Excluded[0].Logins, "approle/esg", "whoever comes by it is not taken at his word (internal/people)")
		})
	}
	c := campaign()
	c.Exclude = []config.Exclude{{Path: "kv/x/esg#secret_id", Reason: "not its own"}, {Account: "alice", Reason: "by hand"}}
	roll, warnings, err := merge(c, append(found, from(t, "b approle/esg -")), people(), nil)
	require.NoError(t, err)
	require.Empty(t, warnings)
	require.Len(t, roll.Credentials, 1, "one that stays on the roll is asked, and no account of a directory is meant")
}

// The directory says whom a name means, and not the roll.
func TestANameThatIsLeftOutIsTheAccountThatTheDirectoryMeansByIt(t *testing.T) {
	t.Parallel()
	of := map[string][]string{"description": {"esg-01"}}
	s, admin := oddSlapd(t, lab.Account{UID: "svc-mail", Password: "x", Attrs: of}, lab.Account{UID: "svc-two", Password: "x", Attrs: of},
		lab.Account{UID: "breakglass", Password: "x"})
	add := func(uid, name, value string) {
		addValue(t, admin, s.AccountDN(uid), name, value)
	}
	add("svc-mail", "uid", "breakglass") // what whoever may write the entry of a stolen account can do
	add("svc-mail", "uid", "emergency")
	add("svc-mail", "mail", "emergency@example.org")
	for name, want := range map[string]string{
		"breakglass":            "exclude account breakglass matches 2 credentials",
		"emergency":             "means corp: " + s.AccountDN("svc-mail") + " by a name that can be added to an entry",
		"emergency@example.org": "by a name that can be added to an entry",
	} {
		c := campaign()
		c.Sources = []config.Source{bySource("(description=*esg-01*)")}
		c.Exclude = []config.Exclude{{Account: name, Reason: "sealed envelope"}}
		_, err := tryLDAP(t, slapdDirectory(s), s.BinderPassword, c)
		require.ErrorContains(t, err, want)
	}
	for _, name := range []string{"svc-two", s.AccountDN("svc-two")} {
		c := campaign()
		c.Sources = []config.Source{bySource("(description=*esg-01*)")}
		c.Exclude = []config.Exclude{{Account: name, Reason: "because"}}
		roll, err := tryLDAP(t, slapdDirectory(s), s.BinderPassword, c)
		require.NoError(t, err)
		require.Len(t, roll.Credentials, 1)
		require.Equal(t, s.AccountDN("svc-two"), roll.Excluded[0].Name)
	}
}

func TestOnlyTheProblemThatIsAcceptedIsLifted(t *testing.T) {
	smb := person("alice")
	smb.facts = &facts{classes: []string{"inetorgperson"}, login: []string{"alice"}, copies: []string{"sambaNTPassword"}, without: true}
	known := people()
	known[reference{"corp", "alice"}] = []Account{smb}
	c := campaign()
	c.Accept = []config.Accept{{Account: "alice", Problem: credential.SecondCopy, Reason: "the overlay does it"}}
	roll, warnings, err := merge(c, []Candidate{from(t, "a alice kv/x#password")}, known, nil)
	require.NoError(t, err)
	require.Equal(t, credential.NoPassword, roll.Credentials[0].Problem, "it has none at all")
	require.Len(t, warnings, 1, "what was accepted is not its problem")

	smb.facts.without = false
	roll, warnings, err = merge(c, []Candidate{from(t, "a alice kv/x#password")}, known, nil)
	require.NoError(t, err)
	require.Empty(t, warnings)
	require.Empty(t, roll.Credentials[0].Problem)
	require.Equal(t, []credential.Problem{credential.SecondCopy}, roll.Credentials[0].Accepted, "whoever looks again before Set knows it")
	require.Contains(t, details(roll, roll.Credentials[0].ID, credential.FindingSecondCopy), "accepted by the campaign file: the overlay does it")
}
