package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/evidence/judge"
)

// kept is a ledger that can be away.
type kept struct {
	mu    sync.Mutex
	away  error
	signs map[string]credential.Sign // by reading, credential, code, grade, rule; the latest
	times int
	read  map[string]credential.LogsRead
}

func (k *kept) record(_ context.Context, r credential.LogsRead, of []credential.Credential) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.away != nil {
		return k.away
	}
	if k.read == nil {
		k.read, k.signs = map[string]credential.LogsRead{}, map[string]credential.Sign{}
	}
	k.read[r.ID] = r
	for _, s := range r.Elsewhere {
		k.signs[fmt.Sprint(r.ID, " nobody ", s.Code)] = s
	}
	for _, c := range of {
		k.times++
		for _, s := range c.Signs {
			k.signs[fmt.Sprint(r.ID, " ", c.ID, " ", c.Name, " ", s.Code)] = s.Sign
		}
	}
	return nil
}

func (k *kept) is(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.away = err
}

// has waits until a sign of svc was from so many addresses so often.
func (k *kept) has(t *testing.T, addresses, count int) {
	t.Helper()
	require.Eventually(t, func() bool {
		k.mu.Lock()
		defer k.mu.Unlock()
		for id := range k.read {
			if s := k.signs[id+" corp/svc "+svc+" tried-after-rotation"]; len(s.Addresses)+s.MoreAddresses == addresses && s.Count == count {
				return true
			}
		}
		return false
	}, soon, time.Millisecond)
}

func TestWhatIsFoundWhileNoLedgerTakesItIsRecordedLaterAlsoByTheNextWatch(t *testing.T) {
	path := logAt(t, "")
	ledger := &kept{away: errors.New("no room for the ledger")}
	o := options(t, path)
	o.Record, o.Campaign, o.Again = ledger.record, "esg-01-1", time.Nanosecond
	r := start(t, o).begun()
	put(t, path, refused("203.0.113.1"))
	r.until("probable tried-after-rotation 203.0.113.1", "not-recorded")
	r.stop()
	require.NoError(t, r.err)
	ledger.is(nil)
	r = start(t, o)
	r.until("not-recorded over")
	ledger.has(t, 1, 1)
	put(t, path, refused("203.0.113.2")+refused("203.0.113.2"))
	ledger.has(t, 2, 3)
	r.stop()
	require.Len(t, ledger.read, 1)
	for _, of := range ledger.read {
		require.Equal(t, []any{true, "esg-01-1", 1, filepath.Base(path)}, []any{of.Of.Follows, of.Of.Roll, len(of.Logs), of.Logs[0].Name})
		require.Len(t, of.Of.Windows, 1)
	}

	// A newer campaign's roll is another reading. What the ledger has not of
	// the earlier one comes first.
	ledger.is(errors.New("away"))
	r = start(t, o)
	put(t, path, refused("203.0.113.3"))
	r.until("probable tried-after-rotation 203.0.113.3")
	r.stop()
	ledger.is(nil)
	o.Campaign = "esg-01-2"
	r = start(t, o)
	ledger.has(t, 3, 4)
	require.Eventually(t, func() bool {
		ledger.mu.Lock()
		defer ledger.mu.Unlock()
		return len(ledger.read) == 2
	}, soon, time.Millisecond)
	r.stop()
	s, err := load(o.Folder)
	require.NoError(t, err)
	require.Len(t, s.Readings, 1, "what is recorded as a whole is not kept")
}

// What was told before, against an earlier campaign's roll, is not of the newer
// one's reading: there a finding that goes on is one, from when it came again.
func TestAFindingThatGoesOnUnderANewerCampaignIsOneOfItsReading(t *testing.T) {
	path := logAt(t, "")
	ledger := &kept{}
	o := options(t, path)
	o.Record, o.Campaign, o.Again = ledger.record, "esg-01-1", time.Nanosecond
	r := start(t, o).begun()
	put(t, path, refused("203.0.113.1")+refused("203.0.113.1")+refused("203.0.113.1"))
	ledger.has(t, 1, 3)
	r.stop()
	o.Campaign = "esg-01-2"
	r = start(t, o)
	put(t, path, refused("203.0.113.1"))
	ledger.has(t, 1, 1)
	put(t, path, refused("203.0.113.1"))
	ledger.has(t, 1, 2)
	r.stop()
	newer := 0
	for id, read := range ledger.read {
		if read.Of.Roll == o.Campaign {
			s := ledger.signs[id+" corp/svc "+svc+" tried-after-rotation"]
			require.Equal(t, []any{1, 2, []string{"203.0.113.1"}, 0, false}, []any{s.Findings, s.Count, s.Addresses, s.MoreAddresses, s.Last.Before(s.First)})
			newer++
		}
	}
	require.Equal(t, 1, newer)
}

// A process that dies between the ledger's answer and the next state tells the
// ledger the same once more, and not something else.
func TestWhatWasRecordedBeforeACrashIsRecordedTheSameAgain(t *testing.T) {
	path := logAt(t, "")
	ledger := &kept{away: errors.New("away")}
	o := options(t, path)
	o.Record, o.Campaign = ledger.record, "esg-01-1"
	r := start(t, o).begun()
	put(t, path, refused("203.0.113.1"))
	r.until("probable tried-after-rotation 203.0.113.1", "not-recorded")
	r.stop()
	state, err := os.ReadFile(filepath.Join(o.Folder, stateFile))
	require.NoError(t, err)
	ledger.is(nil)
	var before map[string]credential.Sign
	for n := range 2 {
		require.NoError(t, os.WriteFile(filepath.Join(o.Folder, stateFile), state, 0o600))
		ledger.signs, ledger.read = nil, nil
		r = start(t, o)
		ledger.has(t, 1, 1)
		r.stop()
		if n > 0 {
			require.Equal(t, before, ledger.signs)
		}
		before = ledger.signs
	}
}

// Entries have the numbers of logs: what the ledger was told of them is kept
// before, or the next watch numbers them otherwise.
func TestTheNumbersOfLogsAreKeptBeforeTheLedgerHasThem(t *testing.T) {
	ledger := &kept{}
	o := options(t, logAt(t, refused("203.0.113.1")))
	told := make(chan error, 100)
	o.Campaign, o.Record = "esg-01-1", func(ctx context.Context, r credential.LogsRead, of []credential.Credential) error {
		s := state{}
		text, err := os.ReadFile(filepath.Join(o.Folder, stateFile))
		if err == nil {
			err = json.Unmarshal(text, &s)
		}
		if err == nil && !slices.ContainsFunc(s.Readings, func(x *reading) bool { return x.ID == r.ID && len(x.Logs) == len(r.Logs) }) {
			err = fmt.Errorf("the state lacks the logs of %+v", r)
		}
		told <- err
		return ledger.record(ctx, r, of)
	}
	r := start(t, o)
	require.NoError(t, <-told)
	r.stop()
	require.Len(t, ledger.read, 1)
	for _, read := range ledger.read {
		require.Len(t, read.Logs, 1)
	}
}

func TestAFloodIsFewEntries(t *testing.T) {
	path := logAt(t, "")
	ledger := &kept{}
	o := options(t, path)
	o.Record, o.Campaign = ledger.record, "esg-01-1"
	r := start(t, o).begun()
	text := ""
	for n := range 300 {
		text += refused(fmt.Sprintf("203.0.113.%d", n%250))
	}
	put(t, path, text)
	require.Eventually(t, func() bool { return len(r.findings()) >= 100 }, soon, time.Millisecond)
	r.stop()
	addresses, count := 0, 0
	for _, b := range r.told {
		for _, a := range b.Alerts {
			if a.Code == judge.TriedAfter { // and not the burst that they are together
				addresses, count = addresses+1, count+a.Count
			}
		}
	}
	ledger.has(t, addresses, count) // what was told, as one sign
	require.Less(t, ledger.times, 20)
}
