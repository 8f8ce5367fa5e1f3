package report

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// lanesOf are the lines of the pictures of a page whose class begins so: what
// stands beside each, and what it draws in words.
func lanesOf(doc *html.Node, class string) (out [][2]string) {
	for _, n := range elements(doc, "div") {
		if attr(n, "class") != "lane" || !strings.HasPrefix(attr(n.Parent, "class"), class) {
			continue
		}
		label := ""
		for _, c := range append(elements(n, "p"), elements(n, "div")...) {
			if attr(c, "class") == "label" {
				label = text(c)
			}
		}
		out = append(out, [2]string{label, attr(elements(n, "svg")[0], "aria-label")})
	}
	return out
}

func TestAReportIsDrawnThoughNoLogWasRead(t *testing.T) {
	page, doc := render(t, sample(true).fold(), verified)
	lanes := lanesOf(doc, "picture")
	require.Equal(t, [][2]string{
		{"Exposure in foreign hands", "1 × stretch in foreign hands"},
		{"Not proved dead 7 stolen values at first, 2 left", "7 × stolen values not proved dead at first; 2 × stolen values not proved dead at last"},
		{"Rotation begun 5 in all", "5 × rotation begun"}, {"New value set 5 in all", "5 × new value set"}, {"Stolen value dead 5 in all", "5 × stolen value dead"},
		{"Logs none were read", "1 × stretch without a record"},
	}, lanes[:6])
	require.Contains(t, page, "No logs were read: whether anybody used these values, or tries them now, is not known.")
	require.NotContains(t, strings.ToLower(page), "not used")
	require.NotContains(t, page, "Signs of use:")
	each := lanesOf(doc, "picture each")
	require.Len(t, each, 7, "a line for each")
	require.Contains(t, each[0][0], "not proved dead: A server still accepts the stolen value not known to be dead")
	require.Contains(t, each[2][0], "dead stolen value dead: 2026-11-23 12:00:02Z · 800 ms after its new value was set")
	require.Equal(t, "1 × new value set; 1 × rotation begun; 1 × stolen value dead", each[2][1])
}

func TestAReportDrawsWhatLogsShowAndWhatNoLogCovers(t *testing.T) {
	page, doc := render(t, sampleLogs().fold(), verified)
	drawn := fmt.Sprint(lanesOf(doc, "picture"))
	for _, says := range []string{
		"{Signs of use: confirmed 12 in all 12 × used from elsewhere (confirmed)}", "[Signs of use: probable 0 in all nothing to show]", "12 × changed an account (possible)",
		"[Tried after death 12 in all 12 × tried after its death (probable)]", "[Log: corp covers 80 % of the exposure ", "2 × stretch with lines; 1 × stretch without a record", "[Log: vault no log is known to be of it 1 × stretch without a record]",
	} {
		require.Contains(t, drawn, strings.NewReplacer("{", "[", "}", "]").Replace(says))
	}
	require.NotContains(t, page, "No logs were read")
	each := lanesOf(doc, "picture each")
	require.Contains(t, each[0][0], "svc-far,ou=people,dc=example,dc=org corp confirmed sign of use", "the surest sign is first")
	require.Contains(t, each[0][0], "not proved dead: A server still accepts the stolen value")
	require.Contains(t, each[1][0], "svc-relay,ou=people,dc=example,dc=org corp tried after its death tried after its death (probable): 12")
}

// Of a long roll those that were used or are open have a line, and all others
// one together: none is drawn twice, and none is left out silently.
func TestOfALongRollOnlyWhatIsToBeLookedAtHasALineOfItsOwn(t *testing.T) {
	for _, n := range []int{200, 2*perFile + 300, 7_000} {
		s := crowd(n)
		open := 0
		for range s.NotDead() {
			open++
		}
		first := filesOf(t, s)[0]
		require.Less(t, len(first), 5<<20)
		doc, err := html.Parse(strings.NewReader(first))
		require.NoError(t, err)
		each := lanesOf(doc, "picture each")
		require.Len(t, each, min(open, drawnEach)+1)
		for _, l := range each[:len(each)-1] {
			require.Contains(t, l[0], "not proved dead: ")
		}
		require.Equal(t, [2]string{"All others " + Plural(n-open, "", "stolen values, proved dead"), fmt.Sprintf("%d × stolen value dead", n-open)}, each[len(each)-1])
		body := text(doc)
		require.Contains(t, body, fmt.Sprintf("Without a line of their own: %d proved dead from 2026-11-23 12:00:00Z to ", n-open))
		if more := open - drawnEach; more > 0 {
			require.Contains(t, body, fmt.Sprintf("%d credentials more that were used or tried, or are not proved dead everywhere, are not drawn here", more))
		} else {
			require.NotContains(t, body, "not drawn here")
		}
		require.Contains(t, fmt.Sprint(lanesOf(doc, "picture")), fmt.Sprintf("%d × stolen values not proved dead at first; %d × stolen values not proved dead at last", n, open))
	}
}

// Nobody asked a server of what people attest, and a server that was left out
// may still take what the others refuse: neither is among those proved dead.
func TestThePictureOfALongRollCallsNoneProvedDeadThatIsNotSoEverywhere(t *testing.T) {
	for _, n := range []int{drawnWhole + 1, 200} {
		s := crowd(n)
		open := 0
		for range s.NotDead() {
			open++
		}
		word, some := s.Credentials[1], s.Credentials[2]
		word.Proof, word.Name = protocol.ProofAttested, "by word"
		some.LeftOut, some.Name = []string{far}, "on some"
		_, doc := render(t, s, verified)
		each := lanesOf(doc, "picture each")
		require.Len(t, each, open+3, "a line for each of them")
		of := func(name string) [2]string {
			return each[slices.IndexFunc(each, func(l [2]string) bool { return strings.HasPrefix(l[0], name) })]
		}
		require.Contains(t, of("by word")[0], "by people's word, not proved dead")
		require.NotContains(t, of("by word")[1], deadWords)
		require.NotContains(t, of("by word")[0], "after its new value was set")
		require.Contains(t, of("on some")[0], "dead on some only")
		proved := n - open - 2
		require.Equal(t, [2]string{"All others " + Plural(proved, "", "stolen values, proved dead"), fmt.Sprintf("%d × stolen value dead", proved)}, each[len(each)-1])
		require.Contains(t, text(doc), fmt.Sprintf("Without a line of their own: %d proved dead from ", proved))
		all := fmt.Sprint(lanesOf(doc, "picture"))
		require.Contains(t, all, fmt.Sprintf("[Not proved dead %d stolen values at first, %d left, of which 1 by people's word; 1 dead on some only %[1]d × stolen values not proved dead at first; %d × stolen values not proved dead at last]", n, open+1))
		require.Contains(t, all, "[By people's word 1 in all 1 × changed by people's word, not proved dead]")
		require.Contains(t, all, fmt.Sprintf("[Stolen value dead %d in all; 1 dead on some only ", proved+1))
	}
}

// Who dies by a person's hand weeks later makes the minute in which all others
// died no hair.
func TestTheRotationIsSeenThoughOneComesMuchLater(t *testing.T) {
	s := crowd(100)
	s.Credentials[7].DeadAt = at(40 * 24 * time.Hour)
	_, doc := render(t, s, verified)
	require.Contains(t, fmt.Sprint(lanesOf(doc, "picture")), "[Stolen value dead 98 of 99 at this time 98 × stolen value dead]")
}

func TestAnExposureThatCannotBeDrawnIsSaid(t *testing.T) {
	for said, want := range map[string]string{
		"since <b>spring</b>": "The exposure is not drawn, for its times are not understood here: since <b>spring</b>",
		"":                    "did not say since when the device was in foreign hands, so no exposure is drawn",
	} {
		s := sample(true).fold()
		s.Exposure = said
		page, doc := render(t, s, verified)
		require.Contains(t, text(doc), want)
		require.NotContains(t, page, "<b>spring")
		require.NotContains(t, page, `class="tl-exposed"`)
	}
	s := sample(true).fold()
	s.Exposure = "2026-11-01 to now"
	s.Containment = &credential.Containment{How: credential.Off, At: noon.Add(-time.Hour)}
	page, _ := render(t, s, verified)
	require.Contains(t, page, "<title>2026-11-01 00:00:00Z to 2026-11-23 11:00:00Z</title>", "it lasts until the device is contained")
	require.Contains(t, page, `class="tl-moment"`)
}

func TestNothingIsDrawnOfAnEmptyRoll(t *testing.T) {
	page, _ := render(t, ledger.NewState(), verified)
	require.NotContains(t, page, "What happened when")
}
