package evidence

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/evidence/event"
	"rollcall/internal/evidence/judge"
	"rollcall/internal/evidence/logs"
)

// behindProxies is a log of one's own in which proxies write who asked.
func behindProxies(t *testing.T, lines ...string) Options {
	o := byLogin(optionsFor(write(t, "sso.csv", "when;who;from;how\n"+strings.Join(lines, "\n")+"\n")))
	o.Mapped = []logs.Format{logs.Mapping{Name: "sso", Type: logs.CSV, Separator: ';', Account: "who", Address: "from", Time: "when", Outcome: "how", Form: event.Login, Layout: logs.RFC3339,
		Accepted: []string{"ok"}, Refused: []string{"no"}}.Format()}
	o.Files[0].Authority, o.Files[0].Server = "corp", "sso"
	o.Judge.Indicators = &judge.Indicators{}
	return o
}

func from(at int, addresses string) string {
	return hour(at).Format(time.RFC3339) + ";svc;" + addresses + ";ok"
}

// Who asks writes what he likes into X-Forwarded-For, and proxies write behind
// it.
func TestAnAddressThatSomebodyWroteBeforeHisOwnHidesNoUse(t *testing.T) {
	const home, dev, evil, known, proxy = "198.51.100.7", "192.0.2.10", "203.0.113.9", "203.0.113.66", "10.0.0.1"
	for name, row := range map[string]struct {
		lines []string
		usual string
		want  string // grade code address others rule, of all findings
	}{
		"a usual place of the operator's": {[]string{from(12, home+", "+evil)}, home, "possible used-elsewhere 203.0.113.9 [] new-place"},
		"one that the logs gave":          {[]string{from(9, home), from(12, home+", "+evil)}, "", "possible used-elsewhere 203.0.113.9 [198.51.100.7] new-place"},
		"a proxy behind both":             {[]string{from(9, home+", "+proxy), from(12, home+", "+evil+", "+proxy)}, proxy, "possible used-elsewhere 203.0.113.9 [198.51.100.7] new-place"},
		"the device's":                    {[]string{from(12, dev+", "+evil)}, home, "possible used-elsewhere 203.0.113.9 [] new-place"},
		"a word":                          {[]string{from(9, "unknown, "+evil), from(12, "unknown, "+evil)}, home, "possible used-elsewhere 203.0.113.9 [] new-place"},
		"before an indicator":             {[]string{from(12, home+", "+known+", "+evil)}, "", "probable used-elsewhere 203.0.113.66 [203.0.113.9 198.51.100.7] indicator"},
		"a forged one, as another place":  {[]string{from(12, "203.0.113.200, "+evil)}, home, "possible used-elsewhere 203.0.113.9 [203.0.113.200] new-place"},
		"from where it always was":        {[]string{from(9, home+", "+proxy), from(12, home+", "+proxy)}, "", ""},
		"by another proxy of one's own":   {[]string{from(9, home+", 10.0.0.2"), from(12, home+", "+proxy)}, "10.0.0.0/8", ""},
		"usual places alone":              {[]string{from(12, home+", "+proxy)}, home + " " + proxy, ""},
	} {
		o := behindProxies(t, row.lines...)
		require.NoError(t, o.Judge.Indicators.Read("iocs", strings.NewReader(known+"\n")))
		for _, a := range strings.Fields(row.usual) {
			if !strings.Contains(a, "/") {
				a += "/32"
			}
			o.Judge.Usual = append(o.Judge.Usual, netip.MustParsePrefix(a))
		}
		r, err := Read(t.Context(), o)
		require.NoError(t, err, name)
		var got []string
		for _, f := range r.Findings {
			got = append(got, fmt.Sprint(f.Grade, " ", f.Code, " ", f.Address, " ", f.Others, " ", f.Rule))
			require.Contains(t, f.Words(), strings.Join(append([]string{f.Address}, f.Others...), " or "), name)
		}
		require.Equal(t, row.want, strings.Join(got, ", "), name)
	}
}

// The device is seen behind a proxy, and where somebody else writes its address
// he is seen too.
func TestTheDeviceIsSeenAmongOtherAddresses(t *testing.T) {
	o := behindProxies(t, strings.ReplaceAll(from(12, "192.0.2.10, 10.0.0.1"), "svc", "other"), from(13, "203.0.113.9, 192.0.2.10"))
	o.Judge.Usual = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	r, err := Read(t.Context(), o)
	require.NoError(t, err)
	require.Len(t, r.Findings, 2)
	require.Equal(t, "probable not-on-roll 192.0.2.10, possible used-elsewhere 203.0.113.9", fmt.Sprint(r.Findings[0].Grade, " ", r.Findings[0].Code, " ", r.Findings[0].Address, ", ", r.Findings[1].Grade, " ", r.Findings[1].Code, " ", r.Findings[1].Address))
	require.Equal(t, []int{1, 1, 0}, []int{r.Uses[0].Device.Count, r.Uses[0].Elsewhere.Count, r.Uses[0].Usual.Count})
}

// Who writes another's address before his own makes no burst of the other's
// that is sure.
func TestABurstFromAnAddressThatTheClientSaysIsInDoubt(t *testing.T) {
	var lines []string
	for range 12 {
		lines = append(lines, strings.ReplaceAll(from(12, "198.51.100.9, 203.0.113.9"), ";ok", ";no"))
	}
	r, err := Read(t.Context(), behindProxies(t, lines...))
	require.NoError(t, err)
	require.Len(t, r.Findings, 2)
	for _, f := range r.Findings {
		require.Equal(t, "possible burst-of-failures [address-said-by-client] 12", fmt.Sprint(f.Grade, " ", f.Code, " ", f.Doubts, " ", f.Count))
	}
}
