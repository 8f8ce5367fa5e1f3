package directory

import (
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/directory/adacl"
)

const testDomain = "DC=ad,DC=example,DC=org"

// Whoever may change who is a member of a group that may fetch the domain's
// passwords may fetch them, and so may who may log in as an account that may.
func TestWhoMayTakeThePlaceOfAGroupHasItsRights(t *testing.T) {
	me, mine, other, group := sidNumber(1001), sidNumber(1002), sidNumber(3001), sidNumber(2001)
	head := descriptor("", 0, entryFor(adacl.TypeAllowObject, 0, adacl.ControlAccess, adacl.ReplicateAll, group))
	for name, row := range map[string]struct {
		group, container, template []byte
		protected, closed          bool
		want                       bool
	}{
		"nothing":                           {group: descriptor("", 0)},
		"everything":                        {group: descriptor("", 0, entryFor(adacl.TypeAllow, 0, adacl.GenericAll, "", me)), want: true},
		"everything, by a group of its":     {group: descriptor("", 0, entryFor(adacl.TypeAllow, 0, 0xF01FF, "", mine)), want: true},
		"of somebody else":                  {group: descriptor("", 0, entryFor(adacl.TypeAllow, 0, 0xF01FF, "", other))},
		"writes everything":                 {group: descriptor("", 0, entryFor(adacl.TypeAllow, 0, adacl.GenericWrite, "", me)), want: true},
		"writes all properties":             {group: descriptor("", 0, entryFor(adacl.TypeAllow, 0, adacl.WriteProperty, "", me)), want: true},
		"writes its members":                {group: descriptor("", 0, entryFor(adacl.TypeAllowObject, 0, adacl.WriteProperty, adacl.Member, me)), want: true},
		"writes the set with its members":   {group: descriptor("", 0, entryFor(adacl.TypeAllowObject, 0, adacl.WriteProperty, adacl.Membership, me)), want: true},
		"writes another property":           {group: descriptor("", 0, entryFor(adacl.TypeAllowObject, 0, adacl.WriteProperty, adacl.UnicodePwd, me))},
		"may add itself":                    {group: descriptor("", 0, entryFor(adacl.TypeAllowObject, 0, adacl.WriteSelf, adacl.Member, me)), want: true},
		"all validated writes":              {group: descriptor("", 0, entryFor(adacl.TypeAllow, 0, adacl.WriteSelf, "", me)), want: true},
		"another validated write":           {group: descriptor("", 0, entryFor(adacl.TypeAllowObject, 0, adacl.WriteSelf, adacl.ChangePassword, me))},
		"resets its password, that is no":   {group: descriptor("", 0, entryFor(adacl.TypeAllowObject, 0, adacl.ControlAccess, adacl.ResetPassword, me))},
		"changes the list":                  {group: descriptor("", 0, entryFor(adacl.TypeAllow, 0, adacl.WriteDACL, "", me)), want: true},
		"takes it over":                     {group: descriptor("", 0, entryFor(adacl.TypeAllow, 0, adacl.WriteOwner, "", me)), want: true},
		"owns it":                           {group: descriptor(me, 0), want: true},
		"for what is below":                 {group: descriptor("", 0, entryFor(adacl.TypeAllow, adacl.InheritOnly, 0xF01FF, "", me))},
		"denied first":                      {group: descriptor("", 0, entryFor(adacl.TypeDeny, 0, 0xF01FF, "", mine), entryFor(adacl.TypeAllow, 0, 0xF01FF, "", me))},
		"no list":                           {group: make([]byte, 20), want: true},
		"changes the list above":            {group: descriptor("", 0), container: descriptor("", 0, entryFor(adacl.TypeAllow, 0, adacl.WriteDACL, "", me)), want: true},
		"and nothing comes from above":      {group: descriptor("", 0x1000), closed: true, container: descriptor("", 0, entryFor(adacl.TypeAllow, 0, adacl.WriteDACL, "", me))},
		"writes members above, and no more": {group: descriptor("", 0), container: descriptor("", 0, entryFor(adacl.TypeAllowObject, 0, adacl.WriteProperty, adacl.Member, me))},
		"protected, by the list above":      {group: descriptor("", 0x1000), closed: true, protected: true, container: descriptor("", 0, entryFor(adacl.TypeAllow, 0, adacl.WriteDACL, "", me))},
		"protected, by AdminSDHolder":       {group: descriptor("", 0x1000), closed: true, protected: true, template: descriptor("", 0, entryFor(adacl.TypeAllow, 0, adacl.WriteDACL, "", me)), want: true},
		"protected, within the hour":        {group: descriptor("", 0x1000), closed: true, protected: true, template: descriptor("", 0, entryFor(adacl.TypeAllowObject, 0, adacl.WriteProperty, adacl.Member, me)), want: true},
		"protected, and the list is cut":    {group: descriptor("", 0x1000), closed: true, protected: true, template: descriptor("", 0, entryFor(adacl.TypeAllow, 0, 0xF01FF, "", me))[:40]},
		"not protected, by AdminSDHolder":   {group: descriptor("", 0), template: descriptor("", 0, entryFor(adacl.TypeAllow, 0, 0xF01FF, "", me))},
	} {
		above := map[string]containerFor{"cn=adminsdholder,cn=system," + strings.ToLower(testDomain): {sd: row.template}, "ou=groups," + strings.ToLower(testDomain): {sd: row.container}}
		accounts := []accountFor{{id: "me", self: me, sids: map[string]bool{me: true, mine: true}}}
		gain(accounts, []holder{{accountFor{dn: "CN=sync,OU=Groups," + testDomain, sd: string(row.group), protected: row.protected, closed: row.closed, sids: map[string]bool{group: true}}, true}}, above)
		var got Resets
		got.readers(head, accounts)
		require.Equal(t, row.want, len(got.Readers) == 1, name)
		if row.want {
			require.Equal(t, "it may change who is a member of CN=sync,OU=Groups,"+testDomain, got.ReadBy["me"], name)
			require.Len(t, got.ReadAs["me"], 2, "%s: what it was logged in with, and not what it may take", name)
		}
	}
}

// The way may be long, go in a circle, and lead over an account that is on no
// roll.
func TestAWayOfManyStepsIsFollowed(t *testing.T) {
	sid := func(n int) string { return sidNumber(uint32(n)) }
	writes := func(by int) string {
		return string(descriptor("", 0, entryFor(adacl.TypeAllowObject, 0, adacl.WriteProperty, adacl.Member, sid(by))))
	}
	resets := func(by int) string {
		return string(descriptor("", 0, entryFor(adacl.TypeAllowObject, 0, adacl.ControlAccess, adacl.ResetPassword, sid(by))))
	}
	at := func(n int, sd string, group bool, in ...int) holder {
		h := holder{accountFor{dn: "CN=" + string(rune('a'+n-10)), sd: sd, sids: map[string]bool{sid(n): true}}, group}
		for _, g := range in {
			h.sids[sid(g)] = true
		}
		return h
	}
	holders := []holder{
		at(10, writes(11), true, 13),                       // whoever is in it is in 13, which replicates
		at(11, resets(12), false),                          // an account, which may change 10
		at(12, writes(1), true),                            // a group, which may reset 11
		at(14, writes(15), true), at(15, writes(14), true), // a circle that nobody gets into
		at(13, resets(1), true), // a reset of a group is none
	}
	head := descriptor("", 0, entryFor(adacl.TypeAllowObject, 0, adacl.ControlAccess, adacl.ReplicateAll, sid(13)))
	accounts := []accountFor{{id: "me", sids: map[string]bool{sid(1): true}}, {id: "other", sids: map[string]bool{sid(2): true}}}
	gain(accounts, holders, nil)
	var got Resets
	got.readers(head, accounts)
	require.Equal(t, []string{"me"}, got.Readers)
	require.Equal(t, "it may change who is a member of CN=a", got.ReadBy["me"])
	require.Equal(t, map[string]bool{sid(2): true}, accounts[1].sids)
	require.False(t, accounts[0].sids[sid(14)])
	require.Equal(t, map[string]bool{sid(1): true}, accounts[0].ticket)

	// What resets others is followed the same way.
	target := accountFor{id: "target", dn: "CN=t", self: sid(3), sids: map[string]bool{sid(3): true}, sd: resets(13)}
	found := alike(append(accounts, target), nil)
	require.Equal(t, []Alike{{Accounts: []string{"target"}, By: []string{"me"}}}, found)
	require.Contains(t, holding(head, []accountFor{target}, nil), sid(13))
	require.Len(t, holding(nil, []accountFor{target}, nil), 4, "and the operators of domain controllers")
}

// Members of these groups get at the passwords on a domain controller itself.
func TestOperatorsOfDomainControllersReadPasswords(t *testing.T) {
	for sid, want := range map[string]bool{adacl.BackupOperators: true, adacl.ServerOperators: true, adacl.PrintOperators: true, adacl.Everyone: false, sidNumber(551): false} {
		accounts := []accountFor{{id: "a", sids: map[string]bool{sidNumber(7): true, sid: true}}}
		gain(accounts, nil, nil)
		var got Resets
		got.readers(descriptor("", 0), accounts)
		require.Equal(t, want, len(got.Readers) == 1)
		if want {
			require.Contains(t, got.ReadBy["a"], "it is in Backup Operators")
		}
	}
	operators := adacl.BackupOperators
	for sid, want := range map[string]bool{
		operators[:12] + "\x24\x02\x00\x00": true /* 548 */, operators[:12] + "\x21\x02\x00\x00": false /* Users */, adacl.Everyone: false,
		sidNumber(512): true, sidNumber(513): false, sidNumber(544): false, "": false,
	} {
		require.Equal(t, want, adacl.Protected(map[string]bool{sid: true}), "%q", sid)
	}
}

// What AdminSDHolder says comes to be the list of whoever is in a protected
// group, within an hour; until then it has what its container passes on, too.
func TestAnAccountThatIsJustProtectedIsResetByEither(t *testing.T) {
	by := func(n uint32) []byte {
		return descriptor("", 0, entryFor(adacl.TypeAllowObject, 0, adacl.ControlAccess, adacl.ResetPassword, sidNumber(n)))
	}
	above := map[string]containerFor{
		"cn=adminsdholder,cn=system," + strings.ToLower(testDomain): {sd: by(1)},
		"ou=a," + strings.ToLower(testDomain):                       {sd: descriptor("", 0, entryFor(adacl.TypeAllow, 0, adacl.WriteDACL, "", sidNumber(2)))},
	}
	for name, row := range map[string]struct {
		protected, soon bool
		want            []string
	}{"neither": {false, false, []string{"2"}}, "soon": {false, true, []string{"1", "2"}}, "protected": {true, false, []string{"1"}}} {
		accounts := []accountFor{{id: "x", dn: "CN=x,OU=A," + testDomain, sd: string(descriptor("", 0)), protected: row.protected, soon: row.soon, sids: map[string]bool{}}}
		for _, n := range []uint32{1, 2} {
			accounts = append(accounts, accountFor{id: string(rune('0' + n)), dn: "CN=y", sids: maps.Clone(map[string]bool{sidNumber(n): true})})
		}
		found := alike(accounts, above)
		require.Len(t, found, 1, name)
		require.Equal(t, row.want, found[0].By, name)
	}
}
