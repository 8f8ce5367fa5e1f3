package ledger

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
)

var answeredOn = time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)

// storyOfAGateway is a campaign of two credentials of a device whose profile
// has three lines: one is covered, one is none, one is later.
func storyOfAGateway() []Entry {
	acc := &credential.Accounting{Profile: "gateway", Title: "A mail gateway", Reviewed: "2026-11-28", Digest: "00", Lines: []credential.LineAnswer{
		{Line: "lookup", Kind: credential.DirectoryBind, What: "accounts for lookups", Answer: credential.Covered, Credentials: 2, Ask: "which?"},
		{Line: "seal", Kind: credential.TLSKey, Answer: credential.None, Reason: "no TLS", By: "jo@desk", On: answeredOn},
		{Line: "users", Kind: credential.PassingUserPassword, Answer: credential.None, Reason: "nobody logs in", By: "jo@desk", On: answeredOn},
	}}
	story := []Entry{whole(CampaignStarted, nil)}
	story = append(story, ProfileEntries(campaign, acc)...)
	for n := range 2 {
		e := listed(n)
		e.Lines = []credential.LineRef{{Line: "lookup", By: credential.BySource}}
		story = append(story, e)
	}
	story = append(story, whole(RollClosed, &Counts{Listed: 2}))
	for n := range 2 {
		intent := of(n, "1", EventIntent)
		intent.Attempt = 1
		story = append(story, intent)
	}
	closed := whole(CampaignClosed, &Counts{Listed: 2, Dead: 2})
	closed.End = &End{Complete: true, Clean: true}
	return append(story, dead(0, "ldap-1"), dead(1, "ldap-1"), closed)
}

func TestACleanEndNeedsAnAnswerToEachLineAndAnEndOfEachCredential(t *testing.T) {
	const (
		named, lookup, seal, users = 1, 2, 3, 4
		first, second, rollClosed  = 5, 6, 7
		death1, ending             = 11, 12
		whatever                   = noIndex
	)
	without := func(n int) func([]Entry) []Entry {
		return func(s []Entry) []Entry { return append(s[:n:n], s[n+1:]...) }
	}
	line := func(n int, change func(*credential.LineAnswer)) func([]Entry) []Entry {
		return func(s []Entry) []Entry {
			l := *s[n].Line
			change(&l)
			s[n].Line = &l
			return s
		}
	}
	unanswered := line(seal, func(l *credential.LineAnswer) {
		*l = credential.LineAnswer{Line: "seal", Kind: credential.TLSKey, Why: "has no answer"}
	})
	goneOn := func(s []Entry) []Entry {
		p := *s[named].Profile
		p.Unanswered, p.UnansweredBy = "the CA sleeps", "jo@desk"
		s[named].Profile = &p
		return s
	}
	ends := func(complete, clean bool) func([]Entry) []Entry {
		return func(s []Entry) []Entry {
			s[len(s)-1].End = &End{Complete: complete, Clean: clean}
			return s
		}
	}
	for _, c := range []struct {
		name  string
		edit  func([]Entry) []Entry
		index int64
		what  string
	}{
		{"whole", inTurn(), 0, ""},
		{"a line without an entry", without(seal), whatever, "line seal of the profile has no entry: nobody was asked about it"},
		{"a line without an entry, called clean", without(seal), ending - 1, "closed as complete, and the entries tell otherwise: 1 line without an answer: seal"},
		{"a line without an answer", unanswered, seal, "has no answer, and nobody is said to have gone on without"},
		{"gone on without, and called clean", inTurn(unanswered, goneOn), ending, "closed as complete, and the entries tell otherwise: 1 line without an answer: seal"},
		{"gone on without, and called so", inTurn(unanswered, goneOn, ends(false, false)), 0, ""},
		{"gone on by nobody", inTurn(unanswered, goneOn, func(s []Entry) []Entry { s[named].Profile.UnansweredBy = ""; return s }), named, "does not say who and why"},
		{"later, and called complete", line(seal, func(l *credential.LineAnswer) { l.Answer, l.Owner, l.Due = credential.Later, "jo", answeredOn }), ending, "1 line left for later: seal"},
		{"later, and nobody sees to it", inTurn(line(seal, func(l *credential.LineAnswer) { l.Answer = credential.Later }), ends(false, false)), seal, "does not say who sees to it"},
		{"none, and nobody said so", line(seal, func(l *credential.LineAnswer) { l.By = "" }), seal, "does not say why, by whom and when"},
		{"none, and the roll says otherwise", line(lookup, func(l *credential.LineAnswer) {
			l.Answer, l.Reason, l.By, l.On = credential.None, "no directory", "jo@desk", answeredOn
		}), whatever, "line lookup: none, and 2 credentials of the roll answer it"},
		{"covered by nothing", inTurn(line(seal, func(l *credential.LineAnswer) { l.Answer = credential.Covered })), whatever, "line seal: covered, and no credential of the roll answers it"},
		{"an answer nobody knows", line(seal, func(l *credential.LineAnswer) { l.Answer = "perhaps" }), seal, `unknown answer "perhaps"`},
		{"an answer to a line that is not there", line(seal, func(l *credential.LineAnswer) { l.Line = "roof" }), seal, "line roof was answered, which the profile does not have"},
		{"a credential taken off the roll, and its count too", inTurn(without(second), func(s []Entry) []Entry {
			s = append(s[:death1-2:death1-2], s[death1-1:]...) // its intent
			s = append(s[:death1-2:death1-2], s[death1-1:]...) // its death
			s[rollClosed-1].Counts = &Counts{Listed: 1}
			s[len(s)-1].Counts = &Counts{Listed: 1, Dead: 1}
			return s
		}), whatever, "line lookup was answered by 2 credentials, and 1 of the roll do"},
		{"a credential that answers no line any more", func(s []Entry) []Entry { s[first].Lines = nil; return s }, whatever, "line lookup was answered by 2 credentials, and 1 of the roll do"},
		{"a credential that answers a line that is not there", func(s []Entry) []Entry { s[first].Lines[0].Line = "roof"; return s }, first, "says that it answers line roof, which no profile before it has"},
		{"no end said", func(s []Entry) []Entry { s[ending].End = nil; return s }, ending, "closed without saying whether it is complete and clean"},
		{"an end without a profile", func(s []Entry) []Entry { return append(s[:named:named], s[first:]...) }, ending - 4, "closed as complete or not, and no profile was named"},
		{"a worse end than it had", ends(true, false), ending, "a worse end than the entries tell of"},
		{"an exception, and called clean", func(s []Entry) []Entry {
			e := of(1, "1", Exception)
			s[death1] = e
			s[ending].Counts = &Counts{Listed: 2, Dead: 1, Open: 1}
			return s
		}, ending, "closed as clean, and the entries tell otherwise: 1 credential not dead"},
		{"an exception is complete and not clean", inTurn(func(s []Entry) []Entry {
			s[death1] = of(1, "1", Exception)
			s[ending].Counts = &Counts{Listed: 2, Dead: 1, Open: 1}
			return s
		}, ends(true, false)), 0, ""},
		{"a warning that something may be missing, and called clean", func(s []Entry) []Entry {
			e := whole(EventFinding, nil)
			e.Finding = credential.FindingSourceEmpty
			return append(s[:rollClosed:rollClosed], append([]Entry{e}, s[rollClosed:]...)...)
		}, ending + 1, "1 warning that something may be missing"},
		{"a profile after the roll", func(s []Entry) []Entry {
			p := s[named]
			return append(append(s[:named:named], s[lookup:rollClosed+1]...), append([]Entry{p}, s[rollClosed+1:]...)...)
		}, rollClosed, "a profile was named after the listing had begun"},
		{"another profile", func(s []Entry) []Entry {
			p := s[named]
			p.ID = EntryID(campaign, "", "2", ProfileNamed)
			return append(s[:lookup:lookup], append([]Entry{p}, s[lookup:]...)...)
		}, lookup, "a second profile was named"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			_, err := f.open(t).Append(t.Context(), c.edit(storyOfAGateway()))
			require.NoError(t, err)
			rep, err := Verify(t.Context(), f.dir, f.vkey, f.vault.last())
			require.NoError(t, err)
			if c.what == "" {
				require.Empty(t, rep.Problems)
				return
			}
			require.True(t, rep.says(c.index, c.what), "%+v", rep.Problems)
		})
	}
}

func TestTheFoldTellsTheProfileLineByLine(t *testing.T) {
	s := NewState()
	var b bytes.Buffer
	for i, e := range storyOfAGateway() {
		s.Add(uint64(i), e)
		require.NoError(t, WriteText(&b, uint64(i), e))
	}
	require.Equal(t, []string{"lookup", "seal", "users"}, s.Profile.Lines)
	require.Equal(t, "no TLS", s.AnswerTo("seal").Reason)
	require.Len(t, s.Answering("lookup"), 2)
	require.Equal(t, &End{Complete: true, Clean: true}, s.End)
	end, incomplete, unclean := EndOf(s)
	require.Equal(t, *s.End, end)
	require.Empty(t, incomplete)
	require.Empty(t, unclean)
	for _, text := range []string{"gateway, reviewed 2026-11-28, 3 lines", "lookup (directory-bind)  covered  2 credentials", "none  no TLS  said by jo@desk on 2026-11-28", "answers lookup (source)", "complete true, clean true"} {
		require.Contains(t, b.String(), text)
	}
	_, incomplete, _ = EndOf(NewState())
	require.Equal(t, []string{"no profile of the device was named"}, incomplete)
}

// inTurn forges a record by one edit after the other.
func inTurn(edits ...func([]Entry) []Entry) func([]Entry) []Entry {
	return func(s []Entry) []Entry {
		for _, e := range edits {
			s = e(s)
		}
		return s
	}
}
