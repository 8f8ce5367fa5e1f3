package notify

import (
	"fmt"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/notify/settings"
	"rollcall/internal/protocol"
)

// reloads says which paths of a credential have a new value by an entry, once
// for each attempt and path. A batch tells what is activated while it is worked
// on; where that was lost, or the worker is of an earlier version, it shows in
// what comes after: the proof may wait for a server for hours, and consumers
// must not.
func (t *teller) reloads(c *ledger.CredentialState, e ledger.Entry) (out []Notice) {
	if !activated(e) {
		return nil
	}
	for _, u := range t.told.UsedBy {
		if u.Reload == nil {
			continue
		}
		for _, p := range c.Paths {
			version, written := e.To[p.String()]
			if ok, _ := config.Matches(u.Path, p.Mount+"/"+p.Path); !ok || e.Event != ledger.EventOpen && !written {
				continue
			}
			out = append(out, t.newValue(c, e, u, p, version)...)
		}
	}
	return out
}

func (t *teller) newValue(c *ledger.CredentialState, e ledger.Entry, u settings.UsedBy, p credential.Path, version int) []Notice {
	key := fmt.Sprintf("reload/%s/%d/%s/%s", c.ID, c.Attempt, p, u.Path)
	if t.reloaded[key] {
		return nil
	}
	t.reloaded[key] = true
	n := t.notice(settings.Reload, e.At, key)
	n.only = u.Reload.Name
	n.Reload = &NewValue{Path: p.Mount + "/" + p.Path, Field: p.Field, Version: version, Account: c.Name, Consumers: u.Consumers}
	n.Text = fmt.Sprintf("%s has a new value: reload %s", n.Reload.Path, strings.Join(u.Consumers, ", "))
	return []Notice{n}
}

// activated reports whether an entry shows that the new value is where
// consumers read it: of some kinds what is retired is retired before that.
func activated(e ledger.Entry) bool {
	switch e.Event {
	case ledger.Activated, ledger.EventOutcome:
		return true
	case ledger.EventOpen:
		return e.Step == protocol.Prove || e.Step == protocol.Outcome
	}
	return false
}
