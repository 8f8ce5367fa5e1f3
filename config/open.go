package config

import "time"

// OpenItems says who sees to what stays open, and until when, where nothing
// says it of the credential itself. Whoever closes the campaign may say
// otherwise.
type OpenItems struct {
	Owner string `json:"owner,omitempty"`
	// Due is from the listing on; 0 where nobody says.
	Due Duration `json:"due,omitempty"`
	// Wait is how long the campaign stays, once nothing but what only a person
	// can put right is left, for him to list again or to close it; 0: it ends.
	Wait Duration `json:"wait,omitempty"`
}

// longestDue is how long something that is open may be given.
const longestDue = 366 * 24 * time.Hour

// longestWait is how long a campaign may stay for a person.
const longestWait = 7 * 24 * time.Hour

func (l *loader) open(top fields) *OpenItems {
	if !top.has("open") {
		return nil
	}
	f := l.mapping(top.vals["open"], "open", "owner", "due", "wait")
	o := &OpenItems{Owner: f.oneLine("owner"), Due: f.duration("due", 0, time.Minute, longestDue), Wait: f.duration("wait", 0, time.Minute, longestWait)}
	if f.discloses("owner", o.Owner) {
		o.Owner = ""
	}
	if o.Owner == "" && o.Due == 0 && o.Wait == 0 {
		f.problem("owner", "missing: who sees to what stays open, or due, until when (72h), or wait, how long the campaign stays for them (4h)")
	}
	return o
}
