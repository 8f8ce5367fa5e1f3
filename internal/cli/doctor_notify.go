package cli

import (
	"context"
	"strings"
	"sync"

	"rollcall/internal/notify"
	told "rollcall/internal/notify/settings"
)

// checkNotify looks whether whom the campaign file names is reached from here,
// and tells nobody anything. Commands lie on the machine of the ledger's
// worker.
func (s *session) checkNotify(ctx context.Context, as string) []doctorRow {
	type receiver struct {
		where  string
		target told.Target
		reload bool
	}
	var all []receiver
	for _, t := range s.cfg.Notify.Targets {
		all = append(all, receiver{"notify", t, false})
	}
	for _, u := range s.cfg.UsedBy {
		if u.Reload != nil {
			all = append(all, receiver{"used_by " + u.Path, *u.Reload, true})
		}
	}
	var never []string
	if s.cfg.Containment != nil {
		never = s.cfg.Containment.Addresses
	}
	elsewhere := s.engine != nil && !s.engine.Local && as != "ledger"
	rows := make([]doctorRow, len(all))
	var looking sync.WaitGroup
	for i, r := range all {
		looking.Go(func() {
			row := &rows[i]
			row.Where, row.What = r.where, r.target.Name
			if elsewhere {
				row.OK, row.NotChecked = true, true
				row.Detail = "the ledger's worker tells it, on another machine: there `rollcall doctor --as ledger` looks"
				return
			}
			said, err := notify.Reach(ctx, r.target, r.reload, never)
			if err != nil {
				row.Detail, row.Do = strings.ReplaceAll(err.Error(), "\n", "; "), "put it right, or nobody is told there: that a receiver fails stands in the ledger only after three tries"
				return
			}
			row.OK, row.Detail = true, said
		})
	}
	looking.Wait()
	return rows
}
