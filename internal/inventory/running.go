package inventory

import (
	"slices"

	"rollcall/internal/credential"
)

// A campaign that runs may list again. It ends the logins to Vault that its own
// roll has. A login that is found by now it ends once a person takes it up, and
// what that may read waits until then. It offers nobody anything: what Vault
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

// listedNow is whose a login is that a running campaign does not end so far.
const listedNow = "what was listed while the campaign ran, and is not on its roll"

// ends is what has the logins to Vault that the campaign ends.
func (l *lister) ends(roll *credential.Roll) *credential.Roll {
	if l.running == nil {
		return roll
	}
	return &credential.Roll{Credentials: l.running.Credentials, Excluded: roll.Excluded}
}

// notEnded takes note of the logins to Vault of a roll that a running campaign
// does not end: whoever stole one reads on, so what it may read waits. It gives
// those that are not on the campaign's roll, by credential.
func (l *lister) notEnded(roll *credential.Roll) map[string]bool {
	if l.running == nil {
		return nil
	}
	found := map[string]bool{}
	for _, c := range roll.Credentials {
		if c.ReachesVault() && !c.Own && c.Problem != credential.OwnIdentity {
			l.elsewhereOpen.put(listedNow, c)
			found[c.ID] = !l.running.has(c.ID)
		}
	}
	return found
}
