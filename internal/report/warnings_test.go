package report

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
)

func TestEachWarningIsSaidOnceAndWithinTheWidth(t *testing.T) {
	l := sample(true)
	warn := func(code credential.FindingCode, detail string) {
		l.add(ledger.Entry{At: at(time.Minute), Event: ledger.EventFinding, Finding: code, Detail: detail}, strconv.Itoa(len(l.entries)))
	}
	perhaps := "source kv found nothing below kv/apps/esg01: a prefix that is mistyped finds nothing either, so say whether the device has none left"
	warn(credential.FindingSourceEmpty, perhaps)
	warn(credential.FindingSourceEmpty, perhaps)
	notes := []string{"approle/one is on the roll of another campaign as well", "approle/two is on the roll of another campaign as well"}
	for _, note := range notes {
		warn(credential.FindingAccepted, note)
	}
	state := l.fold()
	for _, width := range []int{60, 80, 160} {
		var b strings.Builder
		require.NoError(t, Text(&b, state, Verification{}, width))
		words := strings.Join(strings.Fields(b.String()), " ")
		for _, once := range append(notes, perhaps, string(credential.FindingSourceEmpty), findingAdvice(credential.FindingAccepted).Title) {
			require.Equal(t, 1, strings.Count(words, once), "%q at %d columns:\n%s", once, width, b.String())
		}
		for line := range strings.Lines(b.String()) {
			if strings.Contains(line, "source") || strings.Contains(line, "roll of another") {
				require.LessOrEqual(t, Columns(strings.TrimSuffix(line, "\n")), width)
			}
		}
	}
}
