package activities

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/notify"
	"rollcall/internal/record"
)

// Notify has a notifier tell what l writes, and l record whom it cannot reach.
// It is no method, because every exported method of an activity struct is an
// activity.
func Notify(l *Ledger, n *notify.Notifier) {
	l.notifier = n
	n.Failed = l.notTold
}

// notTold records that a receiver was not told, once for each, while the ledger
// is open here. It opens none, and comes after no last entry.
func (l *Ledger) notTold(ctx context.Context, campaign, target, said string) {
	l.ending.Lock()
	defer l.ending.Unlock()
	l.mu.Lock()
	_, open := l.logs[campaign]
	l.mu.Unlock()
	if !open || l.ended[campaign] {
		return
	}
	found := record.Findings(campaign, "", []credential.Finding{{Code: credential.FindingNotifyFailed, Detail: said}}, time.Now().UTC())
	found[0].ID = ledger.EntryID(campaign, "", string(credential.FindingNotifyFailed)+"."+target, ledger.EventFinding)
	_ = l.append(ctx, campaign, found) // the notifier has logged it
}

// lastWord keeps everything else out of a ledger that is about to be closed.
func (l *Ledger) lastWord(campaign string) {
	l.ending.Lock()
	defer l.ending.Unlock()
	if l.ended == nil {
		l.ended = map[string]bool{}
	}
	l.ended[campaign] = true
}

// plainly is an error without Temporal's wording.
func plainly(err error) error {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return errors.New(app.Message())
	}
	return err
}
