package workflows

import (
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

// What people have said is done is proved at its doors, where it has some. A
// door that takes the stolen value, or says nothing, is asked again with
// back-off, for as long as the campaign waits for people.

const (
	// doorsMin and doorsMax are the waits between two looks at a door, of
	// campaigns that do not say theirs.
	doorsMin = 30 * time.Second
	doorsMax = 10 * time.Minute
	// mostRefused is how often in a row a door may refuse the new value before
	// it is asked once in lookEvery and no more, whoever looks: the person has
	// not set it, or set another one, and each try is a wrong login of an
	// account.
	mostRefused = 2
	// answerAfter is how long whoever says something waits for doors at most.
	answerAfter = 20 * time.Second
)

// saidDone notes of which tasks each end is said to be done.
func (t *tasks) saidDone(done credential.Refs) {
	for i := range t.state.Items {
		it := &t.state.Items[i]
		if it.Said = slices.Contains(done, it.Ref); !it.Said {
			it.Asks, it.Refused, it.Asked, it.AskAt, it.Until, it.Door = 0, 0, time.Time{}, time.Time{}, time.Time{}, ""
		}
	}
}

// withoutDoors has what doors keep open asked at once where one was left out
// since.
func (t *tasks) withoutDoors() {
	if t.state.Without == len(t.state.Control.Doors) {
		return
	}
	t.state.Without = len(t.state.Control.Doors)
	for i := range t.state.Items {
		if it := &t.state.Items[i]; it.Said {
			it.AskAt, it.Until, it.Why = time.Time{}, time.Time{}, ""
		}
	}
}

// saidNow counts those whose doors were not asked yet.
func (t *tasks) saidNow() (n int) {
	for _, it := range t.state.Items {
		if it.Said && it.Asks == 0 {
			n++
		}
	}
	return n
}

// answerIn answers a look after a while, however long doors take. The function
// that it gives ends that wait.
func (t *tasks) answerIn(ctx workflow.Context, asked int) (end func()) {
	waiting, cancel := workflow.WithCancel(ctx)
	workflow.Go(waiting, func(ctx workflow.Context) {
		if workflow.Sleep(ctx, answerAfter) == nil {
			t.looked = max(t.looked, asked)
		}
	})
	return cancel
}

func (t *tasks) retryMin() time.Duration {
	if t.state.RetryMin > 0 {
		return t.state.RetryMin
	}
	return doorsMin
}

func (t *tasks) retryMax() time.Duration {
	if t.state.RetryMax > 0 {
		return t.state.RetryMax
	}
	return doorsMax
}

// untilDoors is until a door is to be asked again.
func (t *tasks) untilDoors(ctx workflow.Context, most time.Duration) time.Duration {
	for _, it := range t.state.Items {
		if it.Said && !it.AskAt.IsZero() {
			most = min(most, max(it.AskAt.Sub(workflow.Now(ctx)), time.Second))
		}
	}
	return most
}

// askDoors asks those that are due. wanted: somebody waits for it, so that they
// are asked before their time, but not more often than passes begin: each may
// cost a refused login.
func (t *tasks) askDoors(ctx workflow.Context, wanted bool) {
	now := workflow.Now(ctx)
	in := t.of(func(it taskItem) bool {
		due := !it.AskAt.After(now) || wanted && it.Refused < mostRefused && !now.Before(it.Asked.Add(t.retryMin()))
		return it.Said && due
	})
	if len(in.Refs) == 0 {
		return
	}
	for _, ref := range in.Refs {
		it := t.item(ref)
		it.Asks++
		it.Asked = now
		it.AskAt = now.Add(backoff(it.Asks, t.retryMin(), t.retryMax()))
	}
	t.state.Looks++
	in.Round = t.state.Looks
	var asked []wire.AskedTask
	if err := workflow.ExecuteActivity(once(ctx), wire.DoAskTaskDoors, in).Get(ctx, &asked); err != nil {
		workflow.GetLogger(ctx).Error("doors of tasks could not be asked", "error", err)
		if temporal.IsTimeoutError(err) { // its worker died, and a door may have refused the new value
			for _, ref := range in.Refs {
				t.item(ref).refused(now)
			}
		}
		return
	}
	for _, ref := range in.Refs {
		if !slices.ContainsFunc(asked, func(a wire.AskedTask) bool { return a.Ref == ref }) {
			it := t.item(ref) // there was no time for it
			it.Asks, it.Asked, it.AskAt = it.Asks-1, time.Time{}, now
		}
	}
	t.state.Round++
	out := wire.AskedTasks{Tasks: in, Round: t.state.Round}
	out.Tasks.Refs = nil
	for _, a := range asked {
		if it := t.item(a.Ref); it.heard(ctx, &a, now) {
			out.Tasks.Refs, out.Items = append(out.Tasks.Refs, a.Ref), append(out.Items, a)
		}
	}
	if len(out.Items) == 0 {
		return
	}
	var dead credential.Refs
	if err := workflow.ExecuteActivity(toTheEnd(ctx), wire.DoRecordTaskDoors, out).Get(ctx, &dead); err != nil {
		workflow.GetLogger(ctx).Error("the ledger was not told of the doors of tasks", "error", err)
		return
	}
	for _, a := range out.Items {
		if it := t.item(a.Ref); a.Stop != nil {
			it.Reason, it.Why, it.Door = a.Stop.Reason, a.Stop.Detail, a.Stop.Server
			continue
		} else if !slices.Contains(dead, a.Ref) {
			it.Said = false // by now it is to be done anew
			continue
		}
		t.state.Items = slices.DeleteFunc(t.state.Items, func(it taskItem) bool { return it.Ref == a.Ref })
		t.state.Unclean = append(t.state.Unclean, a.Ref)
		t.state.Dead++
	}
}

// heard takes what the doors of a task showed, and says when they are asked
// again. news: it is to be recorded.
func (it *taskItem) heard(ctx workflow.Context, a *wire.AskedTask, now time.Time) (news bool) {
	waits := false
	switch {
	case a.Stop != nil && a.Stop.Reason == protocol.ReasonDoorRefusesNew:
		it.refused(now)
		if a.Spent {
			it.Refused, it.AskAt = max(it.Refused, mostRefused), now.Add(lookEvery)
		}
		if it.Refused >= mostRefused {
			a.Stop.Until = time.Time{} // it is asked once an hour, whatever it keeps
		} else if a.Stop.Until.After(now) {
			it.AskAt = a.Stop.Until.Add(time.Second)
		}
	case a.Stop != nil && a.Stop.Reason == protocol.ReasonNearLock:
		it.Refused, it.AskAt = mostRefused, now.Add(lookEvery)
	default:
		it.Refused = 0
		if a.Stop != nil && a.Spent && workflow.GetVersion(ctx, "spent-waits", workflow.DefaultVersion, 1) > workflow.DefaultVersion {
			waits = true // whatever its first door showed, the account had its wrong logins
			it.Refused, it.AskAt = mostRefused, now.Add(lookEvery)
		}
	}
	if a.Stop == nil {
		return true
	}
	same := a.Stop.Reason == it.Reason && it.ofDoor(ctx, a.Stop.Server)
	later := false
	if !a.Stop.Until.IsZero() {
		if own := a.Stop.Until; same && !it.Until.IsZero() {
			a.Stop.Until = it.Until // a cache grows no older by being asked
			if waits {
				own = it.AskAt.UTC().Truncate(time.Second)
			}
			// What is waited for for the account's sake, each look has its own
			// of.
			if (waits || a.Stop.Reason == protocol.ReasonNearLock) && own.After(it.Until) &&
				workflow.GetVersion(ctx, "until-told", workflow.DefaultVersion, 1) > workflow.DefaultVersion {
				a.Stop.Until, later = own, true
			}
		}
		if it.Until = a.Stop.Until; it.Until.After(now) && !waits {
			it.AskAt = earlier(it.AskAt, it.Until.Add(time.Second))
		}
	}
	return !same || later || a.Stop.Detail != it.Why
}

// ofDoor reports whether what is known of a task is of that door. Another one
// has a cache of its own, with a time of its own.
func (it *taskItem) ofDoor(ctx workflow.Context, door string) bool {
	return it.Door == "" || it.Door == door || workflow.GetVersion(ctx, "doors-apart", workflow.DefaultVersion, 1) == workflow.DefaultVersion
}

// refused counts a door's refusal of the new value.
func (it *taskItem) refused(now time.Time) {
	if it.Refused++; it.Refused >= mostRefused {
		it.AskAt = now.Add(lookEvery)
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
