package inventory

import (
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/door"
)

// withDomain is a campaign with a domain, in which alice and bob have accounts.
func withDomain() (*config.Campaign, accounts) {
	c := campaign()
	c.Directories["ad"] = config.Directory{Driver: config.ActiveDirectory, Base: base}
	known := accounts{}
	for _, uid := range []string{"alice", "bob"} {
		known[reference{"ad", uid}] = []Account{person(uid)}
	}
	return c, known
}

func TestAPersonIsHandedATemporaryPasswordAndAServiceIsNot(t *testing.T) {
	c, known := withDomain()
	alice := Candidate{Kind: credential.UserPassword, Authority: "ad", Account: "alice", Reason: credential.Reason{Source: "people"}}
	service := Candidate{Kind: credential.ADPassword, Authority: "ad", Account: "alice", Reason: credential.Reason{Source: "services"}}
	inVault := service
	inVault.Path = &credential.Path{Mount: "kv", Path: "apps/x", Field: "password"}
	for name, tc := range map[string]struct {
		found []Candidate
		kind  credential.Kind
		path  string
		codes []credential.FindingCode
	}{
		"a person alone":                     {[]Candidate{alice, alice}, credential.UserPassword, "kv/rollcall/handover/ad/alice#password", nil},
		"a service alone":                    {[]Candidate{service}, credential.ADPassword, "kv/rollcall/ad/alice#password", nil},
		"a person whom a path belongs to":    {[]Candidate{alice, inVault}, credential.ADPassword, "kv/apps/x#password", []credential.FindingCode{credential.FindingPersonAndService}},
		"a person whom another source lists": {[]Candidate{alice, service}, credential.ADPassword, "kv/rollcall/ad/alice#password", []credential.FindingCode{credential.FindingPersonAndService}},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 {
				roll, _, err := merge(c, tc.found, known, nil)
				require.NoError(t, err)
				require.Len(t, roll.Credentials, 1)
				got := roll.Credentials[0]
				require.Equal(t, tc.kind, got.Kind)
				require.Equal(t, tc.path, got.Paths[0].String())
				var codes []credential.FindingCode
				for _, f := range roll.Findings[got.ID] {
					codes = append(codes, f.Code)
					require.Contains(t, f.Detail, "people: a person's; services: a service's")
				}
				require.Equal(t, tc.codes, codes)
				slices.Reverse(tc.found) // the order of sources does not matter
			}
		})
	}
}

// A door would refuse the temporary value until its owner has changed it, so
// that the credential is never dead, and each pass sets another value over the
// owner's.
func TestNoDoorIsAskedForATemporaryPassword(t *testing.T) {
	c, known := withDomain()
	c.Doors = map[string]door.Settings{"mail": {Type: "imaps", Login: "{account}", For: []door.Match{{Directory: "ad"}}}}
	alice := Candidate{Kind: credential.UserPassword, Authority: "ad", Account: "alice", Reason: credential.Reason{Source: "people"}}
	bob := Candidate{Kind: credential.ADPassword, Authority: "ad", Account: "bob", Reason: credential.Reason{Source: "services"}}
	roll, warnings, err := merge(c, []Candidate{alice, bob}, known, nil)
	require.NoError(t, err)
	require.Len(t, warnings, 1)
	require.Contains(t, warnings[0].Detail, "door mail may take what was stolen of 1 person for up to 1h0m0s")
	require.True(t, warnings[0].Code.Incomplete())
	by := byName(roll)
	require.Len(t, by[person("bob").Name].Doors, 1)
	is := by[person("alice").Name]
	require.Empty(t, is.Doors)
	require.Equal(t, credential.FindingDoorsShowLess, roll.Findings[is.ID][0].Code)
	require.Contains(t, roll.Findings[is.ID][0].Detail, "door mail takes it and is not asked")

	mail := c.Doors["mail"]
	mail.For[0].Kind = credential.ADPassword
	_, warnings, err = merge(c, []Candidate{alice, bob}, known, nil)
	require.NoError(t, err)
	require.Empty(t, warnings, "somebody has looked after it")
}

func TestAManifestSaysWhoIsAPerson(t *testing.T) {
	c, _ := withDomain()
	rows := func(kind credential.Kind, text string) ([]Candidate, error) {
		var out []Candidate
		err := manifest(c, config.Source{Name: "list", Type: config.Manifest, File: "m.csv", Content: []byte(text), Kind: kind}, func(c Candidate) { out = append(out, c) })
		return out, err
	}
	found, err := rows("", "account,directory,kind\nalice,ad,user-password\nbob,ad,\n")
	require.NoError(t, err)
	require.Equal(t, credential.UserPassword, found[0].Kind)
	require.Equal(t, credential.ADPassword, found[1].Kind)

	found, err = rows(credential.UserPassword, "account,directory,kind\nalice,ad,\nbob,ad,ad-password\n")
	require.NoError(t, err)
	require.Equal(t, credential.UserPassword, found[0].Kind)
	require.Equal(t, credential.ADPassword, found[1].Kind, "a row knows better than its source")

	_, err = rows(credential.UserPassword, "account,directory,kind,path\nalice,corp,,\nbob,ad,,kv/x#password\nbob,ad,ldap-password,\n")
	var mistakes *config.Errors
	require.True(t, errors.As(err, &mistakes))
	require.Equal(t, []config.Problem{
		{Line: 2, Text: "kind: accounts of this directory have ldap-password; user-password is for people in Active Directory"},
		{Line: 3, Text: "path: leave it out, a person's password is in no path that anything reads; if something does, the account is a service's and has ad-password"},
		{Line: 4, Text: "kind: accounts of this directory have ad-password; leave it out"},
	}, mistakes.List)
}
