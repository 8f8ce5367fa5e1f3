package inventory

import (
	"cmp"
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
)

// sourceLines are the lines of the device's profile that the campaign file
// says all of a source answers.
func sourceLines(s config.Source) (out []credential.LineRef) {
	for _, id := range s.ProfileLines {
		out = append(out, credential.LineRef{Line: id, By: credential.BySource})
	}
	return out
}

// reason takes over what a source says, and which lines of the profile it
// answers by it.
func (l *draft) reason(c Candidate) {
	l.Reasons = append(l.Reasons, c.Reason)
	l.Lines = append(l.Lines, c.Lines...)
	if c.UnknownLine != "" {
		l.find(credential.FindingUnknownLine, "its custom_metadata has a line that is not there: %s", c.UnknownLine)
	}
}

func sortedLines(refs []credential.LineRef) []credential.LineRef {
	slices.SortFunc(refs, func(a, b credential.LineRef) int {
		return cmp.Or(strings.Compare(a.Line, b.Line), strings.Compare(string(a.By), string(b.By)))
	})
	return slices.Compact(refs)
}

// profileLines are the lines of the profile that a row names, with those of its source.
func (t *table) profileLines(c *config.Campaign, s config.Source, r row) []credential.LineRef {
	out := sourceLines(s)
	named := strings.Fields(r.cells["line"])
	if len(named) > 0 && c.Profile == nil {
		t.problem(r.fileLine, "line: names a line of a profile, and the campaign file names no profile")
		return out
	}
	for _, id := range named {
		if why := c.Profile.Unknown(id); why != "" {
			t.problem(r.fileLine, "line: %s", why)
			continue
		}
		out = append(out, credential.LineRef{Line: id, By: credential.ByManifest})
	}
	return out
}
