package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/evidence/judge"
)

// receivers are told, and count what they were told.
type receivers struct {
	mu  sync.Mutex
	got []Batch
}

func (r *receivers) tell(b Batch) { r.mu.Lock(); defer r.mu.Unlock(); r.got = append(r.got, b) }

func (r *receivers) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	text, _ := json.Marshal(r.got)
	return string(text)
}

func (r *receivers) until(t *testing.T, want string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(r.text(), want) }, soon, time.Millisecond, want)
}

// The host of the ledger is off, or a firewall drops: the intruder may see to
// that.
func TestALedgerThatDoesNotAnswerHoldsNoFindingUp(t *testing.T) {
	path := logAt(t, "")
	o := options(t, path)
	asked := make(chan struct{}, 10)
	known := o.Roll
	o.Roll = func(ctx context.Context) ([]judge.Credential, bool, error) {
		if all, changed, err := known(ctx); changed {
			return all, changed, err
		}
		asked <- struct{}{}
		<-ctx.Done()
		return nil, false, ctx.Err()
	}
	r := start(t, o).begun()
	<-asked
	put(t, path, refused("203.0.113.1"))
	r.until("probable tried-after-rotation 203.0.113.1")
	r.stop()
	require.NoError(t, r.err)
	require.NotContains(t, r.says(), "roll-unreadable", "it was not asked to its end")
}

// Standard output is a pipe whose reader stands still, or a terminal at Ctrl-S.
func TestAScreenThatStandsStillHoldsUpNeitherReceiversNorReading(t *testing.T) {
	path := logAt(t, "")
	o := options(t, path)
	stands, told := make(chan struct{}), &receivers{}
	o.Tell = told.tell
	o.Show = func(Batch) error { <-stands; return nil }
	r := start(t, o).begun()
	for i := range 3 {
		from := fmt.Sprintf("203.0.113.%d", i+1)
		put(t, path, refused(from))
		told.until(t, from)
	}
	require.Eventually(t, func() bool { return len(r.findings()) > 0 }, soon, time.Millisecond)
	require.Len(t, r.findings(), 1)
	close(stands)
	r.until("probable tried-after-rotation 203.0.113.1", "probable tried-after-rotation 203.0.113.2", "probable tried-after-rotation 203.0.113.3")
	r.stop()
	require.NoError(t, r.err)
	require.Len(t, r.findings(), 3, "each once")
}

func TestWhatCouldNotBeShownIsShownWhenItCanBe(t *testing.T) {
	path := logAt(t, "")
	o := options(t, path)
	var mu sync.Mutex
	full, shown := true, &receivers{}
	o.Show = func(b Batch) error {
		mu.Lock()
		defer mu.Unlock()
		if full {
			return errors.New("no space left on device")
		}
		shown.tell(b)
		return nil
	}
	r := start(t, o).begun()
	put(t, path, refused("203.0.113.1"))
	r.until("probable tried-after-rotation 203.0.113.1")
	mu.Lock()
	full = false
	mu.Unlock()
	shown.until(t, "203.0.113.1")
	shown.until(t, `"not-shown"`)
	r.stop()
	require.NoError(t, r.err)
	require.Contains(t, fmt.Sprint(r.notes), "WARNING: findings cannot be shown here: no space left on device")
}

func TestAWatchThatEndsWithWhatNobodySawIsAnErrorAndTheNextShowsIt(t *testing.T) {
	path := logAt(t, "")
	o := options(t, path)
	told := &receivers{}
	o.Tell = told.tell
	o.Show = func(Batch) error { return errors.New("no space left on device") }
	r := start(t, o).begun()
	put(t, path, refused("203.0.113.1"))
	told.until(t, "203.0.113.1")
	r.stop()
	require.ErrorContains(t, r.err, "no space left on device")
	require.ErrorContains(t, r.err, "the next watch with this state shows them first")
	shown, again := &receivers{}, &receivers{}
	o.Show, o.Tell, o.Roll = func(b Batch) error { shown.tell(b); return nil }, again.tell, options(t).Roll
	r = start(t, o)
	shown.until(t, "203.0.113.1")
	r.stop()
	require.NoError(t, r.err)
	require.NotContains(t, again.text(), "203.0.113.1", "receivers were told")
}

// With a disk that is full a watch goes on after a crash. A folder in the place
// of its new state keeps it from being written, whoever runs this.
func TestAWatchThatWasOneBeforeBeginsWhereNothingCanBeKept(t *testing.T) {
	path := logAt(t, "")
	o := options(t, path)
	r := start(t, o).begun()
	r.stop()
	require.NoError(t, r.err)
	o.Roll = func(context.Context) ([]judge.Credential, bool, error) {
		// The state was read by now.
		at := filepath.Join(o.Folder, stateFile)
		if err := os.Remove(at); err == nil {
			_ = os.MkdirAll(filepath.Join(at, "full"), 0o700)
		}
		return roll(), true, nil
	}
	r = start(t, o)
	put(t, path, refused("203.0.113.1"))
	r.until("probable tried-after-rotation 203.0.113.1", "state-not-kept")
}

func TestAPipeIsRefusedAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	r := start(t, options(t, path))
	select {
	case <-r.ended:
		require.ErrorContains(t, r.err, "is no regular file: give a pipe as standard input (-)")
	case <-time.After(soon):
		// Who waits for a writer is let go.
		w, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		if err == nil {
			_ = w.Close()
		}
		require.Fail(t, "it waits for a writer")
	}
}

// A watch that is killed right behind its start has told what was lost: the
// next one would not see it.
func TestLinesThatWereLostBeforeAStartAreToldWithinIt(t *testing.T) {
	path := logAt(t, refused("203.0.113.1"))
	o := options(t, path)
	r := start(t, o).begun()
	r.stop()
	require.NoError(t, os.Remove(path))
	put(t, path, strings.Repeat("other first bytes\n", 3)+refused("203.0.113.2"))
	told := &receivers{}
	o.Roll, o.Say, o.Now, o.Tell = options(t).Roll, func(string, ...any) {}, time.Now, told.tell
	w := &watcher{o: o, screen: newScreen(func(Batch) error { return nil })}
	defer close(w.screen.give)
	require.NoError(t, w.begin(t.Context()))
	require.Contains(t, told.text(), "log-lines-lost")
}

func TestStandardInputThatFailsIsAnError(t *testing.T) {
	o := options(t, "-")
	in, out := io.Pipe()
	o.In = in
	r := start(t, o)
	require.NoError(t, out.CloseWithError(errors.New("input/output error")))
	<-r.ended
	require.ErrorContains(t, r.err, "standard input cannot be read: input/output error")
}

func TestWhatAKilledWatchLeftHalfWrittenIsTakenAway(t *testing.T) {
	o := options(t, logAt(t, ""))
	require.NoError(t, os.MkdirAll(o.Folder, 0o700))
	half, other := filepath.Join(o.Folder, stateFile+".123.tmp"), filepath.Join(o.Folder, "mine.tmp")
	put(t, half, "{")
	put(t, other, "x")
	start(t, o).begun()
	require.NoFileExists(t, half)
	require.FileExists(t, other)
}

func TestAWatchSaysThatItsLedgerDoesNotNameLogins(t *testing.T) {
	o := options(t, logAt(t, ""))
	known := o.Roll
	o.Roll = func(ctx context.Context) ([]judge.Credential, bool, error) {
		all, changed, err := known(ctx)
		for i := range all {
			all[i].Unnamed = true
		}
		return all, changed, err
	}
	r := start(t, o).begun()
	r.until("names-not-known")
	r.stop()
	require.NoError(t, r.err)
}
