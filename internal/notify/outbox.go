package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"rollcall/internal/notify/settings"
	"rollcall/internal/wholefile"
)

// folder below that of the ledgers holds what is still to be told, a file for
// each campaign. It names accounts, as ledgers do.
const folder = ".notify"

// outbox is what is still to be told of one campaign. It is written before
// anything is sent, so that a crash sends again, under the same ids, and
// forgets nothing.
type outbox struct {
	Campaign string        `json:"campaign"`
	Told     settings.Told `json:"told"`
	// Never are addresses of the compromised device.
	Never   []string `json:"never,omitempty"`
	Next    uint64   `json:"next"`              // entry of the ledger to be read
	Stalled uint64   `json:"stalled,omitempty"` // Next at the last stall that was told
	Cause   string   `json:"cause,omitempty"`   // that of the last stall that was told
	Ended   bool     `json:"ended,omitempty"`
	// Waited is for what people were told that the campaign waits for them.
	Waited []string `json:"waited,omitempty"`
	// Began is when the campaign was first heard of, for one whose ledger never
	// begins.
	Began time.Time `json:"began"`
	Queue []queued  `json:"queue,omitempty"`
}

// queued is one notice and whom it is to be told yet.
type queued struct {
	Notice Notice   `json:"notice"`
	To     []string `json:"to"`
}

// add queues a notice for whoever wants it.
func (b *outbox) add(n Notice) {
	var to []string
	for _, t := range b.Told.Notify.Targets {
		if t.Wants(n.Event) {
			to = append(to, t.Name)
		}
	}
	if n.only != "" {
		to = []string{n.only}
	}
	if len(to) > 0 {
		b.Queue = append(b.Queue, queued{n, to})
	}
}

// head is the first notice that a target was not told.
func (b *outbox) head(target string) (Notice, bool) {
	for _, q := range b.Queue {
		if slices.Contains(q.To, target) {
			return q.Notice, true
		}
	}
	return Notice{}, false
}

// done takes a notice off the queue of a target.
func (b *outbox) done(id, target string) {
	for i, q := range b.Queue {
		if q.Notice.ID == id {
			b.Queue[i].To = slices.DeleteFunc(slices.Clone(q.To), func(t string) bool { return t == target })
		}
	}
	b.Queue = slices.DeleteFunc(b.Queue, func(q queued) bool { return len(q.To) == 0 })
}

// boxFile is where the outbox of a campaign lies.
func boxFile(dir, campaign string) string { return filepath.Join(dir, folder, campaign+".json") }

// save writes the outbox, whole or not at all.
func (b *outbox) save(dir string) error {
	at := boxFile(dir, b.Campaign)
	if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
		return err
	}
	text, err := json.Marshal(b)
	if err != nil {
		return err
	}
	return wholefile.Write(at, text, 0o600)
}

// load reads the outbox of a campaign; nil where there is none.
func load(dir, campaign string) (*outbox, error) {
	text, err := os.ReadFile(boxFile(dir, campaign))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	}
	b := &outbox{}
	if err := json.Unmarshal(text, b); err != nil || b.Campaign != campaign {
		return nil, fmt.Errorf("%s is no list of what is to be told: move it away", boxFile(dir, campaign))
	}
	return b, nil
}

// left are the campaigns of which something is still to be told.
func left(dir string) (campaigns []string) {
	entries, _ := os.ReadDir(filepath.Join(dir, folder))
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".json"); ok {
			campaigns = append(campaigns, name)
		}
	}
	return campaigns
}

// hold keeps other processes from telling the same: the one that has it does.
// nil where another one has.
func hold(dir, campaign string) *os.File {
	at := strings.TrimSuffix(boxFile(dir, campaign), ".json") + ".lock"
	if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
		return nil
	}
	f, err := os.OpenFile(at, os.O_RDWR|os.O_CREATE|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	mine, _ := f.Stat()
	if there, gone := os.Stat(at); err != nil || gone != nil || !os.SameFile(mine, there) {
		_ = f.Close() // or the last holder took it away meanwhile
		return nil
	}
	return f
}
