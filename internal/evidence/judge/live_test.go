package judge

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/internal/evidence/event"
)

var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func liveOptions() Options {
	o := Options{
		Windows:    []Window{{From: noon.Add(-72 * time.Hour), To: noon.Add(-24 * time.Hour)}},
		Device:     []netip.Prefix{netip.MustParsePrefix("192.0.2.10/32")},
		Usual:      []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")},
		Fold:       func(_ event.Form, account string) (string, bool) { return strings.ToLower(account), true },
		Indicators: &Indicators{Networks: []Network{{netip.MustParsePrefix("203.0.113.128/25"), "iocs line 1"}}},
	}
	o.Credentials = []Credential{
		{ID: "corp/dead", Name: "uid=dead", Authority: "corp", Accounts: []Account{{Form: event.DN, Name: "uid=dead"}}, Rotated: noon},
		{ID: "corp/open", Name: "uid=open", Authority: "corp", Accounts: []Account{{Form: event.DN, Name: "uid=open"}}},
	}
	return o
}

func use(account, address string, outcome event.Outcome, after time.Duration) event.Event {
	return event.Event{Place: event.Place{File: "log", Line: 1}, Authority: "corp", At: noon.Add(after), Account: account, Form: event.DN, Address: netip.MustParseAddr(address), Outcome: outcome, Login: true}
}

func said(all []Alert) (out []string) {
	for _, a := range all {
		out = append(out, fmt.Sprintf("%s %s %s %s %d", a.Grade, a.Code, a.Account, a.Address, a.Count))
	}
	return out
}

func TestWhatIsASignOfAStolenValueIsToldAtOnceAndNothingElseIs(t *testing.T) {
	for _, row := range []struct {
		e    event.Event
		want string
	}{
		{use("uid=dead", "203.0.113.1", event.Refused, time.Second), "probable tried-after-rotation uid=dead 203.0.113.1 1"},
		{use("uid=dead", "203.0.113.1", event.Locked, time.Second), "probable tried-after-rotation uid=dead 203.0.113.1 1"},
		{use("uid=dead", "203.0.113.200", event.Refused, time.Second), "confirmed tried-after-rotation uid=dead 203.0.113.200 1"},
		{use("uid=dead", "192.0.2.10", event.Refused, time.Second), "confirmed tried-after-rotation uid=dead 192.0.2.10 1"},
		{use("uid=dead", "192.0.2.10", event.Accepted, time.Second), "probable from-device-after uid=dead 192.0.2.10 1"},
		{use("uid=open", "192.0.2.10", event.Accepted, time.Second), "probable from-device-after uid=open 192.0.2.10 1"},
		{use("uid=other", "192.0.2.10", event.Accepted, time.Second), "probable not-on-roll uid=other 192.0.2.10 1"},
		{use("uid=dead", "203.0.113.1", event.Accepted, time.Second), "probable used-elsewhere uid=dead 203.0.113.1 1"},
		{use("uid=open", "203.0.113.200", event.Refused, time.Second), "possible indicator uid=open 203.0.113.200 1"},
		{use("uid=other", "203.0.113.200", event.Accepted, time.Second), "probable indicator uid=other 203.0.113.200 1"},
		// A consumer that was missed, or a renewal by Vault.
		{use("uid=dead", "198.51.100.7", event.Refused, time.Second), ""},
		{use("uid=dead", "198.51.100.7", event.Accepted, time.Second), ""},
		{use("uid=dead", "203.0.113.1", event.Refused, -time.Second), ""},
		{use("uid=dead", "203.0.113.1", event.Failed, time.Second), ""},
		{use("uid=open", "203.0.113.1", event.Refused, time.Second), ""},
		{use("uid=other", "203.0.113.1", event.Refused, time.Second), ""},
	} {
		l := NewLive(liveOptions(), time.Minute, Memory{}, noon)
		l.Add(row.e)
		got, more := l.Due(noon, false)
		require.Equal(t, row.want, strings.Join(said(got), ""), "%+v", row.e)
		require.Zero(t, more)
	}
	o := liveOptions()
	o.Usual = nil
	l := NewLive(o, time.Minute, Memory{}, noon)
	l.Add(use("uid=dead", "203.0.113.1", event.Accepted, time.Second))
	got, _ := l.Due(noon, false)
	require.Empty(t, got, "where no usual places are known each consumer would be one")
}

// A thief who guesses makes 10,000 refused logins a minute.
func TestAFindingThatGoesOnIsToldWithItsCountAndEverSlower(t *testing.T) {
	l := NewLive(liveOptions(), 10*time.Minute, Memory{}, noon)
	var told []Alert
	for minute := range 3 * 24 * 60 {
		now := noon.Add(time.Duration(minute) * time.Minute)
		for range 100 {
			l.Add(use("uid=dead", "203.0.113.1", event.Refused, time.Duration(minute+1)*time.Minute))
		}
		got, more := l.Due(now, false)
		require.Zero(t, more)
		told = append(told, got...)
	}
	// The same is a burst of failures, told as seldom.
	bursts := slices.DeleteFunc(slices.Clone(told), func(a Alert) bool { return a.Code != Burst })
	told = slices.DeleteFunc(told, func(a Alert) bool { return a.Code == Burst })
	require.Len(t, bursts, 10)
	require.Equal(t, told[9].Count, bursts[9].Count)
	require.Len(t, told, 10, "at once, after 10 minutes, 20 more, 40, … at most a day")
	all := 100
	for i, a := range told {
		require.Equal(t, i, a.Again)
		if i > 0 {
			all += a.More
		}
		require.Equal(t, all, a.Count)
		require.LessOrEqual(t, len(a.Seen), mostSightings)
		require.NotEmpty(t, a.Seen)
	}
	require.NotEqual(t, told[0].ID, told[1].ID)
}

func TestAFloodFromManyAddressesIsBoundedAndHidesNothingSurer(t *testing.T) {
	l := NewLive(liveOptions(), 10*time.Minute, Memory{}, noon)
	told := 0
	for second := range 120 {
		now := noon.Add(time.Duration(second) * time.Second)
		for i := range 1000 {
			l.Add(use("uid=dead", fmt.Sprintf("2001:db8:%x:%x::1", second, i), event.Refused, time.Second))
		}
		if second == 60 {
			l.Add(use("uid=dead", "192.0.2.10", event.Refused, time.Second))
		}
		got, more := l.Due(now, false)
		if second == 60 {
			require.Contains(t, said(got), "confirmed tried-after-rotation uid=dead 192.0.2.10 1")
		}
		require.LessOrEqual(t, len(got), mostAtOnce+1)
		require.LessOrEqual(t, more, maxKept)
		told += len(got)
	}
	require.Less(t, told, 10*mostAtOnce)
	require.Positive(t, l.Lost(), "and what could not be kept apart is said")
	require.Zero(t, l.Lost())
	text, err := json.Marshal(l.Memory())
	require.NoError(t, err)
	require.Less(t, len(text), 10<<20)
}

// Two minutes of work for who has one login that works, and would hide it.
func TestAFloodOfRefusedLoginsHidesNoneThatWasLetIn(t *testing.T) {
	l := NewLive(liveOptions(), 10*time.Minute, Memory{}, noon)
	flood := func(from int) {
		for i := range maxKept + 100 {
			l.Add(use("uid=dead", fmt.Sprintf("2001:db8:%x:%x::1", from, i), event.Refused, time.Second))
		}
	}
	flood(1)
	_, _ = l.Due(noon, false)
	flood(2)
	l.Add(use("uid=dead", "203.0.113.9", event.Accepted, time.Second))
	flood(3)
	got, more := l.Due(noon, false)
	require.Equal(t, []string{"probable used-elsewhere uid=dead 203.0.113.9 1", fmt.Sprintf("probable burst-of-failures uid=dead  %d", 3*(maxKept+100))}, said(got))
	require.Positive(t, more)
}

func TestWhoHasANetworkOfIPv6IsOneStranger(t *testing.T) {
	l := NewLive(liveOptions(), 10*time.Minute, Memory{}, noon)
	for i := range 2 * maxKept {
		l.Add(use("uid=dead", fmt.Sprintf("2001:db8::%x", i), event.Refused, time.Second))
	}
	got, _ := l.Due(noon, false)
	require.Equal(t, []string{
		fmt.Sprintf("probable tried-after-rotation uid=dead 2001:db8:: %d", 2*maxKept),
		fmt.Sprintf("possible burst-of-failures  2001:db8:: %d", 2*maxKept),
	}, said(got))
	require.Zero(t, l.Lost())
}

// What waits for a death is pushed out by its like alone, and counted.
func TestTriesThatWaitForADeathAreCountedWhereTheyArePushedOut(t *testing.T) {
	l := NewLive(liveOptions(), 10*time.Minute, Memory{}, noon)
	o := liveOptions()
	o.Contained = noon.Add(-time.Hour)
	for i := range maxWaiting + 7 {
		l.Add(use("uid=open", fmt.Sprintf("10.%d.%d.1", i/250, i%250), event.Refused, time.Second))
	}
	require.Equal(t, 7, l.Forgotten())
	require.Zero(t, l.Forgotten())
	l = again(t, l, o, noon)
	require.Len(t, l.Memory().Waiting, maxWaiting)
}

// Strangers type what they like: it makes no findings of its own.
func TestNamesThatAreTypedMakeNoFindingsOfTheirOwn(t *testing.T) {
	l := NewLive(liveOptions(), time.Minute, Memory{}, noon)
	for i := range 1000 {
		l.Add(use(fmt.Sprintf("uid=guess%d", i), "203.0.113.200", event.Refused, time.Second))
		l.Add(use(fmt.Sprintf("uid=guess%d", i), "192.0.2.10", event.Refused, time.Second))
	}
	got, _ := l.Due(noon, false)
	require.Len(t, got, 4, "two of them bursts")
	got = slices.DeleteFunc(got, func(a Alert) bool { return a.Code == Burst })
	require.Len(t, got, 2)
	require.Equal(t, 1000, got[0].Count)
}

// The server's log has a try a moment before the ledger says that the value is
// dead.
func TestATryFromBeforeItsDeathWasKnownIsFoundOnceItIs(t *testing.T) {
	o := liveOptions()
	l := NewLive(o, time.Minute, Memory{}, noon)
	for _, after := range []time.Duration{-time.Second, time.Second, 2 * time.Second} {
		l.Add(use("uid=open", "203.0.113.1", event.Refused, after))
	}
	got, _ := l.Due(noon, false)
	require.Empty(t, got)
	l = again(t, l, o, noon)
	all := liveOptions().Credentials
	all[1].Rotated = noon
	l.Roll(all)
	got, _ = l.Due(noon, false)
	require.Equal(t, []string{"probable tried-after-rotation uid=open 203.0.113.1 2"}, said(got))
	l.Roll(all)
	got, _ = l.Due(noon.Add(time.Hour), false)
	require.Empty(t, got)
}

// again ends a process, and begins another with what was kept.
func again(t require.TestingT, l *Live, o Options, now time.Time) *Live {
	text, err := json.Marshal(l.Memory())
	require.NoError(t, err)
	var m Memory
	require.NoError(t, json.Unmarshal(text, &m))
	return NewLive(o, l.Again, m, now)
}

func TestAClockThatWentBackSilencesNothingForLong(t *testing.T) {
	o := liveOptions()
	l := NewLive(o, time.Minute, Memory{}, noon)
	l.Add(use("uid=dead", "203.0.113.1", event.Refused, time.Second))
	got, _ := l.Due(noon.Add(1000*time.Hour), false)
	require.Len(t, got, 1)
	l = again(t, l, o, noon)
	l.Add(use("uid=dead", "203.0.113.1", event.Refused, time.Second))
	got, _ = l.Due(noon.Add(time.Minute), false)
	require.Len(t, got, 1)
}

// Whatever comes, and whenever the process ends: each finding is told first
// with its first events, and no event is in none or in two.
func TestEachEventIsInOneFindingThatIsToldOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := liveOptions()
		l := NewLive(o, time.Minute, Memory{}, noon)
		now := noon
		added, told := map[string]int{}, map[string]int{}
		ids := map[string]bool{}
		take := func(end bool) {
			got, _ := l.Due(now, end)
			for _, a := range got {
				require.False(t, ids[a.ID], "%s is told twice", a.ID)
				ids[a.ID] = true
				if a.Code == Burst {
					continue
				}
				n := a.More
				if a.Again == 0 {
					n = a.Count
				}
				told[a.Address] += n
				require.Equal(t, a.Count, told[a.Address])
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"try": func(t *rapid.T) {
				from := fmt.Sprintf("203.0.113.%d", rapid.IntRange(1, 100).Draw(t, "from"))
				l.Add(use("uid=dead", from, event.Refused, now.Sub(noon)+time.Second))
				added[from]++
			},
			"tell":    func(*rapid.T) { take(false) },
			"wait":    func(t *rapid.T) { now = now.Add(time.Duration(rapid.IntRange(1, 600).Draw(t, "s")) * time.Second) },
			"restart": func(*rapid.T) { l = again(t, l, o, now) },
		})
		take(true)
		require.Equal(t, added, told)
	})
}
