package report

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"rollcall/internal/evidence/event"
	"rollcall/internal/evidence/judge"
)

func evidenceDay(n, hour int) time.Time {
	return time.Date(2022, 10, n, hour, 0, 0, 0, time.UTC)
}

// sampleEvidence is a page with one of everything, made by the judge from
// events. With a campaign two of the credentials are dead.
func sampleEvidence(t *testing.T, campaign string, names ...string) Evidence {
	t.Helper()
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	if len(names) == 0 {
		names = []string{"uid=svc-relay,ou=people,dc=example,dc=org", "uid=svc-scan,ou=people,dc=example,dc=org", "uid=svc-quiet,ou=people,dc=example,dc=org"}
	}
	o := judge.Options{
		Windows: []judge.Window{{From: evidenceDay(10, 0), To: evidenceDay(24, 0)}}, Device: []netip.Prefix{netip.MustParsePrefix("192.0.2.10/32")},
		Contained: evidenceDay(24, 0), Now: evidenceDay(28, 0),
		Fold: func(_ event.Form, s string) (string, bool) { return strings.ToLower(s), strings.Contains(s, "=") },
	}
	for i, n := range names {
		c := judge.Credential{ID: fmt.Sprintf("corp/%d", i), Name: n, Authority: "corp", Accounts: []judge.Account{{Form: event.DN, Name: n}}}
		if campaign != "" && i != 1 {
			c.Begun, c.Set, c.Rotated = evidenceDay(25, 9), evidenceDay(25, 9).Add(time.Second), evidenceDay(25, 9).Add(3*time.Second)
		}
		o.Credentials = append(o.Credentials, c)
	}
	o.Indicators = &judge.Indicators{}
	require.NoError(t, o.Indicators.Read("iocs", strings.NewReader("203.0.113.9\n")))
	j := judge.New(o)
	line := 0
	add := func(at time.Time, account, address string, is event.Outcome) {
		line++
		e := event.Event{Place: event.Place{File: "slapd.log", Line: line}, Format: "openldap", Server: "ldap1", Authority: "corp", At: at, Account: account, Form: event.DN, Outcome: is, Login: true, Method: "simple"}
		if address != "" {
			e.Address = netip.MustParseAddr(address)
		}
		j.Add(e)
	}
	for d := 1; d < 24; d++ {
		add(evidenceDay(d, 6), names[0], "198.51.100.1", event.Accepted)
		add(evidenceDay(d, 7), names[1], "192.0.2.10", event.Accepted)
	}
	add(evidenceDay(12, 3), names[0], "203.0.113.9", event.Accepted)
	add(evidenceDay(12, 4), names[0], "203.0.113.77", event.Accepted)
	add(evidenceDay(13, 4), names[1], "203.0.113.77", event.Accepted)
	add(evidenceDay(14, 4), "uid=forgotten,ou=people,dc=example,dc=org", "192.0.2.10", event.Accepted)
	for i := range 12 {
		add(evidenceDay(26, 0).Add(time.Duration(i)*time.Minute), names[0], "203.0.113.9", event.Refused)
	}
	s := judge.NewSource("corp", "ldap1", "openldap", time.Hour, event.LastNameOnly)
	s.Files = []string{"slapd.log"}
	for h := range 24 * 8 {
		s.Line(evidenceDay(11, h))
	}
	for h := range 24 * 3 {
		s.Line(evidenceDay(22, h))
	}
	s.NotRead(event.Place{File: "slapd.log", Line: 9})
	s.Logins, s.Events = 70, 70
	return Evidence{Device: "esg-01", Campaign: campaign, Result: j.Finish([]*judge.Source{s}, []judge.Unlogged{{Authority: "vault"}}), Credentials: o.Credentials, Contained: o.Contained,
		Now: o.Now, Zone: berlin, Notes: map[string]string{}, Limits: map[string]string{"last-name-only": "the last name alone"}}
}

func renderEvidence(t *testing.T, e Evidence) (string, *html.Node) {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, EvidenceHTML(&b, e))
	doc, err := html.Parse(bytes.NewReader(b.Bytes()))
	require.NoError(t, err)
	return b.String(), doc
}

func TestThePageOfEvidenceIsAsItWasReadLast(t *testing.T) {
	for name, campaign := range map[string]string{"evidence.html": "esg-01-20221025", "evidence-fresh.html": ""} {
		source, _ := renderEvidence(t, sampleEvidence(t, campaign))
		golden(t, name, []byte(source))
	}
}

func TestThePageOfEvidenceSaysWhatItDraws(t *testing.T) {
	_, doc := renderEvidence(t, sampleEvidence(t, "esg-01-20221025"))
	body := text(elements(doc, "body")[0])
	for _, want := range []string{
		"1 of 3 stolen credentials show signs of use by somebody else", "somebody else 1 confirmed 1 credential", "1 credential besides shows possible signs, which may be ordinary use.",
		"1 account that is not on the roll was used or tried from the device.", "12 logins were refused after the stolen value was dead, on 1 credential.",
		"No record is not “not used”", "uid=svc-relay,ou=people,dc=example,dc=org", "confirmed sign of use", "tried after its death (confirmed): 12",
		"stolen value dead: 2022-10-25 11:00:03+02:00", "not known to be dead", "No record of 1 credential of the roll (1 of them dead since). That does not say that they were not used",
		"slapd.log line 47", "2022-10-12 05:00:00+02:00 on ldap1", "Is there an older log of it (rotated, archived, in a backup, at a central syslog)?", "Where does it log, and who has that?",
		"1 line was not understood", "cannot show last-name-only: the last name alone", "The rotation, from close",
	} {
		require.Contains(t, body, want)
	}
	require.NotContains(t, body, "svc-quiet", "what has nothing to show is counted")
	_, doc = renderEvidence(t, sampleEvidence(t, ""))
	body = text(elements(doc, "body")[0])
	require.Contains(t, body, "listed afresh")
	require.NotContains(t, body, "stolen value dead")
	require.NotContains(t, body, "The rotation, from close")
}

// Each event of a finding or a use is in the label of one row.
func TestEachEventIsInOneRow(t *testing.T) {
	e := sampleEvidence(t, "esg-01-20221025")
	_, doc := renderEvidence(t, e)
	given := 0
	for _, u := range e.Result.Uses {
		given += u.Device.Count + u.Usual.Count + u.Elsewhere.Count + u.Nowhere.Count + u.Refused.Count + u.Unclear.Count
	}
	given++ // the account that is not on the roll
	drawn := 0
	for _, picture := range elements(doc, "div") {
		if attr(picture, "class") != "lane" || picture.Parent == nil || !strings.HasPrefix(attr(picture.Parent, "class"), "picture each") {
			continue
		}
		for _, svg := range elements(picture, "svg")[:1] { // behind it is the rotation, once more
			for part := range strings.SplitSeq(attr(svg, "aria-label"), "; ") {
				var n int
				if count, _ := fmt.Sscanf(part, "%d × ", &n); count == 1 && !strings.Contains(part, "rotation begun") && !strings.Contains(part, "value") {
					drawn += n
				}
			}
		}
	}
	require.Equal(t, given, drawn)
}

func TestThePageOfEvidenceLoadsNothingAndNoNameGetsOut(t *testing.T) {
	long := "uid=" + strings.Repeat("x", 10_000) + ",dc=example"
	for _, name := range []string{hostile + ",dc=\u2066x\u2069\u200b", `"'><img src=x onerror=alert(1)>=` + "\x00\x07\r\n\u009b31m", "=</title></style></svg><svg onload=alert(1)>{{.}}", long} {
		e := sampleEvidence(t, "</title><b>", name, "uid=other,dc=example")
		e.Device = name
		e.Result.Sources[0].Server, e.Result.Sources[0].Files = name, []string{name}
		e.Result.Missing[0].Authority = name
		e.Notes, e.Limits = map[string]string{"no-logins": name[:min(len(name), 300)]}, map[string]string{"last-name-only": name[:min(len(name), 300)]}
		for i := range e.Result.Findings {
			f := &e.Result.Findings[i]
			f.Account, f.Target, f.Group, f.Indicator, f.IndicatorAt, f.Rule = name, name, name, name, name, "rule"
			for j := range f.Seen {
				f.Seen[j].File, f.Seen[j].Server, f.Seen[j].Account, f.Seen[j].Code, f.Seen[j].Method = name, name, name, name, name
			}
		}
		source, doc := renderEvidence(t, e)
		require.Less(t, len(source), 200_000)
		for _, n := range elements(doc, "*") {
			require.NotContains(t, []string{"script", "link", "img", "iframe", "object", "embed", "base"}, n.Data)
			for _, a := range n.Attr {
				require.NotContains(t, []string{"src", "action", "style", "onload", "onerror"}, a.Key, n.Data)
				if a.Key == "href" {
					require.True(t, strings.HasPrefix(a.Val, "#tl-"), a.Val)
				}
			}
		}
		require.Len(t, elements(doc, "style"), 1)
		require.Contains(t, attr(elements(doc, "meta")[1], "content"), "style-src '"+sourceHash(elements(doc, "style")[0].FirstChild.Data)+"'")
		require.NotContains(t, attr(elements(doc, "meta")[1], "content"), "script")
		for _, bad := range []string{"\x1b", "\x00", "\x07", "\u202e", "\u2066", "\u200b", "\u009b"} {
			require.NotContains(t, source, bad)
		}
		require.NotContains(t, source, strings.Repeat("x", 700))
	}
}

// Each of a hundred thousand has something to show, in many places and times.
func TestAPageOfAHundredThousandCredentialsIsSmallAndSaysWhatItLeavesOut(t *testing.T) {
	e := sampleEvidence(t, "esg-01-20221025")
	e.Credentials, e.Result.Uses, e.Result.Findings = nil, nil, nil
	e.Result.Credentials = 100_000
	var spread []judge.Moment
	for i := range 32 {
		spread = append(spread, judge.Moment{First: evidenceDay(10, 9*i), Last: evidenceDay(10, 9*i), Count: 1})
	}
	for i := range 100_000 {
		id, name := fmt.Sprintf("corp/%06d", i), fmt.Sprintf("uid=svc-%06d,ou=people,dc=example,dc=org", i)
		e.Credentials = append(e.Credentials, judge.Credential{ID: id, Name: name, Authority: "corp", Rotated: evidenceDay(25, 9).Add(time.Duration(i) * time.Millisecond)})
		var untold []judge.Untold
		for _, s := range []judge.Sort{judge.FromDevice, judge.FromUsual, judge.WasRefused} {
			untold = append(untold, judge.Untold{Sort: s, Moments: spread})
		}
		e.Result.Uses = append(e.Result.Uses, judge.Use{Credential: id, Name: name, Record: true, Untold: untold})
		e.Result.Findings = append(e.Result.Findings, judge.Finding{Code: judge.UsedElsewhere, Grade: judge.Probable, Rule: "new-place", Credential: id, Account: name,
			Address: "203.0.113.1", Outcome: event.Accepted, Count: 32, First: spread[0].First, Last: spread[31].Last, Moments: spread})
	}
	for range 1000 {
		s := judge.NewSource("corp", "ldap", "openldap", time.Hour)
		s.Files = []string{"x"}
		for i := range 500 {
			at := evidenceDay(10, 0).Add(time.Duration(i) * time.Hour / 2)
			s.Covered = append(s.Covered, judge.Stretch{From: at, To: at.Add(time.Minute)})
			s.Gaps = append(s.Gaps, judge.Gap{From: at.Add(time.Minute), To: at.Add(time.Hour / 2), Reason: judge.NoLine, Ask: "?"})
		}
		e.Result.Sources = append(e.Result.Sources, s)
	}
	began := time.Now()
	source, doc := renderEvidence(t, e)
	t.Logf("%d KB, written and parsed in %s", len(source)/1024, time.Since(began))
	require.Less(t, len(source), 5<<20)
	body := text(elements(doc, "body")[0])
	require.Contains(t, body, "100000 of 100000 stolen credentials show signs of use")
	require.Regexp(t, `\d+ rows more are not drawn, and \d+ of them (has|have) signs of use; the picture above counts them, and -o json has each\.`, body)
	require.Contains(t, body, "99700 findings more are not written out here")
	require.Contains(t, body, "gaps more are not written out here")
	require.Contains(t, body, "sources more are not shown here")
	require.Contains(t, body, "3200000 in all")
}
