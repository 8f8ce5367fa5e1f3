package report

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

func TestProgressIsAsAgreed(t *testing.T) {
	names := map[int]string{0: "directory", 1: "everything else", 2: "vault"}
	for name, p := range map[string]Progress{
		"running": ProgressOf(sample(false).fold(), at(10*time.Second), names),
		"closed":  ProgressOf(sample(true).fold(), at(time.Hour), names),
		"crowd":   ProgressOf(crowd(5000), at(time.Hour), nil),
		"empty":   ProgressOf(ledger.NewState(), noon, nil),
	} {
		t.Run(name, func(t *testing.T) {
			golden(t, "progress-"+name+".txt", []byte(RenderProgress(p, 80, false)))
		})
	}
}

var sgr = regexp.MustCompile("\x1b\\[[0-9]*m")

func TestProgressFitsEveryWidthAndOnlyColoursItself(t *testing.T) {
	for _, s := range []*ledger.State{sample(false).fold(), sample(true).fold(), crowd(400)} {
		p := ProgressOf(s, at(10*time.Second), map[int]string{1: strings.Repeat("long ", 30)})
		for width := 20; width < 160; width += 7 {
			coloured, plain := RenderProgress(p, width, true), RenderProgress(p, width, false)
			require.Equal(t, plain, sgr.ReplaceAllString(coloured, ""))
			require.True(t, strings.HasSuffix(plain, "\n"))
			for line := range strings.SplitSeq(plain, "\n") {
				require.LessOrEqual(t, utf8.RuneCountInString(line), width, line)
				for _, r := range line {
					require.True(t, unicode.IsPrint(r), "%q in %q", r, line)
				}
			}
		}
	}
}

func TestProgressTellsRateAndTimeLeft(t *testing.T) {
	l := &log{}
	l.start()
	for _, id := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		l.list("corp/"+id, id, "corp", 0, "ldap-password")
	}
	l.rollClosed(7)
	l.die("corp/a", time.Second, 2*time.Second, protocol.ProofBind, nil, nil, near)
	l.die("corp/b", 15*time.Second, 16*time.Second, protocol.ProofBind, nil, nil, near)
	l.die("corp/c", 17*time.Second, 18*time.Second, protocol.ProofBind, nil, nil, near)
	l.open("corp/d", ledger.EventOpen, protocol.Precheck, protocol.ReasonLocked, near, "")
	p := ProgressOf(l.fold(), at(20*time.Second), nil)
	require.InDelta(t, 0.2, p.Rate, 1e-9, "two deaths in the last ten seconds")
	left, ok := p.eta()
	require.True(t, ok)
	require.Equal(t, 15*time.Second, left, "three wait; the open one waits for somebody else")
	require.Equal(t, []string{"c  [corp]", "b  [corp]", "a  [corp]"}, []string{p.Recent[0].Name, p.Recent[1].Name, p.Recent[2].Name})
	require.Contains(t, RenderProgress(p, 120, false), "0.2/s  about 15 s left")
	require.Contains(t, ProgressLines(Progress{}, p), "12:00:20Z 3 of 7 dead, 0 in work, 1 open, 0.2/s, about 15 s left", "in a pipe too")
	_, ok = ProgressOf(l.fold(), at(time.Hour), nil).eta()
	require.False(t, ok, "nothing died of late")
	waits := p
	waits.Stands = true
	require.NotContains(t, RenderProgress(waits, 100, false), "/s", "nobody works on it")
	l.add(ledger.Entry{At: at(19 * time.Second), Event: ledger.CampaignPaused, Detail: "what was to be tried first was tried; the others wait"}, "")
	s := l.fold()
	require.NotContains(t, RenderProgress(ProgressOf(s, at(20*time.Second), nil), 100, false), "/s", "it is paused")
	require.Equal(t, "paused: what was to be tried first was tried; the others wait. `rollcall run` goes on with them, `rollcall abort` ends the campaign", PausedLine(s))
	l.add(ledger.Entry{At: at(19 * time.Second), Event: ledger.CampaignPaused, Actor: "jo@bastion"}, "2")
	require.Equal(t, "paused by jo@bastion at 2026-11-23 12:00:19Z: `rollcall resume` goes on with it", PausedLine(l.fold()))
	l.add(ledger.Entry{At: at(20 * time.Second), Event: ledger.CampaignAborted, Actor: "jo@bastion"}, "")
	s = l.fold()
	require.Empty(t, PausedLine(s))
	p = ProgressOf(s, at(20*time.Second), nil)
	require.Contains(t, RenderProgress(p, 100, false), "0.2/s\n", "what is in hand is finished, and the rest is not begun")
}

func TestALockIsShownWithItsEndUntilThen(t *testing.T) {
	l := &log{}
	l.start()
	for i, end := range []time.Duration{0, 40 * time.Minute, 30 * time.Minute} {
		id := fmt.Sprintf("corp/%d", i)
		l.list(id, id, "corp", 0, "ldap-password")
		e := ledger.Entry{At: at(time.Second), Event: ledger.EventOpen, Credential: id, Step: protocol.Precheck, Reason: protocol.ReasonLocked, Server: near}
		if end > 0 {
			e.Until = at(end)
		}
		l.add(e, "1")
	}
	l.rollClosed(3)
	require.Contains(t, RenderProgress(ProgressOf(l.fold(), at(time.Minute), nil), 120, false), "! 3 open  "+adviceFor(protocol.ReasonLocked).Title+"  until 12:30:00Z")
	require.Contains(t, RenderProgress(ProgressOf(l.fold(), at(35*time.Minute), nil), 120, false), "until 12:40:00Z")
	require.NotContains(t, RenderProgress(ProgressOf(l.fold(), at(time.Hour), nil), 120, false), "until")
	require.Contains(t, strings.Join(ProgressLines(Progress{}, ProgressOf(l.fold(), at(time.Minute), nil)), "\n"), "until 2026-11-23T12:30:00Z")
	require.Equal(t, "2026-11-23T12:40:00.000Z", StatusOf(l.fold(), Verification{}).Open[1].Until)
}

func TestInterruptedCredentialsAreInWorkAndNotOpen(t *testing.T) {
	l := &log{}
	l.start()
	l.list("corp/a", "a", "corp", 0, "ldap-password")
	l.rollClosed(1)
	l.open("corp/a", ledger.EventOpen, protocol.Stage, protocol.ReasonInterrupted, "", "")
	require.Equal(t, 1, StatusOf(l.fold(), verified).ByState["in_work"])
}

func TestPlainLinesTellChangesOnly(t *testing.T) {
	first := ProgressOf(sample(false).fold(), at(10*time.Second), nil)
	last := ProgressOf(sample(true).fold(), at(time.Hour), nil)
	out := strings.Join(append(append([]string{"-- first"}, ProgressLines(Progress{}, first)...),
		append([]string{"-- last"}, ProgressLines(first, last)...)...), "\n") + "\n"
	golden(t, "progress-lines.txt", []byte(out))
	require.Empty(t, ProgressLines(last, last))
	later := first
	later.Now = at(11 * time.Second)
	require.Empty(t, ProgressLines(first, later), "time alone is no change")
}

func TestFrameInColourKeepsItsGolden(t *testing.T) {
	p := ProgressOf(sample(false).fold(), at(10*time.Second), nil)
	golden(t, "progress-colour.ansi", []byte(RenderProgress(p, 80, true)))
}
