package rotation

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/opened"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/ownmount"
)

// passesOn is a service whose doors ask a directory, and that may remember the
// last good login of each account, for all its doors.
type passesOn struct {
	r     *real
	at    *lab.Slapd
	cache bool

	mu     sync.Mutex
	good   map[string]string
	asked  map[string]int // by account
	within map[string]int // accounts that are asked about now
	most   int            // doors at which one account was asked about at once
}

func (s *passesOn) Ask(_ context.Context, login string, value credential.Secret) door.Said {
	s.mu.Lock()
	s.asked[login]++
	s.within[login]++
	s.most = max(s.most, s.within[login])
	remembered := s.cache && s.good[login] == value.Reveal()
	s.mu.Unlock()
	defer func() { s.mu.Lock(); s.within[login]--; s.mu.Unlock() }()
	if remembered {
		return door.Said{Reply: protocol.Accepted}
	}
	if !s.r.logsIn(s.at, login, value.Reveal()) {
		return door.Said{Reply: protocol.Refused}
	}
	s.mu.Lock()
	s.good[login] = value.Reveal()
	s.mu.Unlock()
	return door.Said{Reply: protocol.Accepted}
}

func (s *passesOn) Software(context.Context) (string, error) { return "", nil }

// fourDoors are those of one service, as a mail server has them.
func (r *real) fourDoors(at *lab.Slapd, cache bool) (*passesOn, []string, func(string) (*opened.Door, error)) {
	s := &passesOn{r: r, at: at, cache: cache, good: map[string]string{}, asked: map[string]int{}, within: map[string]int{}}
	names, doors := []string{"imap", "imaps", "pop3", "pop3s"}, map[string]*opened.Door{}
	for _, n := range names {
		doors[n] = &opened.Door{Door: s}
	}
	return s, names, func(name string) (*opened.Door, error) { return doors[name], nil }
}

// runAtDoors is a pass with doors.
func (r *real) runAtDoors(cs []credential.Credential, refusals *Refusals, open func(string) (*opened.Door, error), with ...func(*Rotator)) []Applied {
	rot := r.rotator()
	rot.Refusals = refusals
	for _, set := range with {
		set(rot)
	}
	rot.LookUp(r.Context(), cs)
	out, verdicts := make([]Applied, len(cs)), make([]Verdict, len(cs))
	for i, c := range cs {
		prepared := rot.Prepare(r.Context(), c)
		out[i] = rot.Apply(r.Context(), c, prepared.Attempt, prepared.Fresh)
		verdicts[i] = Verdict{c, &out[i]}
	}
	rot.AskDoors(r.Context(), verdicts, DoorAsker{Open: open, Settings: r.settings, Now: time.Now}, func() bool { return false })
	rot.Confirm(r.Context(), verdicts)
	return out
}

// A wrong login at a door is one at the directory. Four doors of one service
// must not lock what they prove, whether or not its good logins reach the
// directory, at no threshold, and with several old values.
func TestDoorsLockNoAccount(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		most  int
		cache bool
		olds  int // values of its paths
	}{{2, false, 1}, {2, true, 1}, {3, false, 1}, {3, true, 1}, {3, true, 2}, {1, false, 1}} {
		t.Run(fmt.Sprintf("the %d. wrong login locks, cache %v, %d values", row.most, row.cache, row.olds), func(t *testing.T) {
			t.Parallel()
			r := newReal(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{History: 5, MaxFailure: row.most}})
			s, names, open := r.fourDoors(r.slapd, row.cache)
			cs := []credential.Credential{r.credential(0), r.credential(1)}
			for i := range cs {
				cs[i].Confirmed = cs[i].Paths
				for n := range row.olds - 1 {
					p := credential.Path{Mount: "kv", Path: fmt.Sprintf("old/%d/%d", i, n), Field: "password"}
					r.store.put(p, "an older one")
					cs[i].Paths, cs[i].Named = append(cs[i].Paths, p), append(cs[i].Named, p)
				}
				for _, n := range names {
					cs[i].Doors = append(cs[i].Doors, credential.DoorLogin{Door: n, Login: cs[i].Name})
				}
			}
			got := r.runAtDoors(cs, nil, open)
			require.LessOrEqual(t, s.most, 1, "an account is asked about at one door at a time")
			for i, c := range cs {
				require.Empty(t, r.attribute(r.slapd, c.Name, "pwdAccountLockedTime"))
				require.Empty(t, r.attribute(r.slapd, c.Name, "pwdFailureTime"), "no wrong login is left behind")
				now, err := r.store.ReadLive(t.Context(), c.Paths[0], 0)
				require.NoError(t, err)
				require.True(t, r.logsIn(r.slapd, c.Name, now.Value.Reveal()), "what consumers read logs in")
				require.False(t, got[i].Dead() && row.most == 1)
				if row.most == 1 {
					require.Equal(t, protocol.ReasonNearLock, got[i].Stop.Reason)
					require.Zero(t, s.asked[c.Name])
					continue
				}
				require.True(t, got[i].Dead(), "%+v", got[i].Stop)
				require.Len(t, got[i].Doors, 4)
			}
		})
	}
}

// The count is each server's own: a door that asks a replica counts there.
func TestDoorsThatAskAReplicaLockNoAccountThere(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{Provider: true, Policy: lab.SlapdPolicy{MaxFailure: 2}})
	second := r.join(r.start(lab.SlapdOptions{CA: r.ca, ReplicaOf: r.slapd, Policy: lab.SlapdPolicy{MaxFailure: 2}}))
	_, names, open := r.fourDoors(second, true)
	c := r.credential(0)
	require.Eventually(t, func() bool { return r.logsIn(second, c.Name, r.accounts[0].Password) }, time.Minute, 20*time.Millisecond)
	for _, n := range names {
		c.Doors = append(c.Doors, credential.DoorLogin{Door: n, Login: c.Name})
	}
	var got Applied
	require.Eventually(t, func() bool {
		got = r.runAtDoors([]credential.Credential{c}, nil, open)[0]
		return got.Dead()
	}, 2*time.Minute, 100*time.Millisecond, "%+v", got.Stop)
	require.Empty(t, r.attribute(second, c.Name, "pwdAccountLockedTime"))
}

// Where doors go by another directory they refuse the new value, and nothing
// that Rollcall does at its own ends the count there.
func TestDoorsOfAnotherDirectoryLockNoAccountThereHoweverOftenAPassComesBack(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{})
	other := r.start(lab.SlapdOptions{CA: r.ca, Accounts: r.accounts, Policy: lab.SlapdPolicy{MaxFailure: 3}})
	s, names, open := r.fourDoors(other, false)
	c := r.credential(0)
	for _, n := range names {
		c.Doors = append(c.Doors, credential.DoorLogin{Door: n, Login: c.Name})
	}
	var refusals Refusals
	for range 4 {
		got := r.runAtDoors([]credential.Credential{c}, &refusals, open)[0]
		require.Equal(t, protocol.ReasonDoorRefusesNew, got.Stop.Reason)
	}
	require.Equal(t, maxWrongLogins, s.asked[c.Name])
	require.Empty(t, r.attribute(other, c.Name, "pwdAccountLockedTime"))
}

// vaultNotes are what lies in Vault of a campaign.
type vaultNotes struct {
	mu  sync.Mutex
	all []ownmount.Once
	of  map[ownmount.Once]credential.Secret
	at  map[ownmount.Once]time.Time
	now func() time.Time // nil: the machine's
}

func (n *vaultNotes) NotedAt(_ context.Context, _, what, where, id string) (time.Time, bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	note := ownmount.Once{What: what, Where: where, ID: id}
	return n.at[note], slices.Contains(n.all, note), nil
}

func (n *vaultNotes) NoteOnceOf(ctx context.Context, campaign, what, where, id string, value credential.Secret) (bool, error) {
	first, err := n.NoteOnce(ctx, campaign, what, where, id)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.of == nil {
		n.of = map[ownmount.Once]credential.Secret{}
	}
	if first {
		n.of[ownmount.Once{What: what, Where: where, ID: id}] = value
	}
	return first, err
}

func (n *vaultNotes) NotedOf(ctx context.Context, campaign, what, where, id string, value credential.Secret) (bool, time.Time, bool, error) {
	at, noted, err := n.NotedAt(ctx, campaign, what, where, id)
	return noted && n.of[ownmount.Once{What: what, Where: where, ID: id}].Equal(value), at, noted, err
}

func (n *vaultNotes) NoteOnce(_ context.Context, _, what, where, id string) (bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if slices.Contains(n.all, ownmount.Once{What: what, Where: where, ID: id}) {
		return false, nil
	}
	n.all = append(n.all, ownmount.Once{What: what, Where: where, ID: id})
	if n.at == nil {
		n.at = map[ownmount.Once]time.Time{}
	}
	now := time.Now
	if n.now != nil {
		now = n.now
	}
	n.at[ownmount.Once{What: what, Where: where, ID: id}] = now()
	return true, nil
}

func (n *vaultNotes) NotedOnce(context.Context, string) ([]ownmount.Once, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.all), nil
}

// A worker that was killed, and one beside it, go on with the same count.
func TestAValueThatDoorsHaveRefusedTwiceIsOfferedNoMoreByAnyWorker(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{})
	other := r.start(lab.SlapdOptions{CA: r.ca, Accounts: r.accounts, Policy: lab.SlapdPolicy{MaxFailure: 3}})
	s, names, open := r.fourDoors(other, false)
	c := r.credential(0)
	c.Doors = []credential.DoorLogin{{Door: names[0], Login: c.Name}}
	vault := &vaultNotes{}
	beside := &Refusals{Notes: vault}
	for range 3 {
		for _, refusals := range []*Refusals{{Notes: vault}, beside} {
			got := r.runAtDoors([]credential.Credential{c}, refusals, open)[0]
			require.Equal(t, protocol.ReasonDoorRefusesNew, got.Stop.Reason)
		}
	}
	require.Equal(t, maxWrongLogins, s.asked[c.Name])
	require.Empty(t, r.attribute(other, c.Name, "pwdAccountLockedTime"))
}

// A worker that was killed between a refusal and its note has met one, perhaps.
func TestARefusalThatNobodyCouldNoteCounts(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{})
	other := r.start(lab.SlapdOptions{CA: r.ca, Accounts: r.accounts, Policy: lab.SlapdPolicy{MaxFailure: 3}})
	s, names, open := r.fourDoors(other, false)
	c := r.credential(0)
	c.Doors = []credential.DoorLogin{{Door: names[0], Login: c.Name}}
	vault := &vaultNotes{}
	s.Ask(t.Context(), c.Name, credential.NewSecret("new, and not known there")) // and it is killed
	for n := range 4 {
		got := r.runAtDoors([]credential.Credential{c}, &Refusals{Notes: vault}, open, func(rot *Rotator) { rot.Retried = n == 0 })[0]
		require.Equal(t, protocol.ReasonDoorRefusesNew, got.Stop.Reason)
		require.Equal(t, names[0], got.Stop.Server)
	}
	require.Equal(t, maxWrongLogins, s.asked[c.Name])
	require.Empty(t, r.attribute(other, c.Name, "pwdAccountLockedTime"))
}

// What locks an account while its doors are asked is told as that.
func TestAnAccountThatIsLockedWhileItsDoorsAreAskedSaysSo(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{MaxFailure: 3}})
	_, names, open := r.fourDoors(r.slapd, false)
	c := r.credential(0)
	c.Doors = []credential.DoorLogin{{Door: names[0], Login: c.Name}}
	guesses := func(name string) (*opened.Door, error) {
		d, err := open(name)
		return &opened.Door{Door: guessing{d.Door, r, c.Name}}, err
	}
	got := r.runAtDoors([]credential.Credential{c}, nil, guesses)[0]
	require.Equal(t, protocol.ReasonLocked, got.Stop.Reason)
	require.Contains(t, got.Stop.Detail, "while its doors were asked")
	require.False(t, got.Dead())
}

// guessing is a door at which somebody guesses meanwhile.
type guessing struct {
	door.Door
	r    *real
	name string
}

func (g guessing) Ask(ctx context.Context, login string, value credential.Secret) door.Said {
	for range 3 {
		g.r.logsIn(g.r.slapd, g.name, "a guess")
	}
	return g.Door.Ask(ctx, login, value)
}
