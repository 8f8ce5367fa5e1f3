package ledger

import (
	"slices"

	"rollcall/internal/credential"
	"rollcall/internal/plural"
)

// profile asks that the device's profile is named once, and before anything is
// listed.
func (a *audit) profile(index int64, e *Entry) {
	switch {
	case e.Profile == nil || len(e.Profile.Lines) == 0:
		a.rep.add(index, "", "a profile was named, and the entry does not say which lines it has")
	case a.profiles > 0:
		a.rep.add(index, "", "a second profile was named")
	case a.closed != noIndex || a.state.Len() > 0:
		a.rep.add(index, "", "a profile was named after the listing had begun")
	case (e.Profile.Unanswered == "") != (e.Profile.UnansweredBy == ""):
		a.rep.add(index, "", "somebody went on with lines that nobody had answered, and the entry does not say who and why")
	}
	a.profiles++
}

// line asks of an answer what a person has to say.
func (a *audit) line(index int64, e *Entry) {
	l := e.Line
	p := a.state.Profile
	switch {
	case l == nil || l.Line == "":
		a.rep.add(index, "", "a line was answered, and the entry does not say which")
		return
	case p == nil && !a.gap:
		a.rep.add(index, "", "line %s was answered, and no profile was named before", l.Line)
		return
	case p != nil && !slices.Contains(p.Lines, l.Line):
		a.rep.add(index, "", "line %s was answered, which the profile does not have", l.Line)
		return
	case a.answers[l.Line]:
		a.rep.add(index, "", "line %s was answered twice", l.Line)
		return
	case a.closed != noIndex:
		a.rep.add(index, "", "line %s was answered after the roll was closed by entry %d", l.Line, a.closed)
	}
	a.answers[l.Line] = true
	said := l.By != "" && !l.On.IsZero()
	switch l.Answer {
	case credential.Covered: // what it is covered by shows on the roll
	case credential.None:
		if l.Reason == "" || !said {
			a.rep.add(index, "", "line %s: none, and the entry does not say why, by whom and when", l.Line)
		}
	case credential.Later:
		if l.Owner == "" || l.Due.IsZero() || !said {
			a.rep.add(index, "", "line %s: later, and the entry does not say who sees to it and when it is due, or who said so", l.Line)
		}
	case credential.Unanswered:
		if p != nil && p.Unanswered == "" {
			a.rep.add(index, "", "line %s has no answer, and nobody is said to have gone on without", l.Line)
		}
	default:
		a.rep.add(index, "", "line %s has an unknown answer %q", l.Line, l.Answer)
	}
}

// listedLines asks that a credential answers lines that there are.
func (a *audit) listedLines(index int64, e *Entry) {
	if a.gap {
		return
	}
	for _, r := range e.Lines {
		if a.state.Profile == nil || !slices.Contains(a.state.Profile.Lines, r.Line) {
			a.rep.add(index, e.Credential, "says that it answers line %s, which no profile before it has", r.Line)
		}
	}
}

// answered compares the answers with the roll, once it is closed: no line may
// be missing, and none may be called covered by what is not there.
func (a *audit) answered() {
	p := a.state.Profile
	if p == nil || a.gap || a.closed == noIndex {
		return
	}
	answering := a.state.answering()
	for _, id := range p.Lines {
		l, n := a.state.AnswerTo(id), answering[id]
		switch {
		case l == nil:
			a.rep.add(noIndex, "", "line %s of the profile has no entry: nobody was asked about it", id)
		case l.Answer == credential.None && n > 0:
			a.rep.add(noIndex, "", "line %s: none, and %s it", id, plural.Count(n, "credential of the roll answers", "credentials of the roll answer"))
		case l.Answer == credential.Covered && n == 0:
			a.rep.add(noIndex, "", "line %s: covered, and no credential of the roll answers it", id)
		case l.Credentials != n:
			a.rep.add(noIndex, "", "line %s was answered by %s, and %d of the roll do", id, plural.Count(l.Credentials, "credential", "credentials"), n)
		}
	}
}

// claim compares what the campaign says of its end with what the entries tell.
func (a *audit) claim(index int64, e *Entry) {
	if a.gap {
		return
	}
	if a.state.Profile == nil {
		if e.End != nil {
			a.rep.add(index, "", "the campaign was closed as complete or not, and no profile was named")
		}
		return
	}
	is, incomplete, unclean := EndOf(a.state)
	switch {
	case e.End == nil:
		a.rep.add(index, "", "the campaign was closed without saying whether it is complete and clean")
	case e.End.Complete && !is.Complete:
		a.rep.add(index, "", "the campaign was closed as complete, and the entries tell otherwise: %s", incomplete[0])
	case e.End.Clean && !is.Clean:
		a.rep.add(index, "", "the campaign was closed as clean, and the entries tell otherwise: %s", append(incomplete, unclean...)[0])
	case *e.End != is:
		a.rep.add(index, "", "the campaign was closed with a worse end than the entries tell of")
	}
}
