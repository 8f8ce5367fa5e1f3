package intruder

import (
	"slices"
	"strings"
	"time"
)

// Life is how long a stolen value let the intruder in at one service after its
// directory refused it.
type Life struct {
	ID, Server string
	// For is from then to the last try there that got in: the value lived that
	// long at least. 0 if none did.
	For time.Duration
	// In: the last answer there let it in.
	In bool
}

// Lives are those of all values that every server of their directory refuses,
// by service. A server refuses a value from its first refusal on that no
// success follows.
func Lives(results []Result) (out []Life) {
	dead, open := map[string]time.Time{}, map[string]bool{}
	for _, r := range results {
		if !strings.HasPrefix(r.Server, "ldap") || r.Via != Login {
			continue
		}
		since := r.FirstRefusal.Time
		if r.LastSuccess.After(since) {
			since = r.LastSuccess.Time
		}
		if since.After(dead[r.ID]) {
			dead[r.ID] = since
		}
		open[r.ID] = open[r.ID] || !r.LastAnswer.After(r.LastSuccess.Time)
	}
	for _, r := range results {
		scheme, _, _ := strings.Cut(r.Server, "://")
		if since, known := dead[r.ID]; known && !open[r.ID] && atService(scheme) && r.Via == Login {
			out = append(out, Life{r.ID, r.Server, max(0, r.LastSuccess.Sub(since)), !r.LastAnswer.After(r.LastSuccess.Time)})
		}
	}
	slices.SortFunc(out, func(a, b Life) int {
		return strings.Compare(a.Server+" "+a.ID, b.Server+" "+b.ID)
	})
	return out
}

// atService reports whether a scheme is that of a service. Vault's is one too:
// a value of a directory that opens it does so by Vault's method ldap.
func atService(scheme string) bool {
	_, ok := protocols[scheme]
	return ok
}
