package judge

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/internal/evidence/event"
)

// burstsOf are what is told of bursts now, each in a line.
func burstsOf(l *Live, now time.Time, end bool) (out []string) {
	all, _ := l.Due(now, end)
	for _, a := range all {
		if a.Code == Burst {
			out = append(out, fmt.Sprintf("%s %s %s%s %d", a.Grade, a.Rule, a.Address, a.Account, a.Count))
		}
	}
	return out
}

func TestABurstIsToldWhileItGoesOnAndAgainAsOneFinding(t *testing.T) {
	l := NewLive(liveOptions(), 10*time.Minute, Memory{}, noon)
	now := noon
	fail := func(n int, account, from string) {
		for range n {
			now = now.Add(time.Second)
			l.Add(use(account, from, event.Refused, now.Sub(noon)))
		}
	}
	fail(9, "uid=open", "203.0.113.1")
	require.Empty(t, burstsOf(l, now, false))
	fail(1, "uid=open", "203.0.113.1")
	require.Equal(t, []string{"possible one-place 203.0.113.1 10"}, burstsOf(l, now, false))
	fail(5, "uid=open", "203.0.113.1")
	require.Empty(t, burstsOf(l, now, false), "it goes on")
	now = now.Add(10 * time.Minute)
	require.Equal(t, []string{"possible one-place 203.0.113.1 15"}, burstsOf(l, now, false))
	// Another one of the same, later, is told with it.
	fail(10, "uid=open", "203.0.113.1")
	now = now.Add(time.Hour)
	require.Equal(t, []string{"possible one-place 203.0.113.1 25"}, burstsOf(l, now, false))

	for i := range 5 {
		fail(2, fmt.Sprintf("uid=%d", i), "203.0.113.2")
	}
	require.Equal(t, []string{"probable many-accounts 203.0.113.2 10"}, burstsOf(l, now, false))
	now = now.Add(time.Hour)
	for i := range 10 {
		fail(1, "uid=other", fmt.Sprintf("203.0.113.%d", 10+i%3))
	}
	require.Equal(t, []string{"probable many-addresses uid=(masked, 5 characters) 10"}, burstsOf(l, now, false))
	// Somebody got in behind it: that is another finding, and told at once.
	l.Add(use("uid=other", "203.0.113.11", event.Accepted, now.Sub(noon)+time.Second))
	require.Equal(t, []string{"probable then-let-in uid=other 10"}, burstsOf(l, now.Add(time.Minute), false))
}

// Vault renews with the passwords it has right after a rotation, and people
// mistype theirs at a mail server: what --usual has is no guess.
func TestFailuresFromUsualPlacesAreNoBurstOfAWatch(t *testing.T) {
	l := NewLive(liveOptions(), time.Minute, Memory{}, noon)
	for i := range 50 {
		l.Add(use(fmt.Sprintf("uid=%d", i%7), fmt.Sprintf("198.51.100.%d", i%5), event.Refused, time.Duration(i)*time.Second))
	}
	require.Empty(t, burstsOf(l, noon, true))
	// And a good login of its owner there is no end of somebody's guesses.
	for i := range 12 {
		l.Add(use("uid=open", fmt.Sprintf("203.0.113.%d", i%3), event.Refused, time.Duration(i)*time.Second))
	}
	l.Add(use("uid=open", "198.51.100.1", event.Accepted, 13*time.Second))
	require.Equal(t, []string{"probable many-addresses uid=open 12"}, burstsOf(l, noon, true))
}

func TestABurstOverARestartIsOneAndNoNameThatWasTypedIsKept(t *testing.T) {
	o := liveOptions()
	o.Fold = func(_ event.Form, account string) (string, bool) { return account, false } // written as no account is
	l := NewLive(o, time.Minute, Memory{}, noon)
	fail := func(from, to int) {
		for i := from; i < to; i++ {
			e := use(fmt.Sprintf("PLANTED-%d", i), "203.0.113.1", event.Refused, time.Duration(i)*time.Second)
			e.Form = event.Login
			l.Add(e)
		}
	}
	fail(0, 6)
	text, err := json.Marshal(l.Memory())
	require.NoError(t, err)
	require.NotContains(t, string(text), "PLANTED")
	l = again(t, l, o, noon)
	fail(6, 9)
	require.Empty(t, burstsOf(l, noon, false))
	l = again(t, l, o, noon)
	fail(9, 10)
	require.Equal(t, []string{"probable many-accounts 203.0.113.1 10"}, burstsOf(l, noon, false))
	l = again(t, l, o, noon)
	fail(10, 11)
	require.Empty(t, burstsOf(l, noon, false), "it goes on")
}

func TestWhatIsKeptOfBurstsIsBounded(t *testing.T) {
	l := NewLive(liveOptions(), time.Minute, Memory{}, noon)
	for i := range 200_000 {
		e := use(fmt.Sprintf("uid=%d", i), fmt.Sprintf("2001:db8:%x:%x::1", i>>16, i&0xffff), event.Refused, time.Second)
		l.Add(e)
		l.Add(use(fmt.Sprintf("uid=%d", i), "203.0.113.1", event.Refused, time.Second))
	}
	require.Equal(t, maxLiveTrails, l.bursts.byAddress.Len())
	require.Equal(t, maxLiveTrails, l.bursts.byAccount.Len())
	for _, tr := range l.bursts.byAddress.Values() {
		require.LessOrEqual(t, tr.accounts.len(), maxLiveNames)
	}
	require.LessOrEqual(t, len(l.Memory().Trails), 2*mostTrails)
	require.Equal(t, []string{"probable many-accounts 203.0.113.1 200000"}, slices.DeleteFunc(burstsOf(l, noon, true), func(s string) bool { return s[:8] == "possible" }))
}

// forgetOnes takes away what a restart forgets: rows of one login.
func forgetOnes(b *bursts) {
	for _, all := range []*simplelru.LRU[trailKey, *trail]{b.byAddress, b.byAccount} {
		for _, k := range all.Keys() {
			if t, _ := all.Peek(k); t.count == 1 {
				all.Remove(k)
			}
		}
	}
}

// What a watch tells of events in their order is what is found when the same
// log is read as a whole.
func TestAWatchTellsTheBurstsThatAReadingFinds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := liveOptions()
		o.Usual = nil
		l, j := NewLive(o, time.Minute, Memory{}, noon), New(o)
		at := time.Duration(0)
		for range rapid.IntRange(0, 80).Draw(t, "events") {
			at += time.Duration(rapid.SampledFrom([]int{0, 1, 30, 119, 121}).Draw(t, "s")) * time.Second
			outcome := rapid.SampledFrom([]event.Outcome{event.Refused, event.Refused, event.Refused, event.Locked, event.Accepted}).Draw(t, "outcome")
			e := use(fmt.Sprintf("uid=%d", rapid.IntRange(1, 6).Draw(t, "account")), fmt.Sprintf("203.0.113.%d", rapid.IntRange(1, 4).Draw(t, "from")), outcome, at)
			l.Add(e)
			j.Add(e)
			if rapid.IntRange(0, 9).Draw(t, "restart") == 0 {
				l = again(t, l, o, noon)
				forgetOnes(j.bursts)
			}
		}
		told := map[string]bool{}
		all, _ := l.Due(noon, true)
		for _, a := range all {
			if a.Code == Burst {
				told[fmt.Sprint(a.Grade, a.Rule, a.Address, a.Account != "" && a.Address == "")] = true
			}
		}
		for _, f := range j.findings() {
			if f.Code == Burst {
				require.Contains(t, told, fmt.Sprint(f.Grade, f.Rule, f.Address, f.Account != "" && f.Address == ""))
			}
		}
	})
}
