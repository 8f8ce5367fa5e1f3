package ledger

import (
	"context"
	"errors"
	"time"

	"rollcall/internal/protocol"
)

// Early is a campaign that ended before it announced that anything would be
// set.
type Early struct {
	Campaign string
	At       time.Time
	Why      string // for people
}

// EndedEarly reads the ledger in a folder until it shows that something was
// about to be set. It is nil then, for a campaign that has not ended, and for
// one that came to its end with nothing to set.
func EndedEarly(ctx context.Context, folder string) (*Early, error) {
	r, err := OpenReader(folder)
	if err != nil {
		return nil, err
	}
	errWorked := errors.New("it did work")
	// Of most that shows near the end, behind a long roll.
	if cp, err := r.Checkpoint(); err == nil {
		err = r.Entries(ctx, cp.Size-min(cp.Size, 2*tileWidth), func(_ uint64, x Entry) error {
			if x.Event == EventIntent || x.Event == EventOutcome {
				return errWorked
			}
			return nil
		})
		if errors.Is(err, errWorked) {
			return nil, nil
		}
	}
	e := Early{Campaign: r.Campaign()}
	listed, closed := false, false
	err = r.Entries(ctx, 0, func(_ uint64, x Entry) error {
		switch x.Event {
		case EventIntent, EventOutcome:
			return errWorked
		case RollClosed:
			listed = true
		case CampaignAborted:
			e.Why = "aborted"
			if x.Actor != "" {
				e.Why += " by " + x.Actor
			}
		case Exception:
			if x.Reason == protocol.ReasonSuperseded && e.Why == "" {
				e.Why = "a later campaign took over"
			}
		case CampaignClosed:
			closed, e.At = true, x.At
			if x.Detail != "" && e.Why == "" {
				e.Why = x.Detail
			}
		}
		return nil
	})
	switch {
	case errors.Is(err, errWorked):
		return nil, nil
	case err != nil:
		return nil, err
	case !closed, listed && e.Why == "":
		return nil, nil
	}
	if e.Why == "" {
		e.Why = "it had no roll"
	}
	return &e, nil
}
