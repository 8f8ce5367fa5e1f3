package report

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEveryHeadlineTellsDeadOnAllServersFromDeadOnSome(t *testing.T) {
	s := sampleLeftOut().fold()
	require.Equal(t, "2 listed · 1 dead on all servers · 1 dead on some servers only · 0 open", Headline(s))

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
	require.Contains(t, strings.Join(ProgressLines(Progress{}, ProgressOf(s, noon, nil)), "\n"), "2 of 2 dead (1 on some servers only), ")

	st := StatusOf(s, verified)
	require.Equal(t, 1, st.DeadOnSome)
	require.Equal(t, 1, st.Waves[0].DeadOnSome)

	whole := sample(true).fold()
	require.Equal(t, "7 listed · 5 dead · 2 open", Headline(whole))
	require.Zero(t, StatusOf(whole, verified).DeadOnSome)
	_, doc = render(t, whole, verified)
	require.Contains(t, text(doc), "5 of 7 stolen credentials proved dead on all servers 5 dead on all servers 2 not proved dead Ended with exceptions")
}
