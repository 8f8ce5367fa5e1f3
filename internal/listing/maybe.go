package listing

import (
	"fmt"
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
)

// maybe says of each open line, where a profile has several of a kind, which
// sources found what may be it, and what to write there: nobody but a person
// knows which of two look-up accounts is which.
func maybe(spec *config.Campaign, roll *credential.Roll) {
	for i := range roll.Profile.Lines {
		l := &roll.Profile.Lines[i]
		if l.Answer != credential.Unanswered || l.Credentials > 0 || l.Wrong {
			continue
		}
		var at []string
		for _, s := range spec.Sources {
			if n := unassigned(roll, s.Name, l.Kind); n > 0 {
				at = append(at, may(s, l.Line, n))
			}
		}
		l.May = strings.Join(at, "; ")
	}
}

// unassigned counts what a source found that is usually of that kind of line,
// and answers none so far.
func unassigned(roll *credential.Roll, source string, kind credential.LineKind) (n int) {
	for _, c := range roll.Credentials {
		if len(c.Lines) > 0 || c.Own || c.Problem != "" || c.Kind.Usual() != kind {
			continue
		}
		for _, r := range c.Reasons {
			if r.Source == source {
				n++
				break
			}
		}
	}
	return n
}

func may(s config.Source, line string, n int) string {
	where := "source " + s.Name
	if s.Line > 0 {
		where += fmt.Sprintf(" (line %d of the campaign file)", s.Line)
	}
	found := "1 credential"
	if n > 1 {
		found = fmt.Sprintf("%d credentials", n)
	}
	write := line
	if len(s.ProfileLines) > 0 {
		write = "[" + strings.Join(append(slices.Clone(s.ProfileLines), line), ", ") + "]"
	}
	text := fmt.Sprintf("%s found %s that may be it: if so, write `line: %s` there", where, found, write)
	if config.TraitsOfSource(s.Type).Rows {
		text += ", or " + line + " in the column line of its rows"
	}
	return text
}
