package report

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/ledger"
)

func TestEveryHeadlineTellsDeadOnAllServersFromDeadOnSome(t *testing.T) {
	s := sampleLeftOut().fold()
	require.Equal(t, "2 listed · 1 dead on all servers · 1 dead on some only · 0 open", Headline(s))

	source, doc := render(t, s, verified)
	require.Contains(t, text(doc), "1 of 2 stolen credentials proved dead on all servers, 1 on some only")
	require.Contains(t, source, "<title>1 of 2 dead on all servers, 1 on some ·")
	bars := elements(elements(doc, "svg")[0], "rect")
	require.Equal(t, "dead", attr(bars[1], "class"))
	require.Equal(t, "500", attr(bars[1], "width"))
	require.Equal(t, "some", attr(bars[2], "class"))
	require.Contains(t, pageCSS, ".bar .some")

	frame := RenderProgress(ProgressOf(s, noon, nil), 80, false)
	require.Contains(t, frame, "2 of 2 dead, 1 on some only   0 in work   0 open")
	require.Contains(t, frame, "█▌")
	require.NotContains(t, frame, "✓\n", "the wave is no green one")
	require.Contains(t, strings.Join(ProgressLines(Progress{}, ProgressOf(s, noon, nil)), "\n"), "2 of 2 dead (1 on some only), ")

	st := StatusOf(s, verified)
	require.Equal(t, 1, st.DeadOnSome)
	require.Equal(t, 1, st.Waves[0].DeadOnSome)

	whole := sample(true).fold()
	require.Equal(t, "7 listed · 5 dead · 2 open", Headline(whole))
	require.Zero(t, StatusOf(whole, verified).DeadOnSome)
	_, doc = render(t, whole, verified)
	require.Contains(t, text(doc), "5 of 7 stolen credentials proved dead on all servers 5 dead on all servers 2 not proved dead Ended with exceptions")
}

// A door that a person left out makes the result as weak as a server does.
func TestEveryHeadlineTellsWhatIsDeadWithoutADoor(t *testing.T) {
	l := sampleLeftOut()
	for i := range l.entries {
		switch e := &l.entries[i]; e.Event {
		case ledger.Listed:
			e.Doors = []string{"nas"}
		case ledger.ServerLeftOut:
			e.Event, e.Authority, e.Server = ledger.DoorLeftOut, "", "nas"
		case ledger.EventOutcome:
			if e.LeftOut != nil {
				e.LeftOut, e.DoorsLeftOut = nil, []string{"nas"}
			}
		}
	}
	s := l.fold()
	require.Equal(t, "2 listed · 1 dead on all servers and doors · 1 dead on some only · 0 open", Headline(s))
	_, doc := render(t, s, verified)
	require.Contains(t, text(doc), "1 of 2 stolen credentials proved dead on all servers and doors, 1 on some only")
	require.Contains(t, text(doc), "partly dead uid=svc-1")
	require.Equal(t, 1, StatusOf(s, verified).DeadOnSome)
	rows := rowsOf(t, s)
	require.Len(t, rows, 1)
	require.Equal(t, "door", rows[0]["item"])
	require.Equal(t, "door nas", rows[0]["name"])
	var b strings.Builder
	require.NoError(t, SummaryText(&b, s, verified, noon, 400))
	require.Contains(t, b.String(), "Door nas was left out by operator@bastion")
}
