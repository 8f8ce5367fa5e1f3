package ledger

import (
	"cmp"
	"slices"
	"time"

	"rollcall/internal/protocol"
)

// list takes over what the roll says of a credential.
func (c *CredentialState) list(e *Entry) {
	c.Name, c.Kind, c.Authority, c.Wave = e.Name, e.Kind, e.Authority, e.Wave
	c.Paths, c.Reasons, c.Lines, c.Doors, c.DoorEnds, c.UsedBy = e.Paths, e.Reasons, e.Lines, e.Doors, e.DoorEnds, e.UsedBy
	c.Logins, c.VaultLogins = e.Logins, e.VaultLogins
	c.DeadBefore, c.Owner, c.Due = e.DeadBefore, e.Owner, e.Due
	if c.Since.IsZero() {
		c.Since = e.At
	}
}

// Untouched reports whether it is open and no new value of it was announced:
// then nothing that was set depends on how it is listed.
func (c *CredentialState) Untouched() bool {
	return c.Outcome != Dead && c.Attempt == 0 && c.Step != protocol.Set && c.SetAt.IsZero() && c.Task == nil
}

// takeUp is a credential as it is listed now. It is tried again, also if it had
// been given up; one that is dead, or may be set, stays as it is.
func (c *CredentialState) takeUp(e *Entry) {
	if !c.Untouched() {
		return
	}
	c.list(e)
	c.Outcome, c.Index, c.Since, c.said = NoOutcome, 0, e.At, nil
	c.Step, c.Reason, c.Server, c.Detail, c.Until = "", "", "", "", time.Time{}
	c.Own, c.Unseen = Cause{}, time.Time{}
}

// replace takes off the roll what was no account, or what a person excludes by
// now, for the reason given.
func (s *State) replace(c *CredentialState, reason string) {
	if s.Credential(c.ID) == nil || !c.Untouched() {
		return
	}
	if s.roll != nil {
		s.roll.remove(c.ID)
	} else {
		i := s.byID[c.ID]
		s.Credentials = slices.Delete(slices.Clone(s.Credentials), i, i+1)
		delete(s.byID, c.ID)
		for id, at := range s.byID {
			if at > i {
				s.byID[id] = at - 1
			}
		}
	}
	s.Listed--
	s.Excluded = append(s.Excluded, ExcludedCredential{ID: c.ID, Name: c.Name, Reason: cmp.Or(reason, "listed again: what it stood for is the path of another credential of the roll")})
}
