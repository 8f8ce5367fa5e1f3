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
