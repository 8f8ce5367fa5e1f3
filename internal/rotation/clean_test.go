package rotation

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/protocol"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// A staging entry is deleted without a look only by the process that proved its
// attempt moments ago: by whoever else, and at any other time, it may be a
// later rotation's.
func TestOnlyWhoProvedItMomentsAgoFreesItWithoutALook(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		proved  func(h *PreparedCache)
		again   bool
		another ownmount.Staged // what lies there, if not ours
		looks   bool
	}{
		"proved here, just now":        {proved: func(h *PreparedCache) { h.Proved(us, "corp/x", 1, now) }},
		"proved by another process":    {proved: func(*PreparedCache) {}, looks: true},
		"proved here, a while ago":     {proved: func(h *PreparedCache) { h.Proved(us, "corp/x", 1, now.Add(-provedTTL)) }, looks: true},
		"another attempt was proved":   {proved: func(h *PreparedCache) { h.Proved(us, "corp/x", 2, now) }, looks: true},
		"another campaign proved it":   {proved: func(h *PreparedCache) { h.Proved("campaign-9", "corp/x", 1, now) }, looks: true},
		"the clock was set back":       {proved: func(h *PreparedCache) { h.Proved(us, "corp/x", 1, now.Add(time.Hour)) }, looks: true},
		"cleaned before":               {proved: func(h *PreparedCache) { h.Proved(us, "corp/x", 1, now) }, again: true, looks: true},
		"cleaned before, and restaged": {proved: func(h *PreparedCache) { h.Proved(us, "corp/x", 1, now) }, again: true, another: ownmount.Staged{Campaign: us, Attempt: 2}, looks: true},
		"another campaign's by now":    {proved: func(*PreparedCache) {}, another: ownmount.Staged{Campaign: "campaign-9", Attempt: 1}, looks: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := plain()
			w.cred.ID = "corp/x"
			staged := ownmount.Staged{Secret: secret("P1"), Campaign: us, Attempt: 1, Version: 1}
			if c.another.Campaign != "" {
				staged.Campaign, staged.Attempt = c.another.Campaign, c.another.Attempt
			}
			w.staging[w.cred.ID] = &staged
			r := w.rotator()
			r.Cache, r.Now, r.Again = NewPreparedCache(), func() time.Time { return now }, c.again
			c.proved(r.Cache)
			counted := &looking{Store: r.Store}
			r.Store = counted
			at := w.secrets[place(w.cred.Paths[0])].versions[0].at
			lost, err := r.Clean(context.Background(), w.cred, wire.Dead{Attempt: 1, To: []int{1}, Written: []time.Time{at}, Doomed: make([][]int, 1)})
			require.NoError(t, err)
			require.Nil(t, lost)
			require.Equal(t, c.looks, counted.looked)
			require.Equal(t, c.another.Campaign != "", w.staging[w.cred.ID] != nil)
			require.Empty(t, w.broken)
		})
	}
}

// Whoever may write there could otherwise make away with the one value that is
// in force: with max_versions 1 each write pushes the version before out of
// Vault.
func TestWhatIsStagedStaysAsLongAsConsumersGetSomethingElse(t *testing.T) {
	for _, row := range []struct {
		name string
		does func(s *kv)
		lost bool
	}{
		{"the new value is there", func(*kv) {}, false},
		{"another field was written since", func(s *kv) {
			s.versions = append(s.versions, version{fields: map[string]string{"password": s.versions[len(s.versions)-1].fields["password"], "note": "x"}, at: time.Now(), strangers: true})
		}, false},
		{"somebody wrote another value", func(s *kv) {
			s.versions = append(s.versions, version{fields: map[string]string{"password": "theirs"}, at: time.Now(), strangers: true})
		}, true},
		{"it was deleted", func(s *kv) { s.versions[len(s.versions)-1].deleted = true }, true},
		{"it was destroyed", func(s *kv) { s.versions[len(s.versions)-1].destroyed = true }, true},
		{"it was made anew, as it was", func(s *kv) {
			s.versions = nil
			s.versions = append(s.versions, version{fields: map[string]string{"password": "P0"}, at: time.Now(), strangers: true})
			s.versions = append(s.versions, version{fields: map[string]string{"password": "P0"}, at: time.Now(), strangers: true})
		}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := plain()
			p := w.rotator().Prepare(context.Background(), w.cred)
			require.Nil(t, p.Stop)
			w.intents[p.Attempt] = true
			a := w.rotator().Apply(context.Background(), w.cred, p.Attempt, p.Fresh)
			require.True(t, a.Dead())
			w.cache.Proved(us, w.cred.ID, a.Attempt, time.Now())
			row.does(w.secrets[place(w.cred.Paths[0])])
			for range 2 { // and when it is tried again
				lost, err := w.rotator().Clean(context.Background(), w.cred, a.ToClean())
				require.NoError(t, err)
				if !row.lost {
					require.Nil(t, lost)
					require.Nil(t, w.staging[w.cred.ID])
					break
				}
				require.NotNil(t, lost)
				require.Equal(t, protocol.ReasonWrittenOver, lost.Reason)
				require.Equal(t, w.write().inForce(), w.staging[w.cred.ID].Secret.Reveal(), "the one copy")
			}
		})
	}
}

// looking notes whether the owner was looked at.
type looking struct {
	Store
	looked bool
}

func (l *looking) ReadStaged(ctx context.Context, id string) (ownmount.Staged, bool, error) {
	l.looked = true
	return l.Store.ReadStaged(ctx, id)
}

func (l *looking) Unstage(ctx context.Context, id, campaign string, attempt int) error {
	l.looked = true
	return l.Store.Unstage(ctx, id, campaign, attempt)
}
