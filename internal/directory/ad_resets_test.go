package directory

import (
	"encoding/binary"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"rollcall/internal/directory/adacl"
)

// sidNumber is an account's or group's identifier in a domain.
func sidNumber(n uint32) string {
	return string(binary.LittleEndian.AppendUint32([]byte("\x01\x02\x00\x00\x00\x00\x00\x05\x15\x00\x00\x00"), n))
}

// descriptor is self-relative, with an owner (empty: none) and entries.
func descriptor(owner string, control uint16, entries ...[]byte) []byte {
	sd := make([]byte, 20)
	sd[0] = 1
	binary.LittleEndian.PutUint16(sd[2:], 0x8004|control)
	binary.LittleEndian.PutUint32(sd[16:], 20)
	list := []byte{4, 0, 0, 0, byte(len(entries)), 0, 0, 0}
	for _, e := range entries {
		list = append(list, e...)
	}
	binary.LittleEndian.PutUint16(list[2:], uint16(len(list)))
	sd = append(sd, list...)
	if owner != "" {
		binary.LittleEndian.PutUint32(sd[4:], uint32(len(sd)))
		sd = append(sd, owner...)
	}
	return sd
}

func entryFor(kind, flags byte, mask uint32, object, sid string) []byte {
	out := binary.LittleEndian.AppendUint32([]byte{kind, flags, 0, 0}, mask)
	if kind == adacl.TypeAllowObject || kind == adacl.TypeDenyObject {
		if object == "" {
			out = binary.LittleEndian.AppendUint32(out, 0)
		} else {
			id, _ := adacl.GUID(object)
			out = append(binary.LittleEndian.AppendUint32(out, adacl.HasType), id...)
		}
	}
	out = append(out, sid...)
	binary.LittleEndian.PutUint16(out[2:], uint16(len(out)))
	return out
}

func TestWhoMayResetIsReadFromAnAccessControlList(t *testing.T) {
	me, group, other := sidNumber(1001), sidNumber(2001), sidNumber(3001)
	who := map[string]bool{me: true, group: true, adacl.Authenticated: true}
	for name, row := range map[string]struct {
		sd   []byte
		want bool
	}{
		"nothing":                             {descriptor("", 0), false},
		"no list":                             {make([]byte, 20), true},
		"not even a descriptor":               {nil, false},
		"the right, by a group":               {descriptor("", 0, entryFor(adacl.TypeAllowObject, 0, adacl.ControlAccess, adacl.ResetPassword, group)), true},
		"the right of somebody else":          {descriptor("", 0, entryFor(adacl.TypeAllowObject, 0, adacl.ControlAccess, adacl.ResetPassword, other)), false},
		"another right":                       {descriptor("", 0, entryFor(adacl.TypeAllowObject, 0, adacl.ControlAccess, adacl.ChangePassword, me)), false},
		"all extended rights":                 {descriptor("", 0, entryFor(adacl.TypeAllowObject, 0, adacl.ControlAccess, "", me)), true},
		"all extended rights, plain":          {descriptor("", 0, entryFor(adacl.TypeAllow, 0, adacl.ControlAccess, "", me)), true},
		"everything":                          {descriptor("", 0, entryFor(adacl.TypeAllow, 0, 0xF01FF, "", me)), true},
		"generic all":                         {descriptor("", 0, entryFor(adacl.TypeAllow, 0, adacl.GenericAll, "", me)), true},
		"for what is below":                   {descriptor("", 0, entryFor(adacl.TypeAllowObject, adacl.InheritOnly, adacl.ControlAccess, adacl.ResetPassword, me)), false},
		"denied first":                        {descriptor("", 0, entryFor(adacl.TypeDenyObject, 0, adacl.ControlAccess, adacl.ResetPassword, group), entryFor(adacl.TypeAllowObject, 0, adacl.ControlAccess, adacl.ResetPassword, me)), false},
		"denied behind":                       {descriptor("", 0, entryFor(adacl.TypeAllowObject, 0, adacl.ControlAccess, adacl.ResetPassword, me), entryFor(adacl.TypeDenyObject, 0, adacl.ControlAccess, adacl.ResetPassword, group)), true},
		"everything but the right":            {descriptor("", 0, entryFor(adacl.TypeDenyObject, 0, adacl.ControlAccess, adacl.ResetPassword, me), entryFor(adacl.TypeAllow, 0, 0xF01FF, "", me)), true},
		"may change the list":                 {descriptor("", 0, entryFor(adacl.TypeAllow, 0, adacl.WriteDACL, "", me)), true},
		"may take it over":                    {descriptor("", 0, entryFor(adacl.TypeAllow, 0, adacl.WriteOwner, "", me)), true},
		"writes all properties":               {descriptor("", 0, entryFor(adacl.TypeAllow, 0, adacl.WriteProperty, "", me)), true},
		"writes unicodePwd":                   {descriptor("", 0, entryFor(adacl.TypeAllowObject, 0, adacl.WriteProperty, adacl.UnicodePwd, me)), true},
		"writes another property":             {descriptor("", 0, entryFor(adacl.TypeAllowObject, 0, adacl.WriteProperty, adacl.ChangePassword, me)), false},
		"reads":                               {descriptor("", 0, entryFor(adacl.TypeAllow, 0, 0x20094, "", me)), false},
		"owns it":                             {descriptor(me, 0), true},
		"its owner is another":                {descriptor(other, 0), false},
		"owns it, and owners may little":      {descriptor(me, 0, entryFor(adacl.TypeAllow, 0, 0x20000, "", adacl.OwnerRights)), false},
		"owns it, and owners may change it":   {descriptor(me, 0, entryFor(adacl.TypeAllow, 0, adacl.WriteDACL, "", adacl.OwnerRights)), true},
		"the account itself":                  {descriptor("", 0, entryFor(adacl.TypeAllow, 0, 0xF01FF, "", adacl.Self)), false},
		"whoever is logged in":                {descriptor("", 0, entryFor(adacl.TypeAllowObject, 0, adacl.ControlAccess, adacl.ResetPassword, adacl.Authenticated)), true},
		"an entry that is cut off":            {descriptor("", 0, entryFor(adacl.TypeAllow, 0, 0xF01FF, "", me)[:20]), false},
		"an entry of a type that says little": {descriptor("", 0, entryFor(2, 0, 0xF01FF, "", me)), false},
	} {
		require.Equal(t, row.want, adacl.MayReset(row.sd, who), name)
		if row.want {
			require.NotEmpty(t, alike([]accountFor{{id: "me", sd: string(row.sd), sids: who}}, nil), "%s: it is not passed over", name)
		}
	}
}

func TestWhoMayFetchEveryPasswordOfADomainIsReadFromItsHead(t *testing.T) {
	me, group, other := sidNumber(1001), sidNumber(2001), sidNumber(3001)
	who := map[string]bool{me: true, group: true, adacl.Authenticated: true}
	const changes = "1131f6aa-9c07-11d1-f79f-00c04fc2dcd2" // without -All: no secrets
	for name, row := range map[string]struct {
		sd   []byte
		want bool
	}{
		"not shown":               {nil, false},
		"the right, by a group":   {descriptor("", 0, entryFor(adacl.TypeAllowObject, 0, adacl.ControlAccess, adacl.ReplicateAll, group)), true},
		"of somebody else":        {descriptor("", 0, entryFor(adacl.TypeAllowObject, 0, adacl.ControlAccess, adacl.ReplicateAll, other)), false},
		"changes without secrets": {descriptor("", 0, entryFor(adacl.TypeAllowObject, 0, adacl.ControlAccess, changes, me)), false},
		"all extended rights":     {descriptor("", 0, entryFor(adacl.TypeAllow, 0, adacl.ControlAccess, "", me)), true},
		"may change the list":     {descriptor("", 0, entryFor(adacl.TypeAllow, 0, adacl.WriteDACL, "", me)), true},
		"owns it":                 {descriptor(me, 0), true},
		"resets what is below":    {descriptor("", 0, entryFor(adacl.TypeAllowObject, adacl.InheritOnly, adacl.ControlAccess, "", me)), false},
		"denied first":            {descriptor("", 0, entryFor(adacl.TypeDenyObject, 0, adacl.ControlAccess, adacl.ReplicateAll, me), entryFor(adacl.TypeAllow, 0, adacl.GenericAll, "", group)), true},
	} {
		require.Equal(t, row.want, adacl.MayReplicate(row.sd, who), name)
	}
}

func TestWhoMayRewriteAContainerMayResetWhatInheritsFromIt(t *testing.T) {
	const domain = "DC=ad,DC=example,DC=org"
	me := sidNumber(1001)
	writes, nothing := descriptor("", 0, entryFor(adacl.TypeAllow, 0, adacl.WriteDACL, "", me)), descriptor("", 0)
	closedOU, closed := descriptor("", 0x1000), descriptor("", 0x1000, entryFor(adacl.TypeAllow, 0, 0x20094, "", me))
	above := map[string]containerFor{
		"ou=a,dc=ad,dc=example,dc=org": {writes, false}, "ou=b,dc=ad,dc=example,dc=org": {nothing, false},
		"ou=c,ou=a,dc=ad,dc=example,dc=org": {closedOU, true}, "dc=ad,dc=example,dc=org": {nothing, false},
		"cn=adminsdholder,cn=system,dc=ad,dc=example,dc=org": {writes, true},
	}
	accounts := []accountFor{{id: "me", dn: "CN=me,CN=Users," + domain, sids: map[string]bool{me: true}, sd: string(nothing)}}
	for id, at := range map[string]string{"in-a": "OU=A", "below-a": `OU=x\,y,OU=A`, "in-b": "OU=B", "in-c": "OU=C,OU=A"} {
		accounts = append(accounts, accountFor{id: id, dn: "CN=x\\,y," + at + "," + domain, sids: map[string]bool{}, sd: string(nothing)})
	}
	accounts = append(accounts, accountFor{id: "closed-in-a", dn: "CN=z,OU=A," + domain, sids: map[string]bool{}, sd: string(closed), closed: true},
		accountFor{id: "protected", dn: "CN=p,OU=B," + domain, sids: map[string]bool{}, sd: string(closed), closed: true, protected: true})
	var got []string
	for _, x := range alike(accounts, above) {
		require.Equal(t, []string{"me"}, x.By)
		got = append(got, x.Accounts...)
	}
	require.ElementsMatch(t, []string{"in-a", "below-a", "protected"}, got)
	require.Equal(t, []string{"OU=A," + domain, domain}, ancestors("CN=x\\,y,OU=A,"+domain, domain))
}

// Each account of a group of those alike, and each that may reset it, is found
// by hand as well.
func TestAccountsThatAreAlikeAreTakenTogetherAndNoneIsPassedOver(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(r, "accounts")
		var accounts []accountFor
		for i := range n {
			sids := map[string]bool{sidNumber(uint32(i)): true}
			for _, g := range rapid.SliceOfN(rapid.Uint32Range(100, 102), 0, 2).Draw(r, "groups") {
				sids[sidNumber(g)] = true
			}
			var list [][]byte
			for range rapid.IntRange(0, 3).Draw(r, "entries") {
				kind := rapid.SampledFrom([]byte{adacl.TypeAllow, adacl.TypeDeny, adacl.TypeAllowObject, adacl.TypeDenyObject}).Draw(r, "kind")
				mask := rapid.SampledFrom([]uint32{adacl.ControlAccess, adacl.WriteDACL, adacl.WriteOwner, adacl.WriteProperty, 0x10, 0xF01FF}).Draw(r, "mask")
				object := rapid.SampledFrom([]string{"", adacl.ResetPassword, adacl.UnicodePwd, adacl.ChangePassword}).Draw(r, "object")
				who := rapid.SampledFrom([]uint32{0, 1, 2, 100, 101, 102}).Draw(r, "who")
				list = append(list, entryFor(kind, 0, mask, object, sidNumber(who)))
			}
			owner := sidNumber(rapid.SampledFrom([]uint32{0, 100, 900}).Draw(r, "owner"))
			accounts = append(accounts, accountFor{id: string(rune('a' + i)), dn: "CN=x,OU=y", sids: sids, sd: string(descriptor(owner, 0, list...))})
		}
		by := map[string][]string{}
		for _, x := range alike(accounts, nil) {
			for _, id := range x.Accounts {
				require.NotContains(r, by, id)
				by[id] = x.By
			}
		}
		for _, a := range accounts {
			var want []string
			for _, b := range accounts {
				if adacl.MayReset([]byte(a.sd), b.sids) {
					want = append(want, b.id)
				}
			}
			require.Equal(r, want, by[a.id], slices.Collect(maps.Keys(by)))
		}
	})
}

// Each account may have a list of its own, and all be in a few groups.
func TestManyAccountsWithAListOfTheirOwnAreJudgedInTime(t *testing.T) {
	const many = 5000
	var accounts []accountFor
	for i := range uint32(many) {
		sd := descriptor(sidNumber(900), 0, entryFor(adacl.TypeAllow, 0, 0xF01FF, "", sidNumber(901)), entryFor(adacl.TypeAllow, 0, 0x20094, "", sidNumber(10_000+i)))
		sids := map[string]bool{sidNumber(20_000 + i): true, adacl.Everyone: true, adacl.Authenticated: true}
		accounts = append(accounts, accountFor{id: fmt.Sprint(i), dn: "CN=x,OU=y", sids: sids, sd: string(sd)})
	}
	accounts[7].sids[sidNumber(901)] = true
	// What this thread takes of the processor: the machine may stand still, or
	// do much besides.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	took := func() time.Duration {
		var u unix.Rusage
		require.NoError(t, unix.Getrusage(unix.RUSAGE_THREAD, &u))
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := took()
	got := alike(accounts, nil)
	needed := took() - before
	require.Len(t, got, many)
	require.Equal(t, []string{"7"}, got[0].By)
	require.Less(t, needed, 20*time.Second)
}
