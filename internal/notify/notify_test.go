package notify

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/notify/settings"
	"rollcall/internal/protocol"
)

func TestACampaignIsToldFromItsStartToItsEnd(t *testing.T) {
	w := newWorld(t)
	n := w.notifier()
	w.begins()
	n.Grew(campaign, nil)
	require.Equal(t, campaign+"/start", w.hook.next(t).ID)
	w.add(of("a", ledger.EventIntent))
	n.Grew(campaign, nil)
	began := w.hook.next(t)
	require.Equal(t, &WaveNews{Number: 0, Name: "careful"}, began.Wave)
	w.add(found("a", credential.FindingStalePath), found("a", credential.FindingChangedBefore), dead("a"))
	n.Grew(campaign, nil)
	ended := w.hook.next(t)
	require.Equal(t, &WaveNews{Number: 0, Name: "careful", Ended: true}, ended.Wave)
	require.Equal(t, &Counts{Listed: 1, Dead: 1}, ended.Counts)
	both := w.hook.next(t)
	require.Equal(t, settings.Finding, both.Event)
	require.Len(t, both.Findings, 2)
	require.Equal(t, credential.FindingChangedBefore, both.Findings[0].Code, "what most likely shows an attacker comes first")
	require.Equal(t, "uid=a", both.Findings[0].Credential)
	open := openAt("b", protocol.Prove, protocol.ReasonUnreachable, "ldaps://two")
	open.Event = ledger.Exception
	w.add(openAt("b", protocol.Prove, protocol.ReasonUnreachable, "ldaps://two"), open, dead("c"), ledger.Entry{Event: ledger.CampaignClosed, Counts: &ledger.Counts{Listed: 3, Dead: 2, Open: 1}})
	require.Zero(t, stop(t, n))
	w.hook.mu.Lock()
	end := w.hook.got[len(w.hook.got)-1]
	w.hook.mu.Unlock()
	require.Equal(t, settings.End, end.Event)
	require.Equal(t, &Counts{Listed: 3, Dead: 2, Open: 1}, end.Counts)
	require.Equal(t, []Standing{{Reason: protocol.ReasonUnreachable, What: "A server does not answer", Server: "ldaps://two", Number: 1, Names: []string{"uid=b"}}}, end.Open)
	require.Equal(t, []string{"start", "wave/0/began", "wave/0/ended", "finding/6-7", "wave/1/began", "wave/1/ended", "end"}, w.hook.ids())
	left, err := filepath.Glob(filepath.Join(w.dir, folder, "*"))
	require.NoError(t, err)
	require.Empty(t, left, "what is told is not kept")
	text := strings.Join(texts(w.hook), "\n")
	require.NotContains(t, text, key)
}

func texts(r *receiver) (out []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range r.bodies {
		out = append(out, string(b))
	}
	return out
}

// A process may die after a receiver has heard of something and before that is
// kept: it is told again, by the same id, and nothing is left out.
func TestWhereverAProcessDiesEachEventIsToldUnderItsOneID(t *testing.T) {
	want := []string{"start", "wave/0/began", "wave/0/ended", "finding/7-7", "wave/1/began", "wave/1/ended", "end"}
	for dies := range want {
		t.Run(want[dies], func(t *testing.T) {
			w := newWorld(t)
			var n *Notifier
			var once sync.Once
			w.hook.answers(func(got Notice) int {
				if got.ID == campaign+"/"+want[dies] {
					code := http.StatusNoContent
					once.Do(func() { n.cancel(); code = 0 }) // it never learns that it was heard
					return code
				}
				return http.StatusNoContent
			})
			w.begins()
			w.add(of("a", ledger.EventIntent), dead("a"), found("a", credential.FindingStalePath),
				of("b", ledger.EventIntent), dead("b"), dead("c"), ledger.Entry{Event: ledger.CampaignClosed})
			n = w.prepared()
			n.Begin(campaign, w.json(), nil)
			n.watching.Wait() // until it dies
			crash(n)
			again := w.notifier()
			require.Zero(t, stop(t, again))
			require.ElementsMatch(t, want, w.hook.ids())
			times := map[string]int{}
			w.hook.mu.Lock()
			for _, got := range w.hook.got {
				times[strings.TrimPrefix(got.ID, campaign+"/")]++
			}
			w.hook.mu.Unlock()
			require.Equal(t, 2, times[want[dies]], "%v", times)
			for _, other := range want {
				require.LessOrEqual(t, times[other], 2)
			}
		})
	}
}

func TestAReceiverThatFailsHoldsUpNobodyIsTriedAgainAndIsSaid(t *testing.T) {
	w := newWorld(t)
	other := newReceiver(t)
	also := other.target()
	also.Name = "other"
	w.told.Notify.Targets = append(w.told.Notify.Targets, also)
	w.hook.answers(func(Notice) int { return http.StatusInternalServerError })
	said := make(chan string, 10)
	n := w.prepared()
	n.Failed = func(_ ctx, c, target, what string) { said <- target + ": " + what }
	n.Begin(campaign, w.json(), nil)
	w.begins()
	w.add(ledger.Entry{Event: ledger.CampaignClosed})
	n.Grew(campaign, nil)
	require.Equal(t, "hook: hook answered 500, 3 times", <-said)
	require.Equal(t, settings.Start, other.next(t).Event)
	require.Equal(t, settings.End, other.next(t).Event)
	require.Equal(t, 2, stop(t, n), "two notices are left")
	require.Empty(t, said, "it is said once")

	w.hook.answers(nil)
	again := w.prepared()
	require.Zero(t, stop(t, again), "the next process tells what is left")
	require.Equal(t, []string{"start", "end"}, w.hook.ids())
	require.Equal(t, []string{"start", "end"}, other.ids())
	require.Len(t, texts(other), 2, "who was told is not told again")
}

func TestWhileTheDiskIsFullPeopleAreToldAllTheSame(t *testing.T) {
	w := newWorld(t)
	n := w.notifier()
	require.NoError(t, os.RemoveAll(filepath.Join(w.dir, folder)))
	require.NoError(t, os.WriteFile(filepath.Join(w.dir, folder), nil, 0o600)) // nothing can be kept there
	w.begins()
	n.Grew(campaign, nil)
	require.Equal(t, settings.Start, w.hook.next(t).Event)
	stop(t, n)
}

func TestOneProcessTellsACampaignAndTheNextGoesOn(t *testing.T) {
	w := newWorld(t)
	n := w.notifier()
	twin := w.notifier()
	w.begins()
	n.Grew(campaign, nil)
	twin.Grew(campaign, nil)
	require.Equal(t, settings.Start, w.hook.next(t).Event)
	require.Zero(t, stop(t, n))
	twin.adopt()
	w.add(ledger.Entry{Event: ledger.CampaignClosed})
	require.Zero(t, stop(t, twin))
	require.Equal(t, []string{"start", "end"}, w.hook.ids())
	require.Len(t, texts(w.hook), 2)
}

func TestNothingGoesToAnAddressOfTheDevice(t *testing.T) {
	w := newWorld(t)
	n := w.prepared()
	n.Begin(campaign, w.json(), []string{"127.0.0.1"})
	w.begins()
	require.Equal(t, 1, stop(t, n))
	require.Empty(t, texts(w.hook))
}

func TestAStallIsToldOnceWithWhatItWaitsFor(t *testing.T) {
	told := newTeller(settings.Told{}, campaign)
	i := uint64(0)
	add := func(entries ...ledger.Entry) {
		for _, e := range entries {
			e.Campaign, e.ID = campaign, ledger.EntryID(campaign, e.Credential, string(rune('a'+i)), e.Event)
			told.add(i, e)
			i++
		}
	}
	add(ledger.Entry{Event: ledger.CampaignStarted, Device: "esg-01"}, listed("a", 0), listed("b", 0))
	require.Nil(t, told.stall(i, time.Time{}, time.Now(), ""), "the roll is not closed")
	add(ledger.Entry{Event: ledger.RollClosed}, openAt("a", protocol.Prove, protocol.ReasonUnreachable, "ldaps://two"))
	now := time.Now()
	got := told.stall(i, now.Add(-time.Minute), now, "")
	require.Equal(t, "esg-01: nothing was recorded for 1m0s, and 2 of 2 are open: 1: A server does not answer (ldaps://two)", got.Text)
	require.Contains(t, told.stall(i, now, now, "no room").Text, "the ledger could not be written: no room")
	add(ledger.Entry{Event: ledger.CampaignPaused})
	require.Nil(t, told.stall(i, now, now, ""), "a person has paused it")
	add(ledger.Entry{Event: ledger.CampaignResumed}, dead("a"), openAt("b", protocol.Precheck, protocol.ReasonByHand, ""))
	task := of("b", ledger.TaskOpened)
	task.Task = &ledger.TaskOpening{}
	add(task)
	require.Nil(t, told.stall(i, now, now, ""), "only people are waited for")
}

// noted has a teller read entries, and gives the number of the next one.
func noted(told *teller, entries ...ledger.Entry) uint64 {
	for i, e := range entries {
		e.Campaign, e.At = campaign, time.Date(2026, 11, 29, 12, 0, i, 0, time.UTC)
		e.ID = ledger.EntryID(campaign, e.Credential, string(rune('a'+i)), e.Event)
		told.add(uint64(i), e)
	}
	return uint64(len(entries))
}

func task(id string) ledger.Entry {
	e := of(id, ledger.TaskOpened)
	e.Task = &ledger.TaskOpening{}
	return e
}

func exception(id string, r protocol.Reason) ledger.Entry {
	e := openAt(id, protocol.Precheck, r, "")
	e.Event = ledger.Exception
	return e
}

func TestACampaignThatStaysForPeopleIsToldOnceForEachCause(t *testing.T) {
	begun := []ledger.Entry{{Event: ledger.CampaignStarted, Device: "esg-01"}, listed("a", 0), listed("b", 0), listed("c", 0), {Event: ledger.RollClosed}, task("c")}
	stays := settings.Told{Wait: 4 * time.Hour}
	now := time.Now()
	told := newTeller(stays, campaign)
	i := noted(told, append(begun, dead("a"))...)
	n, _ := told.wait(i, now, nil)
	require.Nil(t, n, "something is in work")

	told = newTeller(stays, campaign)
	i = noted(told, append(begun, dead("a"), exception("b", protocol.ReasonNoAccount))...)
	n, causes := told.wait(i, now, nil)
	require.Equal(t, settings.Wait, n.Event)
	require.Equal(t, &Counts{Listed: 3, Dead: 1, Open: 2}, n.Counts)
	require.Len(t, n.Open, 2)
	require.Contains(t, n.Text, "1 open is tried no more before a person has put it right")
	require.Contains(t, n.Text, "rollcall relist")
	require.Contains(t, n.Text, "for 4h0m0s")
	require.Contains(t, n.Text, "1 task of people is not done")
	n, _ = told.wait(i, now, causes)
	require.Nil(t, n, "once")

	told = newTeller(settings.Told{}, campaign)
	i = noted(told, append(begun, dead("a"), exception("b", protocol.ReasonNoAccount))...)
	n, causes = told.wait(i, now, nil)
	require.NotContains(t, n.Text, "for 4h0m0s", "it waits for people's tasks alone, as long as they take")
	require.Contains(t, n.Text, "rollcall relist")
	again := append(begun, dead("a"), exception("b", protocol.ReasonNoAccount), openAt("c", protocol.Precheck, protocol.ReasonByHand, ""))
	told = newTeller(settings.Told{}, campaign)
	n, _ = told.wait(noted(told, again...), now, causes)
	require.Nil(t, n, "the same people are waited for")

	told = newTeller(settings.Told{}, campaign)
	i = noted(told, begun[0], listed("a", 0), listed("b", 0), begun[4], dead("a"), exception("b", protocol.ReasonNoAccount))
	n, _ = told.wait(i, now, nil)
	require.Nil(t, n, "without open.wait it ends at once")

	told = newTeller(stays, campaign)
	i = noted(told, begun[0], listed("a", 0), listed("b", 0), begun[4], dead("a"), exception("b", protocol.ReasonUnreachable))
	n, _ = told.wait(i, now, nil)
	require.Nil(t, n, "it does not stay for what no person can put right")
}

func TestAPauseThatLastsIsToldOnceForEachPause(t *testing.T) {
	told := newTeller(settings.Told{}, campaign)
	paused := ledger.Entry{Event: ledger.CampaignPaused, Actor: "jo@vm"}
	i := noted(told, ledger.Entry{Event: ledger.CampaignStarted, Device: "esg-01"}, listed("a", 0), ledger.Entry{Event: ledger.RollClosed}, paused)
	n, causes := told.wait(i, time.Now(), nil)
	require.Contains(t, n.Text, "paused since 2026-11-29 12:00:03Z by jo@vm")
	require.Contains(t, n.Text, "rollcall resume")
	n, _ = told.wait(i, time.Now(), causes)
	require.Nil(t, n)
	held := paused
	held.Actor, held.Detail, held.At, held.Campaign = "", "what was to be tried first was tried; the others wait", time.Now(), campaign
	told.add(i, ledger.Entry{Event: ledger.CampaignResumed, At: time.Now(), Campaign: campaign, ID: "x"})
	n, _ = told.wait(i+1, time.Now(), causes)
	require.Nil(t, n)
	held.ID = "y"
	told.add(i+1, held)
	n, _ = told.wait(i+2, time.Now(), causes)
	require.Contains(t, n.Text, "what was to be tried first was tried")
}

// A process that ends because people alone are left tells that before it goes.
func TestWhoeverLeavesACampaignToPeopleTellsThemAndTheNextProcessDoesNot(t *testing.T) {
	w := newWorld(t)
	n := w.notifier()
	w.begins()
	w.add(dead("a"), dead("b"), task("c"))
	n.Grew(campaign, nil)
	require.Zero(t, stop(t, n))
	said := w.hook.ids()
	require.True(t, strings.HasPrefix(said[len(said)-1], "wait/"), "%v", said)
	again := w.notifier()
	require.Zero(t, stop(t, again))
	require.Equal(t, said, w.hook.ids())
}

func TestAWaitIsToldOnceNothingWasRecordedForAWhile(t *testing.T) {
	w := newWorld(t)
	n := w.prepared()
	var mu sync.Mutex
	now := time.Now()
	n.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	n.Begin(campaign, w.json(), nil)
	w.begins()
	w.add(dead("a"), dead("b"), task("c"))
	n.Grew(campaign, nil)
	require.Eventually(t, func() bool { n.Grew(campaign, nil); return len(w.hook.ids()) >= 4 }, 2*time.Minute, 10*time.Millisecond)
	require.NotContains(t, strings.Join(w.hook.ids(), " "), "wait/", "the campaign may be about to end")
	mu.Lock()
	now = now.Add(settled)
	mu.Unlock()
	require.Eventually(t, func() bool {
		n.Grew(campaign, nil)
		return strings.Contains(strings.Join(w.hook.ids(), " "), "wait/")
	}, 2*time.Minute, 10*time.Millisecond)
	require.Zero(t, stop(t, n))
}

func TestAStalledLedgerIsNoticedByTheClock(t *testing.T) {
	w := newWorld(t)
	w.told.Notify.Stall = time.Minute
	n := w.prepared()
	var mu sync.Mutex
	now := time.Now()
	n.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	n.Begin(campaign, w.json(), nil)
	w.begins()
	n.Grew(campaign, nil)
	require.Equal(t, settings.Start, w.hook.next(t).Event)
	n.Grew(campaign, os.ErrPermission) // it looks by itself too, from time to time
	mu.Lock()
	now = now.Add(2 * time.Minute)
	mu.Unlock()
	n.Grew(campaign, os.ErrPermission)
	got := w.hook.next(t)
	require.Equal(t, settings.Stall, got.Event)
	require.Contains(t, got.Text, "the ledger could not be written: permission denied")
	n.Grew(campaign, nil)
	stop(t, n)
	require.Len(t, texts(w.hook), 2, "once")
}

// A pass that comes to nothing is recorded, and is no news to whoever was told.
func TestAStallIsToldAgainOnlyWhereSomethingElseKeepsItUp(t *testing.T) {
	w := newWorld(t)
	w.told.Notify.Stall, w.told.Notify.Targets[0].Events = time.Minute, []settings.Event{settings.Stall}
	n := w.prepared()
	var mu sync.Mutex
	now := time.Now()
	n.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	n.Begin(campaign, w.json(), nil)
	w.begins()
	at := func(step protocol.Step, server string) (all []ledger.Entry) {
		for _, id := range []string{"a", "b", "c"} {
			all = append(all, openAt(id, step, protocol.ReasonUnreachable, server))
		}
		return all
	}
	stalls := func(entries ...ledger.Entry) {
		w.add(entries...)
		has := func(so func(*outbox) bool) {
			n.Grew(campaign, nil)
			require.Eventually(t, func() bool {
				watcher := n.watchers[campaign]
				watcher.mu.Lock()
				defer watcher.mu.Unlock()
				return so(watcher.box)
			}, time.Minute, time.Millisecond)
		}
		has(func(b *outbox) bool { return b.Next == uint64(w.n) })
		mu.Lock()
		now = now.Add(2 * time.Minute)
		mu.Unlock()
		has(func(b *outbox) bool { return b.Stalled == uint64(w.n) })
	}
	stalls(at(protocol.Prove, "ldaps://two")...)
	require.Contains(t, w.hook.next(t).Text, "3 of 3 are open: 3: A server does not answer (ldaps://two)")
	for _, step := range []protocol.Step{protocol.Verify, protocol.Prove} {
		stalls(at(step, "ldaps://two")...)
	}
	stalls(at(protocol.Prove, "ldaps://three")...)
	require.Contains(t, w.hook.next(t).Text, "ldaps://three", "that is another one")
	stalls(dead("b"))
	require.Contains(t, w.hook.next(t).Text, "2 of 3 are open", "it went on, and stands again")
	stop(t, n)
	require.Len(t, texts(w.hook), 3)
}

func TestEachActivationOfAPathIsToldToItsConsumersOnce(t *testing.T) {
	w := newWorld(t)
	reloads := newReceiver(t)
	to := reloads.target()
	to.Name, to.Events = "reload of kv/apps/[ab]", []settings.Event{settings.Reload}
	w.told.UsedBy = []settings.UsedBy{
		{Path: "kv/apps/[ab]", Consumers: []string{"postfix on mx1"}, Reload: &to},
		{Path: "kv/apps/c", Consumers: []string{"a person"}},
	}
	n := w.notifier()
	w.begins()
	intent := of("a", ledger.EventIntent)
	intent.Attempt = 1
	w.add(intent, openAt("a", protocol.Set, protocol.ReasonRights, ""))
	n.Grew(campaign, nil)

	// Its batch is worked on for long, the old value is not proved dead for
	// hours, and consumers know.
	w.add(activatedAt("a"))
	n.Grew(campaign, nil)
	got := reloads.next(t)
	require.Equal(t, &NewValue{Path: "kv/apps/a", Field: "password", Version: 2, Account: "uid=a", Consumers: []string{"postfix on mx1"}}, got.Reload)
	require.True(t, got.At.Equal(w.at.Add(time.Duration(w.n)*time.Millisecond)), "by the entry that shows it, and none before")
	w.add(openAt("a", protocol.Prove, protocol.ReasonLagging, "ldaps://two"))
	stale := of("b", ledger.EventOutcome)
	stale.Attempt, stale.To = 1, map[string]int{} // its path was left as it is
	w.add(dead("a"), stale, dead("c"))
	require.Zero(t, stop(t, n))
	require.Len(t, texts(reloads), 1)
	require.NotContains(t, strings.Join(w.hook.ids(), " "), "reload", "it is for whom the path names")

	// Another process, which goes through the ledger from its beginning, tells
	// it to nobody again.
	again := w.notifier()
	w.add(ledger.Entry{Event: ledger.CampaignClosed})
	require.Zero(t, stop(t, again))
	require.Len(t, texts(reloads), 1)
}

// A reload by a command is one of its own folder.
func TestACommandThatReloadsLiesInAFolderOfItsOwn(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	t.Setenv("ROLLCALL_RELOAD_DIR", dir)
	t.Setenv("ROLLCALL_NOTIFY_DIR", other)
	for _, d := range []string{dir, other} {
		require.NoError(t, os.Chmod(d, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(d, "program"), []byte("#!/bin/sh\nexit 0\n"), 0o755))
	}
	send := func(e settings.Event, folder string) (string, bool) {
		return post{Target: settings.Target{Name: "x", Command: []string{filepath.Join(folder, "program")}}, now: time.Now}.send(t.Context(), Notice{ID: "c/x", Event: e})
	}
	_, ok := send(settings.Reload, dir)
	require.True(t, ok)
	_, ok = send(settings.End, other)
	require.True(t, ok)
	said, ok := send(settings.Reload, other)
	require.False(t, ok)
	require.Contains(t, said, "was not run")
	_, ok = send(settings.End, dir)
	require.False(t, ok)
}
