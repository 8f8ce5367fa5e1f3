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
func (d *draft) reason(c Candidate) {
	d.Reasons = append(d.Reasons, c.Reason)
	d.Lines = append(d.Lines, c.Lines...)
	if c.UnknownLine != "" {
		d.find(credential.FindingUnknownLine, "its custom_metadata has a line that is not there: %s", c.UnknownLine)
	}
	if len(c.HeldBack) > 0 {
		d.find(credential.FindingSecretInMetadata, "%s: its custom_metadata (%s) holds what is a secret, or may be one: nothing is made of it, and it is not repeated; more people may read metadata than secrets, so take it out there",
			c.Reason.Detail, strings.Join(c.HeldBack, ", "))
	}
}

// fitLines takes the line of a source from what it found and cannot be what the
// line is about, as long as something else of that source can: a prefix in
// Vault holds accounts of directories beside roles of a database. A line that
// nothing of its source fits stays, and is told as the mistake that it is.
func (m *merger) fitLines() {
	type at struct{ source, line string }
	named, fits := map[at]bool{}, map[at]bool{}
	kind := map[string]credential.LineKind{}
	for _, s := range m.c.Sources {
		for _, id := range s.ProfileLines {
			named[at{s.Name, id}] = true
			if l, known := m.c.Profile.Line(id); known {
				kind[id] = l.Kind
			}
		}
	}
	if len(named) == 0 {
		return
	}
	for _, l := range m.drafts {
		for _, r := range l.Reasons {
			for id := range kind {
				if named[at{r.Source, id}] && l.Kind.MayAnswer(kind[id]) {
					fits[at{r.Source, id}] = true
				}
			}
		}
	}
	for _, l := range m.drafts {
		l.Lines = slices.DeleteFunc(l.Lines, func(ref credential.LineRef) bool {
			if ref.By != credential.BySource || l.Kind.MayAnswer(kind[ref.Line]) {
				return false
			}
			return !slices.ContainsFunc(l.Reasons, func(r credential.Reason) bool {
				k := at{r.Source, ref.Line}
				return named[k] && !fits[k]
			})
		})
	}
}

func sortedLines(refs []credential.LineRef) []credential.LineRef {
	slices.SortFunc(refs, func(a, b credential.LineRef) int {
		return cmp.Or(strings.Compare(a.Line, b.Line), strings.Compare(string(a.By), string(b.By)))
	})
	return slices.Compact(refs)
}

// profileLines are the lines of the profile that a row names, with those of its
// source.
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
