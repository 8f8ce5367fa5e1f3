package judge

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/internal/evidence/event"
)

// bundle is one of STIX with an indicator a line, from its second line on.
func bundle(patterns ...string) string {
	var out []string
	for i, p := range patterns {
		quoted, _ := json.Marshal(p)
		out = append(out, fmt.Sprintf(`{"type":"indicator","spec_version":"2.1","id":"indicator--%08d-0000-4000-8000-000000000000","pattern_type":"stix","pattern":%s,"valid_from":"2026-01-01T00:00:00Z"}`, i, quoted))
	}
	return "{\"type\":\"bundle\",\"id\":\"bundle--00000000-0000-4000-8000-000000000000\",\"objects\":[\n" + strings.Join(out, ",\n") + "\n]}\n"
}

func TestABundleOfSTIXIsReadForWhatLogsHold(t *testing.T) {
	for pattern, row := range map[string]struct {
		n       int
		leftOut string
	}{
		`[ipv4-addr:value = '203.0.113.9']`:                                                            {1, ""},
		`[ipv4-addr:value = '198.51.100.0/24']`:                                                        {1, ""},
		`[ipv4-addr:value ISSUBSET '198.51.100.0/24']`:                                                 {1, ""},
		`[ipv6-addr:value = '2001:db8::1' OR domain-name:value='evil.example.org']`:                    {2, ""},
		`[ipv4-addr:value IN ('203.0.113.9', '203.0.113.10')] OR ([domain-name:value = 'a.example'])`:  {3, ""},
		`[network-traffic:dst_ref.value = '203.0.113.9']`:                                              {1, ""},
		`[file:hashes.'SHA-256' = 'aa' OR ipv4-addr:value = '203.0.113.9' OR url:value = 'http://x/']`: {1, "file 1, url 1"},
		`[domain-name:value LIKE '%.example']`:                                                         {0, "domain-name 1"},
		`[ipv4-addr:value = '203.0.113.9' AND network-traffic:dst_port = 25]`:                          {0, "pattern of several conditions 1"},
		`[ipv4-addr:value = '203.0.113.9'] FOLLOWEDBY [file:name = 'x']`:                               {0, "pattern of several conditions 1"},
		`[ipv4-addr:value = '203.0.113.9'] REPEATS 5 TIMES WITHIN 300 SECONDS`:                         {0, "pattern of several conditions 1"},
		`[NOT ipv4-addr:value = '203.0.113.9']`:                                                        {0, "pattern of several conditions 1"},
		`[ipv4-addr:value NOT IN ('203.0.113.9')]`:                                                     {0, "pattern of several conditions 1"},
		`[windows-registry-key:values[*].name = 'it\'s']`:                                              {0, "windows-registry-key 1"},
	} {
		var x Indicators
		require.NoError(t, x.Read("iocs", strings.NewReader(bundle(pattern))), pattern)
		require.Equal(t, row.n, x.Len(), pattern)
		left, _ := json.Marshal(x.LeftOut)
		require.Equal(t, row.leftOut, strings.NewReplacer("{", "", "}", "", `"`, "", ":", " ", ",", ", ").Replace(string(left)), pattern)
	}
	whole := `{"type": "bundle", "id": "bundle--0", "objects": [{"type": "identity", "name": "a vendor"}, {"type": "indicator", "pattern": "[x:y = 'z']", "pattern_type": "sigma"},
{"type": "indicator", "revoked": true, "pattern": "[ipv4-addr:value = '203.0.113.9']"}, {"type":"indicator","pattern":"[ipv4-addr:value = '203.0.113.8']","kill_chain_phases":[{"phase_name":"x"}]}]}`
	var x Indicators
	require.NoError(t, x.Read("iocs", strings.NewReader(whole)))
	require.Equal(t, 1, x.Len())
	require.Equal(t, map[string]int{"revoked": 1, "pattern of sigma": 1}, x.LeftOut)
	for _, at := range x.Addresses {
		require.Equal(t, "iocs line 2", at)
	}
}

func TestATypoInABundleIsRefusedWithItsLine(t *testing.T) {
	good := `[ipv4-addr:value = '203.0.113.9']`
	for pattern, says := range map[string]string{
		`[ipv4-addr:value = '203.0.113.999']`:  "is no address",
		`[ipv4-addr:value = '203.0.113.9/24']`: "has bits beyond its length",
		`[ipv4-addr:value = '203.0.113.9'`:     "] is expected",
		`ipv4-addr:value = '203.0.113.9'`:      "[ is expected",
		`[ipv4-addr:value = '203.0.113.9]`:     "a quote has no end",
		`[ipv4-addr:value '203.0.113.9']`:      "is no comparison",
		`[ipv4-addr = '203.0.113.9']`:          "is no path of an object",
		`[ipv4-addr:value = ]`:                 "a value is missing",
		`[ipv4-addr:value = 203.0.113.9]`:      "is no address",
		good + " x":                            "is not expected",
		"":                                     "[ is expected",
		strings.Repeat("(", 100) + good:        "too many parentheses",
		`[domain-name:value = 'evil example']`: "a part of it is none of a name",
		`[domain-name:value = 'com']`:          "it is a single word",
	} {
		var x Indicators
		err := x.Read("iocs", strings.NewReader(bundle(good, good, pattern)))
		require.ErrorContains(t, err, says, pattern)
		require.ErrorContains(t, err, "iocs line 4", pattern)
	}
	for text, says := range map[string]string{
		"{\n\"type\":\"bundle\",\n\"objects\": [}": "iocs line 3",
		"{\"a\":\"b\"}":                         "no bundle of STIX 2.1",
		"{\"type\":\"bundle\",\"objects\":\n3}": "objects is no list",
		"{\"type\":\"bundle\"":                  "iocs line 1",
	} {
		var x Indicators
		require.ErrorContains(t, x.Read("iocs", strings.NewReader(text)), says, text)
	}
}

func FuzzSTIXPattern(f *testing.F) {
	for _, s := range []string{`[ipv4-addr:value = '203.0.113.9']`, `([a:b IN ('x','y')] AND [c:d.'e'[*] NOT LIKE '%'] WITHIN 5 SECONDS) OR [EXISTS a:b]`, `[a:b='\'']`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p := pattern{rest: text}
		found, _, err := p.read()
		if err == nil && len(found) > len(text) {
			t.Fatalf("%d comparisons of %d bytes", len(found), len(text))
		}
	})
}

// Whatever is read of a list comes from it: no name but one that stands there.
func TestOnlyWhatAPatternNamesIsLookedFor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfN(rapid.StringMatching(`[a-z]{1,8}\.[a-z]{2,5}\.example`), 1, 6).Draw(t, "names")
		var parts []string
		for _, n := range names {
			parts = append(parts, "domain-name:value = '"+n+"'")
		}
		var x Indicators
		require.NoError(t, x.Read("iocs", strings.NewReader(bundle("["+strings.Join(parts, " OR ")+"]"))))
		for _, n := range names {
			for _, client := range []string{n, strings.ToUpper(n), "mail." + n, n + "."} {
				_, _, ok := x.metName(client)
				require.True(t, ok, client)
			}
			for _, client := range []string{"x" + n, n + ".org", strings.SplitN(n, ".", 2)[0]} {
				_, _, ok := x.metName(client)
				require.False(t, ok, client)
			}
		}
	})
}

func TestANameOfTheIntrudersIsMetAndOneThatIsSaidCountsLess(t *testing.T) {
	o := options()
	o.Indicators = &Indicators{}
	require.NoError(t, o.Indicators.Read("iocs", strings.NewReader("type,value\ndomain,evil.example.org\nhostname,kali\n")))
	named := func(client string, said bool, address string) event.Event {
		e := at(11, "uid=b,dc=x", address, event.Accepted)
		e.Client, e.NameSaid = client, said
		return e
	}
	for what, row := range map[string]struct {
		e    event.Event
		want string
	}{
		"its own":                    {named("mx.evil.example.org", false, "203.0.113.1"), "used-elsewhere confirmed indicator evil.example.org iocs line 2"},
		"as its client says":         {named("mx.evil.example.org", true, "203.0.113.1"), "used-elsewhere probable indicator evil.example.org iocs line 2"},
		"a workstation, no address":  {named("KALI", true, ""), "indicator probable indicator-let-in-by-roll kali iocs line 3"},
		"one that ends so by chance": {named("notevil.example.org", false, "203.0.113.1"), "used-elsewhere possible no-usual-places  "},
		"another without an address": {named("PC1", true, ""), ""},
		"none":                       {named("", false, ""), ""},
	} {
		j := New(o)
		j.Add(named("", false, "")) // what is without a name or an address is not the intruder's for that
		j.Add(row.e)
		var found []string
		for _, f := range j.Finish(nil, nil).Findings {
			found = append(found, fmt.Sprintf("%s %s %s %s %s", f.Code, f.Grade, f.Rule, f.Indicator, f.IndicatorAt))
			require.Equal(t, 1, f.Count)
		}
		require.Equal(t, row.want, strings.Join(found, ", "), what)
	}
}
