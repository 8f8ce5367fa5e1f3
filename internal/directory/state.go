package directory

import (
	"context"
	"fmt"
	"time"

	"rollcall/internal/protocol"
)

// userPasswordDriver is a driver whose accounts keep userPassword. What the
// account of an Active Directory domain is like is known to its kind of
// credential, the one there is.
type userPasswordDriver interface {
	// state is Accepted for an account in order, or what makes every login
	// fail. A lock whose end cannot be told counts as a lock: to call a locked
	// account open would let a refusal pass for a proof.
	state(ctx context.Context, c *Client, server string, e Entry, now time.Time) (protocol.Reply, error)
	// changed is the mark of the last change of the password. It only grows, as
	// a string, and compares between servers.
	changed(e Entry) string
}

// State says what an entry that ByID has read on server does to logins:
// Accepted, Locked, Disabled or Expired. It may read the entry's password
// policy.
func (c *Client) State(ctx context.Context, server string, e Entry, now time.Time) (protocol.Reply, error) {
	f, ok := c.driver.(userPasswordDriver)
	if !ok {
		return "", fmt.Errorf("directory %s: its accounts keep no userPassword", c.name)
	}
	return f.state(ctx, c, server, e, now)
}

// Changed is the mark of the last change of the password in an entry that ByID
// has read. It may grow for other reasons; a server whose mark is below
// another's has not seen the change. Empty where accounts keep no userPassword.
func (c *Client) Changed(e Entry) string {
	f, ok := c.driver.(userPasswordDriver)
	if !ok {
		return ""
	}
	return f.changed(e)
}

// NeverSet reports whether an entry that ByID has read shows no time at which
// its password was set, where the server's policy writes one with every change:
// slapo-ppolicy has none in entries that were there before it, or were added
// with a password while no age is limited (2.5 tried). Ask it only of an entry
// whose other attributes of the policy are shown.
func (c *Client) NeverSet(e Entry) bool {
	f, ok := c.driver.(interface{ neverSet(Entry) bool })
	return ok && f.neverSet(e)
}

// ByItself reports whether the account made the last change of its entry
// itself, as who is logged in as it can. A login that slapd counts or clears
// afterwards is a change by its rootdn (2.5 tried), so false tells nothing.
func (c *Client) ByItself(e Entry) bool {
	return e.First("modifiersName") != "" && SameDN(e.First("modifiersName"), e.DN)
}
