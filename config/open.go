package config

import "time"

// OpenItems says who sees to what stays open, and until when, where nothing
// says it of the credential itself. Whoever closes the campaign may say
// otherwise.
type OpenItems struct {
	Owner string `json:"owner,omitempty"`
	// Due is from the listing on; 0 where nobody says.
	Due Duration `json:"due,omitempty"`
}

// longestDue is how long something that is open may be given.
const longestDue = 366 * 24 * time.Hour

func (l *loader) open(top fields) *OpenItems {
	if !top.has("open") {
		return nil
	}
	f := l.mapping(top.vals["open"], "open", "owner", "due")
	o := &OpenItems{Owner: f.oneLine("owner"), Due: f.duration("due", 0, time.Minute, longestDue)}
	if f.discloses("owner", o.Owner) {
		o.Owner = ""
	}
	if o.Owner == "" && o.Due == 0 {
		f.problem("owner", "missing: who sees to what stays open, or due, until when (72h)")
	}
	return o
}
