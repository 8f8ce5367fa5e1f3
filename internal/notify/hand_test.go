package notify

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/evidence/judge"
	"rollcall/internal/notify/settings"
)

func open(t *testing.T, dir string, told settings.Told) *Hand {
	text, err := json.Marshal(told)
	require.NoError(t, err)
	h, err := Open(dir, campaign, "esg-01", text, kept{"kv/notify#hook": key}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return h
}

func stopHand(t *testing.T, h *Hand) int {
	left, err := h.Stop(t.Context())
	require.NoError(t, err)
	return left
}

func ofHook(hook *receiver) (told settings.Told) {
	told.Notify.Targets = []settings.Target{hook.target()}
	return told
}

func seenInLogs(id string) []Found {
	return []Found{{ID: id, Code: credential.FindingCode(judge.TriedAfter), What: "uid=svc was refused", Evidence: &judge.Finding{Code: judge.TriedAfter}}}
}

func TestWhatIsHandedOverIsToldSignedAndOnce(t *testing.T) {
	hook, dir := newReceiver(t), t.TempDir()
	h := open(t, dir, ofHook(hook))
	h.Evidence("a", time.Now(), seenInLogs("1"), 3)
	n := hook.next(t)
	require.Equal(t, settings.Finding, n.Event)
	require.Equal(t, campaign+"/evidence/a", n.ID)
	require.Equal(t, "esg-01: logs show: uid=svc was refused; and 3 more", n.Text)
	require.Equal(t, "1", n.Findings[0].ID)
	require.Equal(t, judge.TriedAfter, n.Findings[0].Evidence.Code)
	require.Zero(t, stopHand(t, h))
	require.NoFileExists(t, boxFile(dir, handed))
}

// A receiver that is away holds up nothing; the next process sends what is
// left.
func TestWhatCouldNotBeToldIsToldByTheNextProcessUnderItsID(t *testing.T) {
	hook, dir := newReceiver(t), t.TempDir()
	hook.answers(func(Notice) int { return http.StatusServiceUnavailable })
	h := open(t, dir, ofHook(hook))
	h.Evidence("a", time.Now(), seenInLogs("1"), 0)
	h.Evidence("a", time.Now(), seenInLogs("1"), 0) // told again after a crash: it waits already
	require.Equal(t, 1, stopHand(t, h))
	hook.answers(nil)
	h = open(t, dir, ofHook(hook))
	for hook.next(t).ID != campaign+"/evidence/a" {
	}
	require.Zero(t, stopHand(t, h))
}

func TestAReceiverThatTheCampaignFileHasNoMoreIsForgotten(t *testing.T) {
	hook, dir := newReceiver(t), t.TempDir()
	hook.answers(func(Notice) int { return http.StatusServiceUnavailable })
	h := open(t, dir, ofHook(hook))
	h.Evidence("a", time.Now(), seenInLogs("1"), 0)
	require.Equal(t, 1, stopHand(t, h))
	h = open(t, dir, settings.Told{})
	require.Zero(t, stopHand(t, h))
}

func TestWhatWaitsIsBoundedAndTwoProcessesAreNotBothHeard(t *testing.T) {
	hook, dir := newReceiver(t), t.TempDir()
	hook.answers(func(Notice) int { return http.StatusServiceUnavailable })
	h := open(t, dir, ofHook(hook))
	for i := range mostHanded + 100 {
		h.Evidence(fmt.Sprint(i), time.Now(), seenInLogs(fmt.Sprint(i)), 0)
	}
	_, err := Open(dir, campaign, "esg-01", json.RawMessage(`{}`), kept{}, slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "another process tells what is in")
	require.Equal(t, mostHanded, stopHand(t, h))
	info, err := os.Stat(boxFile(dir, handed))
	require.NoError(t, err)
	require.Less(t, info.Size(), int64(1<<20))
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestWhatAKilledProcessLeftHalfWrittenIsTakenAway(t *testing.T) {
	hook, dir := newReceiver(t), t.TempDir()
	half, other := boxFile(dir, handed)+".123.tmp", boxFile(dir, campaign)+".123.tmp"
	require.NoError(t, os.MkdirAll(filepath.Dir(half), 0o700))
	require.NoError(t, os.WriteFile(half, nil, 0o600))
	require.NoError(t, os.WriteFile(other, nil, 0o600))
	require.Zero(t, stopHand(t, open(t, dir, ofHook(hook))))
	require.NoFileExists(t, half)
	require.FileExists(t, other, "another process may be writing it")
}
