package watch

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// hand is a watch whose looks a test makes itself, by a clock of its own: what
// comes between two of them is what the test does there, however long the
// machine takes.
type hand struct {
	t    *testing.T
	w    *watcher
	now  time.Time
	told []Batch
}

func byHand(t *testing.T, o Options) *hand {
	b := &hand{t: t, now: time.Now()}
	o.Now, o.Tell, o.Say = func() time.Time { return b.now }, func(x Batch) { b.told = append(b.told, x) }, func(string, ...any) {}
	lock, err := hold(o.Folder)
	require.NoError(t, err)
	b.w = &watcher{o: o, screen: newScreen(func(Batch) error { return nil })}
	require.NoError(t, b.w.begin(t.Context()))
	t.Cleanup(func() {
		close(b.w.screen.give)
		for _, l := range b.w.logs {
			l.file.Close()
		}
		require.NoError(t, lock.Close())
	})
	b.looks()
	return b
}

// passes has time go by.
func (b *hand) passes(d time.Duration) { b.now = b.now.Add(d) }

// looks reads all that is there, and then has two beats look at it.
func (b *hand) looks() {
	for range 2 {
		for b.w.turn(b.t.Context()) {
		}
		b.passes(beat)
	}
	b.w.turn(b.t.Context())
}

func (b *hand) troubles() (all []Trouble) {
	for _, x := range b.told {
		all = append(all, x.Troubles...)
	}
	return all
}

// over reports whether a trouble was told, and whether its end was.
func (b *hand) over(code Code) (told, over bool) {
	for _, x := range b.troubles() {
		if x.Code == code {
			told, over = true, x.Over
		}
	}
	return told, over
}
