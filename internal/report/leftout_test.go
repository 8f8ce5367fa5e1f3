package report

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAResultWithoutAServerIsShownAsWeakerByWhomAndWhyEverywhere(t *testing.T) {
	s := sampleLeftOut().fold()
	_, doc := render(t, s, verified)
	page := text(doc)
	for _, want := range []string{
		"Dead, but not on every server", "Servers left out by a person", far, "By operator@bastion", "its disk burnt", "1 credential is dead on the other servers only",
		"bind on 1 of 2 servers", "Not asked, because a person had left it out: " + far, "proved dead without a server that a person left out",
	} {
		require.Contains(t, page, want)
	}
	require.NotContains(t, page, "Clean Every")
	p := ProgressOf(s, noon, nil)
	require.Contains(t, RenderProgress(p, 120, false), "left out  "+far+"  by operator@bastion: its disk burnt")
	before := p
	before.LeftOut = nil
	require.Equal(t, []string{"left out: " + far + " of corp, by operator@bastion: its disk burnt, a new one comes on Monday"},
		withoutTime(ProgressLines(before, p)))
	require.Empty(t, ProgressLines(p, p))
}

func TestAServerThatWasLeftOutForNothingIsShownAndTheRestIsClean(t *testing.T) {
	l := sampleLeftOut()
	last := len(l.entries) - 2
	l.entries[last].LeftOut = nil
	s := l.fold()
	require.Equal(t, 0, StatusOf(s, verified).LeftOut[0].Dead)
	_, doc := render(t, s, verified)
	require.Contains(t, text(doc), "No credential died without it")
	require.NotContains(t, text(doc), "Dead, but not on every server")
}

func withoutTime(lines []string) (out []string) {
	for _, l := range lines {
		_, words, _ := strings.Cut(l, "Z ")
		out = append(out, words)
	}
	return out
}
