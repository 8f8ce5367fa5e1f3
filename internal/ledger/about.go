package ledger

import (
	"time"

	"rollcall/internal/credential"
)

// About starts an entry on one credential. pass tells entries of one event
// apart.
func About(campaign string, c credential.Credential, event Event, pass string, at time.Time) Entry {
	return Entry{
		ID: EntryID(campaign, c.ID, pass, event), At: at, Campaign: campaign, Event: event,
		Credential: c.ID, Name: c.Name,
	}
}
