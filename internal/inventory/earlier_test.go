package inventory

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault/ownmount"
)

// listedThen is a credential as an earlier roll had it.
func listedThen(name, kind string, paths ...string) credential.Credential {
	c := credential.Credential{ID: "corp/" + uuidOf(name), Kind: credential.LDAPPassword, Authority: "corp", Subject: uuidOf(name), Name: person(name).Name,
		Reasons: []credential.Reason{{Source: kind, Type: kind, Detail: "then"}}}
	for _, p := range paths {
		at, err := credential.ParsePath(p)
		if err != nil {
			panic(err)
		}
		c.Paths = append(c.Paths, at)
	}
	c.Hearsay = kind == config.VaultKV
	return c
}

func withoutAccount(reason, path string) credential.Credential {
	c := listedThen("nobody", reason, path)
	c.ID, c.Subject, c.Name, c.Problem, c.Hearsay = unmatched+"/"+path, "", path, credential.NoOwner, false
	return c
}

func TestWhatTheLastRollHadOpenStaysUnlessSomebodyAnswered(t *testing.T) {
	directory := config.Source{Name: "directory", Type: config.FromLDAP, Directory: "corp", Filter: "(a=b)"}
	kv := config.Source{Name: config.VaultKV, Type: config.VaultKV, Prefix: "kv/x"}
	narrower := directory
	narrower.Filter = "(a=c)"
	alice := person("alice").Name
	for name, tc := range map[string]struct {
		was     credential.Credential
		dead    bool
		now     []config.Source
		exclude config.Exclude
		found   []string
		want    []string
	}{
		"the source is unchanged":                {was: listedThen("alice", "directory"), now: []config.Source{directory}, want: []string{alice + " [kv/rollcall/corp/alice#password] (directory rollcall) adopted FINDING no-longer-named"}},
		"a person changed the source":            {was: listedThen("alice", "directory"), now: []config.Source{narrower}, want: []string{alice + " [] (directory rollcall) PROBLEM no-longer-named FINDING no-longer-named"}},
		"the source is gone":                     {was: listedThen("alice", "directory", "kv/x/a#password"), want: []string{alice + " [kv/x/a#password] (directory rollcall) PROBLEM no-longer-named FINDING no-longer-named"}},
		"it was proved dead":                     {was: listedThen("alice", "directory"), dead: true},
		"it is named":                            {was: listedThen("alice", "directory"), found: []string{"a alice kv/x/other#password"}, want: []string{alice + " [kv/x/other#password] (a)"}},
		"by a secret that is gone":               {was: listedThen("alice", config.VaultKV, "kv/x/a#password"), now: []config.Source{kv}, want: []string{alice + " [kv/x/a#password] (rollcall vault-kv) FINDING no-longer-named"}},
		"its only path is left out":              {was: listedThen("alice", config.VaultKV, "kv/x/a#password"), now: []config.Source{kv}, exclude: config.Exclude{Path: "kv/x/a"}},
		"one of two ways is left out":            {was: listedThen("alice", "directory", "kv/x/a#password"), now: []config.Source{directory}, exclude: config.Exclude{Path: "kv/x/a"}, want: []string{alice + " [kv/rollcall/corp/alice#password] (directory rollcall) adopted FINDING no-longer-named path-left-out"}},
		"it is excluded":                         {was: listedThen("alice", "directory"), exclude: config.Exclude{Account: "alice"}},
		"its campaign is excluded":               {was: listedThen("alice", "directory"), exclude: config.Exclude{Campaign: "c1"}},
		"its account is gone":                    {was: listedThen("zoe", "directory"), now: []config.Source{directory}, want: []string{person("zoe").Name + " [] (directory rollcall) PROBLEM no-account FINDING no-longer-named path-without-account"}},
		"a secret of nobody that is gone":        {was: withoutAccount(config.VaultKV, "kv/x/n#password"), now: []config.Source{kv}, want: []string{"kv/x/n#password [kv/x/n#password] (rollcall vault-kv) PROBLEM no-owner FINDING no-longer-named"}},
		"a secret of nobody that has an owner":   {was: withoutAccount(config.VaultKV, "kv/x/n#password"), found: []string{"kv alice kv/x/n#password"}, want: []string{alice + " [kv/x/n#password] (kv)"}},
		"a line of a manifest that named nobody": {was: withoutAccount(config.Manifest, "kv/x/n#password")},
	} {
		t.Run(name, func(t *testing.T) {
			c := campaign()
			c.Sources = tc.now
			if tc.exclude != (config.Exclude{}) {
				tc.exclude.Reason = "asked"
				c.Exclude = []config.Exclude{tc.exclude}
			}
			before := past{last: &ownmount.LastRoll{Campaign: "c1", Credentials: []credential.Credential{tc.was}, Dead: map[string]bool{tc.was.ID: tc.dead}, Sources: []config.Source{directory, kv}}}
			before.choose(c)
			var found []Candidate
			for _, text := range tc.found {
				found = append(found, from(t, text))
			}
			roll, _, err := mergeAll(c, found, people(), nil, unfound{past: before})
			require.NoError(t, err)
			var got []string
			for _, cr := range roll.Credentials {
				got = append(got, shown(roll, cr))
			}
			require.Equal(t, tc.want, got)
		})
	}
}

// What a person put off is the likeliest to be alive: it does not end with what
// named it.
func TestWhatTheLastRollHadExcludedStaysOnceNobodyExcludesIt(t *testing.T) {
	directory := config.Source{Name: "directory", Type: config.FromLDAP, Directory: "corp", Filter: "(a=b)"}
	kv := config.Source{Name: config.VaultKV, Type: config.VaultKV, Prefix: "kv/x"}
	alice := person("alice").Name
	byAccount, byPath := config.Exclude{Account: "alice", Reason: "next week"}, config.Exclude{Path: "kv/x/a#password", Reason: "it is another team's"}
	for name, tc := range map[string]struct {
		then    config.Exclude
		found   string // by the first campaign
		now     []config.Source
		exclude config.Exclude
		again   string   // found by the second
		want    []string // lines of the second
		left    []string // excluded there
	}{
		"its tag was taken away":         {then: byAccount, found: "directory alice -", now: []config.Source{directory}, want: []string{alice + " [kv/rollcall/corp/alice#password] (directory rollcall) adopted FINDING no-longer-named"}},
		"a person changed the source":    {then: byAccount, found: "directory alice -", want: []string{alice + " [] (directory rollcall) PROBLEM no-longer-named FINDING no-longer-named"}},
		"its secret is gone":             {then: byAccount, found: "vault-kv alice kv/x/a#password", now: []config.Source{kv}, want: []string{alice + " [] (rollcall vault-kv) PROBLEM no-longer-named FINDING no-longer-named"}},
		"it is excluded still":           {then: byAccount, found: "directory alice -", now: []config.Source{directory}, exclude: byAccount, left: []string{alice}},
		"it is named":                    {then: byAccount, found: "directory alice -", now: []config.Source{directory}, again: "directory alice -", want: []string{alice + " [kv/rollcall/corp/alice#password] (directory) adopted"}},
		"all of that campaign is let go": {then: byAccount, found: "directory alice -", exclude: config.Exclude{Campaign: "c1", Reason: "they are not the device's"}, left: []string{alice}},
		"its place is left out still":    {then: byPath, found: "vault-kv alice kv/x/a#password", now: []config.Source{kv}, exclude: byPath, again: "vault-kv alice kv/x/a#password", left: []string{alice}},
		"the place alone is gone":        {then: byPath, found: "vault-kv alice kv/x/a#password", now: []config.Source{kv}, want: []string{alice + " [] (rollcall vault-kv) PROBLEM no-longer-named FINDING no-longer-named"}},
	} {
		t.Run(name, func(t *testing.T) {
			list := func(exclude config.Exclude, found string, now []config.Source, before past) *credential.Roll {
				c := campaign()
				c.Sources = now
				if exclude != (config.Exclude{}) {
					c.Exclude = []config.Exclude{exclude}
				}
				before.choose(c)
				var all []Candidate
				if found != "" {
					all = append(all, from(t, found))
				}
				for i := range all {
					all[i].Reason.Type = map[string]string{"directory": config.FromLDAP, "vault-kv": config.VaultKV}[all[i].Reason.Source]
				}
				roll, _, err := mergeAll(c, all, people(), nil, unfound{past: before})
				require.NoError(t, err)
				return roll
			}
			first := list(tc.then, tc.found, []config.Source{directory, kv}, past{})
			require.Empty(t, first.Credentials)
			last := func(campaign string, roll *credential.Roll, sources []config.Source) past {
				return past{last: &ownmount.LastRoll{Campaign: campaign, Credentials: roll.Credentials, Excluded: roll.Excluded, Dead: map[string]bool{}, Sources: sources}}
			}
			second := list(tc.exclude, tc.again, tc.now, last("c1", first, []config.Source{directory, kv}))
			var got, left []string
			for _, cr := range second.Credentials {
				got = append(got, shown(second, cr))
			}
			for _, x := range second.Excluded {
				left = append(left, x.Name)
			}
			require.Equal(t, tc.want, got)
			require.Equal(t, tc.left, left)
			third := list(config.Exclude{}, "", tc.now, last("c2", second, tc.now))
			require.Len(t, third.Credentials, 1, "the campaign after the next has not forgotten it")
		})
	}
}

func TestAStagedValueThatMayBeInForceIsFinishedSaidOrKeepsItsAccountOn(t *testing.T) {
	alice := listedThen("alice", "directory", "kv/x/a#password")
	of := func(device string, listed *credential.Credential) ownmount.Leftover {
		return ownmount.Leftover{ID: alice.ID, Campaign: "c1", Device: device, Listed: listed, Paths: []string{"kv/x/a#password"}}
	}
	for name, tc := range map[string]struct {
		left    ownmount.Leftover
		exclude config.Exclude
		found   string
		want    string // the line
		warning string
		err     string
	}{
		"of the device":                          {left: of("esg-01", &alice), want: "[kv/x/a#password] (directory rollcall) FINDING no-longer-named"},
		"of the device, without a roll":          {left: of("esg-01", nil), warning: "campaign c1 left a new value staged that may be in force and lies nowhere else, and nothing of this campaign names it"},
		"of another device":                      {left: of("vpn-01", &alice), warning: "of device vpn-01 left a new value staged"},
		"named":                                  {left: of("vpn-01", &alice), found: "a alice kv/x/b#password", want: "[kv/x/b#password] (a)"},
		"excluded by name":                       {left: of("esg-01", &alice), exclude: config.Exclude{Account: "alice"}, err: "take the exclude out, let a campaign finish it"},
		"excluded by the device's next":          {left: of("vpn-01", nil), exclude: config.Exclude{Account: "alice"}, found: "a alice -", warning: "and this campaign leaves it out: run a campaign of that device, which goes on with it, or copy the value from rollcall/staging/corp/"},
		"its path excluded":                      {left: of("esg-01", &alice), exclude: config.Exclude{Path: "kv/x/a#password"}, err: "it was meant for that path"},
		"its secret excluded":                    {left: of("esg-01", &alice), exclude: config.Exclude{Path: "kv/x/a"}, found: "a alice kv/x/a#password", err: "take the exclude out"},
		"who may not read it":                    {left: ownmount.Leftover{ID: alice.ID}, warning: "corp/" + uuidOf("alice") + ": a campaign left a new value staged"},
		"who may not read it, excluded":          {left: ownmount.Leftover{ID: alice.ID}, exclude: config.Exclude{Account: "alice"}, found: "a alice -", warning: "a campaign left a new value staged"},
		"excluded, of another device":            {left: of("vpn-01", &alice), exclude: config.Exclude{Account: "alice"}, found: "a alice -", warning: "run a campaign of that device"},
		"its path excluded, of another device":   {left: of("vpn-01", &alice), exclude: config.Exclude{Path: "kv/x/a#password"}, found: "a alice kv/x/a#password", warning: "run a campaign of that device"},
		"its secret excluded, of another device": {left: of("vpn-01", nil), exclude: config.Exclude{Path: "kv/x/a"}, found: "a alice kv/x/a#password", warning: "run a campaign of that device"},
		"of a directory of others":               {left: ownmount.Leftover{ID: "plant/1", Campaign: "c1", Device: "vpn-01"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := campaign()
			if tc.exclude != (config.Exclude{}) {
				tc.exclude.Reason = "asked"
				c.Exclude = []config.Exclude{tc.exclude}
			}
			before := past{leftovers: []ownmount.Leftover{tc.left}}
			before.choose(c)
			var found []Candidate
			if tc.found != "" {
				found = append(found, from(t, tc.found))
			}
			roll, warnings, err := mergeAll(c, found, people(), nil, unfound{past: before})
			if tc.err != "" {
				require.ErrorContains(t, err, tc.err)
				public, ok := Public(err)
				require.True(t, ok)
				require.NotContains(t, public, "alice")
				return
			}
			require.NoError(t, err)
			var got string
			for _, cr := range roll.Credentials {
				got += shown(roll, cr)
			}
			if tc.want != "" {
				tc.want = person("alice").Name + " " + tc.want
			}
			require.Equal(t, tc.want, got)
			roll.Warnings = warnings
			if tc.warning == "" {
				require.Empty(t, warnings)
				return
			}
			require.Contains(t, warnings[0].Detail, tc.warning)
			require.Equal(t, 1, roll.Incomplete(), "exit code 2")
		})
	}
}
