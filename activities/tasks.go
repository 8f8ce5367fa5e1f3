package activities

import (
	"context"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/tasks"
	"rollcall/internal/wire"
)

// OpenTasks prepares what people see to, and hands it over. Done twice it
// changes nothing.
func (r *Rotation) OpenTasks(ctx context.Context, in wire.Tasks) ([]wire.OpenedTask, error) {
	ctx, still := beat(ctx)
	defer still()
	cs, err := tasks.Of(ctx, r.Store, in)
	if err != nil {
		return nil, classify(errVault, err)
	}
	if stop := r.superseded(ctx, in.Campaign); stop != nil {
		return tasks.Stopped(in, cs, stop), nil
	}
	spec, err := r.spec(ctx, in.Campaign)
	if err != nil {
		return nil, err
	}
	h := tasks.Handing{Store: r.Store, Kinds: r.Kinds, Spec: spec, Ask: func(ctx context.Context, places, hand []credential.Credential) (tasks.Around, error) {
		within, err := r.reachOf(ctx, wire.Batch{Campaign: in.Campaign, Snapshot: in.Snapshot, Logins: in.Logins}, places, false)
		if err != nil {
			return tasks.Around{}, err
		}
		return tasks.Around{Reach: within, Living: r.logins.Living(ctx, in.Campaign, hand), Device: r.deviceAnswers(ctx, in.Campaign)}, nil
	}}
	out, err := h.Open(ctx, in, cs)
	return out, classify(errVault, err)
}

// CloseTasks takes back what was handed over, once the ledger has the outcome,
// and notes beside the roll what is done with.
func (r *Rotation) CloseTasks(ctx context.Context, in wire.Tasks) error {
	ctx, still := beat(ctx)
	defer still()
	cs, err := tasks.Of(ctx, r.Store, in)
	if err == nil {
		err = tasks.Close(ctx, r.Store, in, cs)
	}
	return classify(errVault, err)
}

// RecordTasks says which tasks were opened, and why others were not.
func (l *Ledger) RecordTasks(ctx context.Context, in wire.TasksInput) error {
	ctx, still := beat(ctx)
	defer still()
	cs, err := tasks.Of(ctx, l.Store, in.Tasks)
	if err != nil {
		return classify(errVault, err)
	}
	entries, err := tasks.Opened(ctx, l.Store, in, cs, func() (*ledger.State, error) { return l.stateNow(ctx, in.Tasks.Campaign) })
	if err != nil {
		return classify(errVault, err)
	}
	return l.append(ctx, in.Tasks.Campaign, entries)
}

// LookAtTasks reads what people have said, each where only he may write, finds
// out who he is, and records what counts. Who said what does not pass through
// Temporal, and this is the one process that may write the record of it.
func (l *Ledger) LookAtTasks(ctx context.Context, in wire.Tasks) (wire.TasksLook, error) {
	ctx, still := beat(ctx)
	defer still()
	l.looking.Lock() // a try that was given up may still be at it
	defer l.looking.Unlock()
	cs, err := tasks.Of(ctx, l.Store, in)
	if err != nil {
		return wire.TasksLook{}, classify(errVault, err)
	}
	said, err := l.Store.Statements(ctx, in.Campaign)
	if err != nil {
		return wire.TasksLook{}, classify(errVault, err)
	}
	state, err := l.stateNow(ctx, in.Campaign)
	if err != nil {
		return wire.TasksLook{}, err
	}
	weighed, err := tasks.Weigh(ctx, l.Store, in, cs, said, state)
	if err != nil {
		return wire.TasksLook{}, classify(errVault, err)
	}
	if err := l.append(ctx, in.Campaign, weighed.Entries); err != nil {
		return wire.TasksLook{}, err
	}
	if err := weighed.Note(ctx, l.Store); err != nil {
		return wire.TasksLook{}, classify(errVault, err)
	}
	return weighed.Look, nil
}

// RemindOfTasks says that tasks are due soon, or that their time is over.
func (l *Ledger) RemindOfTasks(ctx context.Context, in wire.RemindInput) error {
	ctx, still := beat(ctx)
	defer still()
	cs, err := tasks.Of(ctx, l.Store, in.Tasks)
	if err != nil {
		return classify(errVault, err)
	}
	return l.append(ctx, in.Tasks.Campaign, tasks.Reminders(in, cs, time.Now().UTC()))
}

// LeaveTasks says which tasks stay open because the campaign ends.
func (l *Ledger) LeaveTasks(ctx context.Context, in wire.LeaveInput) error {
	ctx, still := beat(ctx)
	defer still()
	cs, err := tasks.Of(ctx, l.Store, in.Tasks)
	if err != nil {
		return classify(errVault, err)
	}
	state, err := l.stateNow(ctx, in.Tasks.Campaign)
	if err != nil {
		return err
	}
	return l.append(ctx, in.Tasks.Campaign, tasks.Left(in, cs, state, time.Now().UTC()))
}
