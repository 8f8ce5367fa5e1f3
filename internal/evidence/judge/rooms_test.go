package judge

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/evidence/event"
)

// many is the n-th of many addresses.
func many(n int) netip.Addr {
	a := netip.MustParseAddr("2001:db8::").As16()
	binary.BigEndian.PutUint32(a[4:], uint32(n))
	return netip.AddrFrom16(a)
}

func TestAFloodOfTriesHidesNothingThatWasLetIn(t *testing.T) {
	const evil = "203.0.113.9"
	for what, flood := range map[string]event.Event{
		"of a value that is not dead": at(11, "uid=a,dc=x", "", event.Refused), "of one that is": at(26, "uid=a,dc=x", "", event.Refused),
		"of a locked one": at(11, "uid=b,dc=x", "", event.Locked), "let in": at(12, "uid=b,dc=x", "", event.Accepted),
		"of what is on no roll, through the device": at(11, "uid=%,dc=x", "192.0.2.10", event.Refused),
	} {
		o := options()
		o.Indicators = &Indicators{}
		require.NoError(t, o.Indicators.Read("iocs", strings.NewReader(evil+"\n")))
		j := New(o)
		j.Add(at(5, "uid=a,dc=x", "198.51.100.1", event.Accepted))
		const tries = maxRoom + 10_000
		for n := range tries {
			e := flood
			if !e.Address.IsValid() {
				e.Address = many(n)
			}
			e.Account = strings.ReplaceAll(e.Account, "%", e.Address.String()+many(n).String())
			j.Add(e)
		}
		j.Add(at(12, "uid=a,dc=x", evil, event.Accepted))
		change := at(12, "uid=a,dc=x", evil, event.Accepted)
		change.Change, change.Target = event.Reset, "uid=boss,dc=x"
		j.Add(change)
		j.Add(at(13, "uid=c,dc=x", "192.0.2.10", event.Accepted))
		require.Less(t, len(j.seen), maxRoom+1_000, what)
		r := j.Finish(nil, nil)
		var confirmed []Code
		counted := 0
		for _, f := range r.Findings {
			if f.Grade == Confirmed {
				confirmed = append(confirmed, f.Code)
			} else if f.Code != Burst {
				counted += f.Count
			}
			if f.Further {
				require.Contains(t, f.Words(), "further addresses", what)
			}
		}
		require.ElementsMatch(t, []Code{UsedElsewhere, Changed, NotOnRoll}, confirmed, what)
		for _, u := range r.Uses {
			for _, of := range u.Untold {
				for _, m := range of.Moments {
					counted += m.Count
				}
			}
		}
		require.Equal(t, tries, counted-1+r.TooMany, "%s: none is lost, the good one at the beginning aside", what)
	}
}

func TestAPlaceOfACredentialsOwnIsInNoCrowd(t *testing.T) {
	o := options()
	o.Usual = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
	j := New(o)
	for n := range 3 * mostLetIn {
		e := at(12, "uid=b,dc=x", "", event.Accepted)
		e.Address = many(n)
		j.Add(e)
	}
	for range 7 {
		j.Add(at(12, "uid=b,dc=x", "198.51.100.9", event.Accepted))
		j.Add(at(12, "uid=b,dc=x", "192.0.2.10", event.Accepted))
	}
	r := j.Finish(nil, nil)
	require.Len(t, r.Findings, mostLetIn+1)
	for _, u := range r.Uses {
		if u.Credential == "corp/b" {
			require.Equal(t, []int{7, 7, 3 * mostLetIn}, []int{u.Usual.Count, u.Device.Count, u.Elsewhere.Count})
		}
	}
}

// What the device used is taken up with an address, however many it has.
func TestADeviceOfManyAddressesHasOneOfThemInEachEntry(t *testing.T) {
	o := options()
	o.Device = []netip.Prefix{netip.MustParsePrefix("2001::/16")}
	j := New(o)
	add := func(d, n int) {
		e := at(d, "uid=b,dc=x", "", event.Accepted)
		e.Address = many(n)
		j.Add(e)
	}
	for n := range mostLetIn {
		add(12, n)
	}
	add(11, mostLetIn) // the first of all
	all := j.Finish(nil, nil).FromDevice
	require.Len(t, all, 1)
	require.Equal(t, many(mostLetIn).String(), all[0].Address)
}

// A bind account of many machines has more usual places than have findings of
// their own.
func TestAnAccountOfManyUsualPlacesIsInNoFindingForTheseAndAnotherPlaceIsNamed(t *testing.T) {
	for usual, want := range map[int]int{5 * mostLetIn: 1, mostUsual + 1_000: 1_001} {
		j := New(options())
		for _, d := range []int{5, 12} {
			for n := range usual {
				e := at(d, "uid=b,dc=x", "", event.Accepted)
				e.Address = many(n)
				j.Add(e)
			}
		}
		j.Add(at(13, "uid=b,dc=x", "203.0.113.9", event.Accepted))
		r := j.Finish(nil, nil)
		require.Len(t, r.Findings, want)
		for _, f := range r.Findings {
			if is := fmt.Sprint(f.Grade, " ", f.Rule, " ", f.Further); want > 1 {
				require.Equal(t, "possible too-many-usual-places false", is)
			} else {
				require.Equal(t, "probable new-place false 203.0.113.9", is+" "+f.Address)
			}
		}
		require.Len(t, r.Uses[1].Places, mostLetIn)
		require.Equal(t, 2*usual+1, r.Uses[1].Usual.Count+r.Uses[1].Elsewhere.Count)
	}
}
