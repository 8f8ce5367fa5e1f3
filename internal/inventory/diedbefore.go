package inventory

import (
	"rollcall/internal/credential"
	"rollcall/internal/vault/ownmount"
)

// diedBefore says of what an earlier campaign called dead that it did, so that
// a campaign of values that were set since is not taken for the end of those
// that were stolen. What the last roll did not end may have been ended before
// it, and that roll says so.
func (p past) diedBefore(list []credential.Credential) {
	if p.last == nil {
		return
	}
	known := map[string]*credential.DeadBefore{}
	for _, roll := range append([]ownmount.LastRoll{*p.last}, p.last.Before...) {
		for _, was := range roll.Credentials {
			if known[was.ID] != nil {
				continue
			}
			known[was.ID] = was.DeadBefore
			if at, dead := roll.DeadAt[was.ID]; dead {
				known[was.ID] = &credential.DeadBefore{Campaign: roll.Campaign, At: at}
			}
		}
	}
	for i, c := range list {
		list[i].DeadBefore = known[c.ID]
	}
}
