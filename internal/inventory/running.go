package inventory

import (
	"slices"

	"rollcall/internal/credential"
)

// A campaign that runs may list again. It ends the logins to Vault that its own
// roll has, and what waits for those was settled when it began: a login that is
// found by now it never ends. Nor does it offer anybody anything: what Vault
// holds by then Rollcall may have put there.

// Running is the campaign inside of which a listing is made.
type Running struct {
	Credentials []credential.Credential // of its roll
	Unlike      []string                // credential.Roll.Unlike of its roll
}

func (r *Running) has(id string) bool {
	return r != nil && slices.ContainsFunc(r.Credentials, func(c credential.Credential) bool { return c.ID == id })
}

func (r *Running) unlike(id string) bool {
	return r != nil && slices.Contains(r.Unlike, id)
}

// listedNow is whose a login is that a running campaign does not end.
const listedNow = "what was listed while the campaign ran, and is not on its roll"

// ends is what has the logins to Vault that the campaign ends.
func (l *lister) ends(roll *credential.Roll) *credential.Roll {
	if l.running == nil {
		return roll
	}
	return &credential.Roll{Credentials: l.running.Credentials, Excluded: roll.Excluded}
}

// notEnded takes note of the logins to Vault of a roll that a running campaign
// does not end: whoever stole one reads on, so what it may read waits.
func (l *lister) notEnded(roll *credential.Roll) {
	if l.running == nil {
		return
	}
	for _, c := range roll.Credentials {
		if c.ReachesVault() && !c.Own && c.Problem != credential.OwnIdentity {
			l.elsewhereOpen.put(listedNow, c)
		}
	}
}
