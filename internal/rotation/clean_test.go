package rotation

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/vault"
)

// A staging entry is deleted without a look only by the process that proved its
// attempt moments ago: by whoever else, and at any other time, it may be a later
// rotation's.
func TestOnlyWhoProvedItMomentsAgoFreesItWithoutALook(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		proved  func(h *Hand)
		again   bool
		another vault.Staged // what lies there, if not ours
		looks   bool
	}{
		"proved here, just now":        {proved: func(h *Hand) { h.Proved(us, "corp/x", 1, now) }},
		"proved by another process":    {proved: func(*Hand) {}, looks: true},
		"proved here, a while ago":     {proved: func(h *Hand) { h.Proved(us, "corp/x", 1, now.Add(-provedHolds)) }, looks: true},
		"another attempt was proved":   {proved: func(h *Hand) { h.Proved(us, "corp/x", 2, now) }, looks: true},
		"another campaign proved it":   {proved: func(h *Hand) { h.Proved("campaign-9", "corp/x", 1, now) }, looks: true},
		"the clock was set back":       {proved: func(h *Hand) { h.Proved(us, "corp/x", 1, now.Add(time.Hour)) }, looks: true},
		"cleaned before":               {proved: func(h *Hand) { h.Proved(us, "corp/x", 1, now) }, again: true, looks: true},
		"cleaned before, and restaged": {proved: func(h *Hand) { h.Proved(us, "corp/x", 1, now) }, again: true, another: vault.Staged{Campaign: us, Attempt: 2}, looks: true},
		"another campaign's by now":    {proved: func(*Hand) {}, another: vault.Staged{Campaign: "campaign-9", Attempt: 1}, looks: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := plain()
			w.cred.ID = "corp/x"
			staged := vault.Staged{Secret: secret("P1"), Campaign: us, Attempt: 1, Version: 1}
			if c.another.Campaign != "" {
				staged.Campaign, staged.Attempt = c.another.Campaign, c.another.Attempt
			}
			w.staging[w.cred.ID] = &staged
			r := w.rotator()
			r.Hand, r.Now, r.Again = NewHand(), func() time.Time { return now }, c.again
			c.proved(r.Hand)
			counted := &looking{Store: r.Store}
			r.Store = counted
			require.NoError(t, r.Clean(context.Background(), w.cred, Dead{Attempt: 1, To: []int{1}, Written: make([]time.Time, 1), Doomed: make([][]int, 1)}))
			require.Equal(t, c.looks, counted.looked)
			require.Equal(t, c.another.Campaign != "", w.staging[w.cred.ID] != nil)
			require.Empty(t, w.broken)
		})
	}
}

// looking notes whether the owner was looked at.
type looking struct {
	Store
	looked bool
}

func (l *looking) ReadStaged(ctx context.Context, id string) (vault.Staged, bool, error) {
	l.looked = true
	return l.Store.ReadStaged(ctx, id)
}

func (l *looking) Unstage(ctx context.Context, id, campaign string, attempt int) error {
	l.looked = true
	return l.Store.Unstage(ctx, id, campaign, attempt)
}
