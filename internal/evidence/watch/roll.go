package watch

import (
	"context"
	"errors"
	"time"

	"rollcall/internal/evidence/judge"
	"rollcall/internal/plural"
)

// rollEvery is how long a ledger rests between two looks at it.
const rollEvery = 3 * time.Second

// NotVerified is what is wrong with a roll that can be read and not be
// believed. It is given beside the roll, and ends no watch.
type NotVerified struct{ Why string }

// Error says it, for people.
func (n *NotVerified) Error() string { return n.Why }

// rolled is what one look at the campaign's ledger gave.
type rolled struct {
	all     []judge.Credential
	changed bool
	err     error
}

// lookAtRoll looks at the ledger again and again, in a goroutine of its own:
// who has it may not answer for minutes, and logs are read meanwhile.
func (w *watcher) lookAtRoll(ctx context.Context) {
	w.rolls = make(chan rolled)
	go func() {
		for {
			var got rolled
			got.all, got.changed, got.err = w.o.Roll(ctx)
			select {
			case w.rolls <- got:
			case <-ctx.Done():
				return
			}
			select {
			case <-time.After(rollEvery):
			case <-ctx.Done():
				return
			}
		}
	}()
}

// readRoll takes up what the campaign did since, where that is known.
func (w *watcher) readRoll(ctx context.Context) {
	select {
	case got := <-w.rolls:
		if ctx.Err() == nil {
			w.takeRoll(got)
		}
	default:
	}
}

func (w *watcher) takeRoll(got rolled) {
	var doubt *NotVerified
	if got.err != nil && !errors.As(got.err, &doubt) {
		w.has(RollUnread, "", "the campaign's ledger cannot be read, so what died since is not known: %v", got.err)
		return
	}
	if got.changed {
		w.live.Roll(got.all)
		w.unnamed = unnamed(got.all)
	}
	if w.unnamed > 0 {
		w.has(NotNamed, "", "the campaign's ledger does not say of %s with what name they log in, for an older version wrote it: their logins are not seen where a log has no DN (Windows, Samba, mail, Vault's ldap mounts). A campaign of this version has the names", plural.Count(w.unnamed, "credential", "credentials"))
	} else {
		w.over(NotNamed, "", "the campaign's ledger says with what names its credentials log in")
	}
	w.over(RollUnread, "", "the campaign's ledger is read again")
	if doubt != nil {
		w.has(RollDoubted, "", "the campaign's ledger is not to be believed as it lies: %s", doubt.Why)
		return
	}
	w.over(RollDoubted, "", "the campaign's ledger verifies again")
}

// unnamed counts credentials of which the ledger does not say what logs call
// them.
func unnamed(all []judge.Credential) (n int) {
	for _, c := range all {
		if c.Unnamed {
			n++
		}
	}
	return n
}
