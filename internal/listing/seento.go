package listing

import (
	"slices"
	"strings"
	"time"

	"rollcall/config"
	"rollcall/internal/credential"
)

// seenTo says of each credential who sees to it if it stays open, and until
// when: whom its secrets' metadata names, else the campaign file. People's
// tasks have owners of their own.
func seenTo(spec *config.Campaign, cs []credential.Credential, now time.Time) {
	for i := range cs {
		c := &cs[i]
		if c.Task != nil {
			continue
		}
		var owners []string
		var due time.Duration
		for _, r := range c.Reasons {
			if name := oneName(r.Owner); name != "" && !slices.Contains(owners, name) {
				owners = append(owners, name)
			}
			if d, err := time.ParseDuration(r.Due); err == nil && d > 0 && (due == 0 || d < due) {
				due = d
			}
		}
		if o := spec.Open; o != nil {
			if len(owners) == 0 && o.Owner != "" {
				owners = []string{o.Owner}
			}
			if due == 0 {
				due = time.Duration(o.Due)
			}
		}
		c.Owner = strings.Join(owners, ", ")
		if due > 0 {
			c.Due = now.Add(due).UTC().Truncate(time.Second)
		}
	}
}

// longestOwner bounds a name that a secret's metadata has.
const longestOwner = 200

// oneName is a name of metadata that can be shown in one line, or nothing.
func oneName(text string) string {
	text = strings.TrimSpace(text)
	if len(text) > longestOwner || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) || credential.Discloses(text) != "" {
		return ""
	}
	return text
}
