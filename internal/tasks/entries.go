package tasks

import (
	"context"
	"fmt"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// Opened are the entries on which tasks were opened, and why others were not.
// state gives the fold of the campaign's ledger.
func Opened(ctx context.Context, store *ownmount.Store, in wire.TasksInput, cs []credential.Credential, state func() (*ledger.State, error)) (entries []ledger.Entry, err error) {
	now := time.Now().UTC()
	for i, it := range in.Items {
		c := cs[i]
		for _, f := range it.Findings {
			e := ledger.About(in.Tasks.Campaign, c, ledger.EventFinding, string(f.Code), now)
			e.Finding, e.Detail = f.Code, f.Detail
			entries = append(entries, e)
		}
		if it.Again > 0 {
			have, err := state()
			if err != nil {
				return nil, err
			}
			again, err := handedAgain(ctx, store, have, in.Tasks.Campaign, c, it.Again, now)
			if err != nil {
				return nil, err
			}
			entries = append(entries, again...)
			continue
		}
		if it.Stop != nil {
			e := ledger.About(in.Tasks.Campaign, c, ledger.EventOpen, fmt.Sprint(in.Round), now)
			e.Step, e.Reason, e.Detail = protocol.Precheck, it.Stop.Reason, it.Stop.Detail
			entries = append(entries, e)
			continue
		}
		at, seats, found, err := store.TaskOpened(ctx, in.Tasks.Campaign, c.ID)
		if err == nil && (!found || len(seats) != len(c.Task.Ends)) {
			err = fmt.Errorf("campaign %s: nothing in Vault says who sees to task %d", in.Tasks.Campaign, i)
		}
		if err != nil {
			return nil, err
		}
		e := ledger.About(in.Tasks.Campaign, c, ledger.TaskOpened, "", now)
		e.Task = &ledger.TaskOpening{Do: c.Task.Do, Due: c.Task.Due, Make: c.Task.Make, At: at}
		for j, end := range c.Task.Ends {
			e.Task.Ends = append(e.Task.Ends, ledger.TaskSeat{End: end.Name, Owner: end.Owner, Entity: seats[j]})
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// handedAgain is the entry that another value was handed over, if the ledger
// does not have it.
func handedAgain(ctx context.Context, store *ownmount.Store, state *ledger.State, campaign string, c credential.Credential, n int, now time.Time) ([]ledger.Entry, error) {
	line := state.Credential(c.ID)
	if line == nil || line.Task == nil || !line.Task.Renewing {
		return nil, nil
	}
	at, found, err := store.HandedAgainAt(ctx, campaign, c.ID, n)
	if err == nil && !found {
		err = fmt.Errorf("campaign %s: nothing in Vault says when another value of a %s was handed over", campaign, c.Kind)
	}
	if err != nil {
		return nil, err
	}
	e := ledger.About(campaign, c, ledger.TaskHandedOver, fmt.Sprint(n), now)
	e.Task = &ledger.TaskOpening{Do: c.Task.Do, Due: c.Task.Due, Make: c.Task.Make, At: at}
	for _, end := range line.Task.Ends {
		e.Task.Ends = append(e.Task.Ends, end.TaskSeat)
	}
	return []ledger.Entry{e}, nil
}

// Reminders are the entries that tasks are due soon, or that their time is
// over.
func Reminders(in wire.RemindInput, cs []credential.Credential, now time.Time) (entries []ledger.Entry) {
	for _, c := range cs {
		event, detail := ledger.TaskReminded, "due "+c.Task.Due.UTC().Format(time.RFC3339)
		switch {
		case in.Overdue:
			event, detail = ledger.TaskOverdue, "was due "+c.Task.Due.UTC().Format(time.RFC3339)+"; it stays open until it is done"
		case now.After(c.Task.Due):
			detail = "overdue since " + c.Task.Due.UTC().Format(time.RFC3339)
		}
		e := ledger.About(in.Tasks.Campaign, c, event, fmt.Sprint(in.Round), now)
		e.Detail = detail
		entries = append(entries, e)
	}
	return entries
}

// Left are the entries on which tasks stay open because the campaign ends.
func Left(in wire.LeaveInput, cs []credential.Credential, state *ledger.State, now time.Time) (entries []ledger.Entry) {
	for _, c := range cs {
		e := ledger.About(in.Tasks.Campaign, c, ledger.Exception, "", now)
		e.Step, e.Reason, e.Detail = protocol.Precheck, protocol.ReasonByHand, in.Why
		if line := state.Credential(c.ID); line != nil && line.Reason != "" && (line.Task == nil || line.Task.Left() == 0) {
			e.Reason, e.Server = line.Reason, line.Server
		}
		entries = append(entries, e)
	}
	return entries
}
