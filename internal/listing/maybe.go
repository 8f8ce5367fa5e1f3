package listing

import (
	"fmt"
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/plural"
)

// maybe says of each open line, where a profile has several of a kind, which
// sources found what may be it, and what to write there: nobody but a person
// knows which of two look-up accounts is which.
func maybe(spec *config.Campaign, roll *credential.Roll) {
	open := func(l credential.LineAnswer) bool {
		return l.Answer == credential.Unanswered && l.Credentials == 0 && !l.Wrong
	}
	for i := range roll.Profile.Lines {
		l := &roll.Profile.Lines[i]
		if !open(*l) {
			continue
		}
		var others []string // open lines of the same kind
		for _, o := range roll.Profile.Lines {
			if o.Line != l.Line && o.Kind == l.Kind && open(o) {
				others = append(others, o.Line)
			}
		}
		var at []string
		for _, s := range spec.Sources {
			if n := len(unassigned(roll, s.Name, l.Kind)); n > 0 {
				at = append(at, may(s, l.Line, others, n))
			}
		}
		l.May = strings.Join(at, "; ")
	}
}

// MayBe names the credentials of a roll that may be what an open line is about.
func MayBe(roll *credential.Roll, l credential.LineAnswer) []string {
	if l.May == "" {
		return nil
	}
	return unassigned(roll, "", l.Kind)
}

// unassigned names what a source found, or any, that is usually of that kind of
// line, and answers none so far.
func unassigned(roll *credential.Roll, source string, kind credential.LineKind) (names []string) {
	for _, c := range roll.Credentials {
		if len(c.Lines) > 0 || c.Own || c.Problem != "" || c.Kind.Usual() != kind {
			continue
		}
		if source == "" || slices.ContainsFunc(c.Reasons, func(r credential.Reason) bool { return r.Source == source }) {
			names = append(names, c.Name)
		}
	}
	return names
}

func may(s config.Source, line string, others []string, n int) string {
	where := "source " + s.Name
	if s.Line > 0 {
		where += fmt.Sprintf(" (line %d of the campaign file)", s.Line)
	}
	found := plural.Count(n, "credential", "credentials")
	write := line
	if len(s.ProfileLines) > 0 {
		write = "[" + strings.Join(append(slices.Clone(s.ProfileLines), line), ", ") + "]"
	}
	if len(others) > 0 {
		// What a source says is said of all that it found.
		text := fmt.Sprintf("%s found %s that may be it, or %s, which has no answer either: `line: %s` there gives it all of them", where, found, strings.Join(others, " or "), write)
		if n == 1 {
			text = fmt.Sprintf("%s found 1 credential that may be it, or %s, which has no answer either: you know which; if it is this, write `line: %s` there", where, strings.Join(others, " or "), write)
		}
		if s.Type == config.Manifest {
			return text + ", or " + line + " in the column line of its row"
		}
		if n > 1 {
			text += "; where some are the one and some the other, name the line of each in the column line of a manifest"
		}
		return text
	}
	text := fmt.Sprintf("%s found %s that may be it: if so, write `line: %s` there", where, found, write)
	if config.TraitsOfSource(s.Type).Rows {
		text += ", or " + line + " in the column line of its rows"
	}
	return text
}
