package userpasspassword

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
	"rollcall/internal/rotation"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// at gives a user paths of the roll that hold some values.
func at(t *testing.T, store *ownmount.Store, c *credential.Credential, values ...credential.Secret) {
	t.Helper()
	c.Paths = nil
	for i, v := range values {
		p := credential.Path{Mount: "rollcall", Path: fmt.Sprint("device/", c.Name, "/", i), Field: "password"}
		_, err := store.Activate(t.Context(), p, vault.Live{}, v, "")
		require.NoError(t, err)
		c.Paths = append(c.Paths, p)
	}
	c.Named = c.Paths
}

func stales(n int) (out []credential.Secret) {
	for i := range n {
		out = append(out, credential.NewSecret(fmt.Sprint("stale-", i)))
	}
	return out
}

// dies is a process that is killed at a login.
type dies struct {
	*Authority
	in int
}

func (d *dies) Unwrap() kind.Authority { return d.Authority }

func (d *dies) Offer(ctx context.Context, server string, a kind.Account, v credential.Secret) (protocol.Reply, error) {
	reply, err := d.Authority.Offer(ctx, server, a, v)
	if d.in--; d.in == 0 {
		panic("killed")
	}
	return reply, err
}

// Vault locks a user at the fifth wrong login in a row and shows nobody how
// many there were. However many of its paths are stale, however many processes
// ask, and wherever they are killed, it is not Rollcall that locks it.
func TestAUserIsNotLockedByLooksHoweverManyOfItsPathsAreStale(t *testing.T) {
	store := openStore(t)
	for _, stale := range []int{1, 2, 3, 4, 8} {
		for _, killed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d, killed: %v", stale, killed), func(t *testing.T) {
				t.Parallel()
				c, old := newUser(t, nil)
				at(t, store, &c, append(stales(stale), old)...)
				dead := false
				for n := 0; n < 9 && !dead; n++ {
					au := New(worker, "vault", config.PasswordPolicy{}, nil).Counting(store)
					_, _ = au.Reads(t.Context(), c, append(stales(stale), old), []string{"kv/data/x"})
					r := &rotation.Rotator{Store: store, Authority: au, Campaign: c.Name, Pass: n + 1, Now: time.Now}
					if killed {
						r.Authority = &dies{au, 1 + n%2}
					}
					p := r.Prepare(t.Context(), c)
					if p.Stop != nil {
						require.Equal(t, protocol.ReasonNearLock, p.Stop.Reason, p.Stop.Detail)
						continue
					}
					func() {
						defer func() {
							if killed {
								_ = recover()
							}
						}()
						a := r.Apply(t.Context(), c, p.Attempt, p.Fresh)
						if dead = a.Dead(); !dead {
							require.Contains(t, []protocol.Reason{protocol.ReasonNearLock, protocol.ReasonUnproved, protocol.ReasonInterrupted}, a.Stop.Reason, a.Stop.Detail)
						}
					}()
				}
				live, err := store.ReadLive(t.Context(), c.Paths[stale], 0)
				require.NoError(t, err)
				staged, _, err := store.ReadStaged(t.Context(), c.ID)
				require.NoError(t, err)
				values := []credential.Secret{live.Value, staged.Secret}
				in := false
				for _, v := range values {
					_, err := tryLogin(t, c.Name, v)
					in = in || err == nil
				}
				require.True(t, in, "whoever has what is in force is let in")
				require.Equal(t, protocol.Accepted, account(t, authority(), c).State)
				if stale == 1 && !killed {
					require.True(t, dead)
				}
			})
		}
	}
}

// What is not offered, because that could lock the user, proves nothing: a path
// that nothing but its secret's own word ties to the user stays apart, however
// many campaigns have staged a value that no server ever had.
func TestWhatIsNotOfferedShowsOfNoPathWhoseItIs(t *testing.T) {
	store := openStore(t)
	for counted := range 5 {
		t.Run(fmt.Sprint(counted, " wrong logins are counted"), func(t *testing.T) {
			t.Parallel()
			c, old := newUser(t, nil)
			at(t, store, &c, credential.NewSecret("planted"))
			c.Named, c.Hearsay = nil, true
			for n := range 4 {
				au := New(worker, "vault", config.PasswordPolicy{}, nil).Counting(store)
				r := &rotation.Rotator{Store: store, Authority: au, Campaign: fmt.Sprint(c.Name, "-", n), Pass: 1, Now: time.Now}
				p := r.Prepare(t.Context(), c)
				stop := p.Stop
				if stop == nil {
					a := r.Apply(t.Context(), c, p.Attempt, p.Fresh)
					require.Zero(t, a.SetAt)
					stop = a.Stop
				}
				require.NotNil(t, stop)
				require.Contains(t, []protocol.Reason{protocol.ReasonNearLock, protocol.ReasonUnproved, protocol.ReasonInterrupted}, stop.Reason, stop.Detail)
				if n == 0 {
					for range counted {
						_, _, err := store.BeginLogin(t.Context(), c.ID, 99, time.Hour)
						require.NoError(t, err)
					}
				}
				live, err := store.ReadLive(t.Context(), c.Paths[0], 0)
				require.NoError(t, err)
				require.Equal(t, 1, live.Version, "nothing is written where whoever planted it reads")
				_, err = tryLogin(t, c.Name, old)
				require.NoError(t, err, "nothing was set")
			}
		})
	}
}

// A login that waits for a second factor ends no count, so the wrong ones of a
// proof add up, pass by pass.
func TestAUserWithASecondFactorIsNotLockedByProofs(t *testing.T) {
	store := openStore(t)
	c, old := newUser(t, nil)
	login(t, c.Name, old)
	secondFactor(t, c)
	at(t, store, &c, old)
	dead := 0
	for n := range 8 {
		r := &rotation.Rotator{Store: store, Authority: New(server.Client(), "vault", config.PasswordPolicy{}, nil).Counting(store), Campaign: c.Name, Pass: n + 1, Now: time.Now}
		p := r.Prepare(t.Context(), c)
		require.Nil(t, p.Stop)
		a := r.Apply(t.Context(), c, p.Attempt, p.Fresh)
		if a.Dead() {
			dead++
			continue
		}
		require.Equal(t, protocol.ReasonNearLock, a.Stop.Reason, a.Stop.Detail)
		require.True(t, a.Stop.Until.After(time.Now()))
	}
	require.Equal(t, 3, dead)
	require.Equal(t, protocol.Accepted, account(t, authority(), c).State)
}

// replaces is an authority of which somebody sets another password after each
// of ours.
type replaces struct {
	*Authority
	t *testing.T
}

func (r *replaces) Unwrap() kind.Authority { return r.Authority }

func (r *replaces) Set(ctx context.Context, a kind.Account, v, old credential.Secret) error {
	err := r.Authority.Set(ctx, a, v, old)
	if err == nil {
		mount, name, _ := strings.Cut(a.Subject, "/")
		admin(r.t, "auth/"+mount+"/users/"+name+"/password", map[string]any{"password": "another"})
	}
	return err
}

// However few wrong logins lock, what is set is tried only where that may be
// wrong: else nothing is set, and the next pass goes on when they are
// forgotten.
func TestNothingIsSetWhereTheLoginThatTriesItCouldLock(t *testing.T) {
	store := openStore(t)
	for _, locks := range []int{2, 3, 5} {
		t.Run(fmt.Sprint(locks), func(t *testing.T) {
			t.Parallel()
			mount := fmt.Sprint("few-", locks)
			admin(t, "sys/auth/"+mount, map[string]any{"type": "userpass"})
			admin(t, "sys/auth/"+mount+"/tune", map[string]any{"user_lockout_config": map[string]any{"lockout_threshold": fmt.Sprint(locks)}})
			old := credential.NewSecret("stolen")
			admin(t, "auth/"+mount+"/users/u", map[string]any{"password": old.Reveal()})
			c := credential.Credential{ID: "vault/" + mount + "/u", Kind: credential.UserpassPassword, Authority: credential.VaultAuthority, Subject: mount + "/u", Name: mount + "/u"}
			at(t, store, &c, old)
			wrong := func() {
				_, err := server.Client().Logical().WriteWithContext(t.Context(), "auth/"+mount+"/login/u", map[string]any{"password": "guess"})
				require.Error(t, err)
				_, _, err = store.BeginLogin(t.Context(), c.ID, 99, time.Hour)
				require.NoError(t, err)
			}
			au := New(server.Client(), "vault", config.PasswordPolicy{}, nil).Counting(store)
			reply, err := au.Try(t.Context(), "vault", account(t, au, c), old)
			require.NoError(t, err)
			require.Equal(t, protocol.Accepted, reply)
			r := &rotation.Rotator{Store: store, Authority: &beforeSet{&replaces{au, t}, func() {
				for range locks - 1 {
					wrong()
				}
			}}, Campaign: c.Name, Pass: 1, Now: time.Now}
			p := r.Prepare(t.Context(), c)
			require.Nil(t, p.Stop)
			a := r.Apply(t.Context(), c, p.Attempt, p.Fresh)
			require.Equal(t, protocol.ReasonNearLock, a.Stop.Reason, a.Stop.Detail)
			require.Equal(t, protocol.Intent, a.Step, "what was not sent is not half done, and an abort does not bring it to its end")
			require.Equal(t, protocol.Accepted, account(t, au, c).State)
			staged, _, err := store.ReadStaged(t.Context(), c.ID)
			require.NoError(t, err)
			require.True(t, staged.Unsent, "nothing was sent")
			_, err = server.Client().Logical().WriteWithContext(t.Context(), "auth/"+mount+"/login/u", map[string]any{"password": old.Reveal()})
			require.NoError(t, err, "nothing was set, and nobody is locked")
			require.NoError(t, store.EndLogins(t.Context(), c.ID, locks-1))
			r = &rotation.Rotator{Store: store, Authority: New(server.Client(), "vault", config.PasswordPolicy{}, nil).Counting(store), Campaign: c.Name, Pass: 2, Now: time.Now}
			p = r.Prepare(t.Context(), c)
			require.Nil(t, p.Stop)
			a = r.Apply(t.Context(), c, p.Attempt, p.Fresh)
			require.True(t, a.Dead(), "%+v", a.Stop)
		})
	}
}

// beforeSet has others do something right before a password is set.
type beforeSet struct {
	*replaces
	do func()
}

func (b *beforeSet) Set(ctx context.Context, a kind.Account, v, old credential.Secret) error {
	b.do()
	return b.replaces.Set(ctx, a, v, old)
}

// What was right a moment ago is offered without a count. Several that ask at
// once offered it as often, before the first of them knew that it is wrong.
func TestWhatWasRightAMomentAgoIsOfferedByOneAtATime(t *testing.T) {
	store := openStore(t)
	c, old := newUser(t, nil)
	au := New(worker, "vault", config.PasswordPolicy{}, nil).Counting(store)
	a := account(t, au, c)
	reply, err := au.Try(t.Context(), "vault", a, old)
	require.NoError(t, err)
	require.Equal(t, protocol.Accepted, reply)
	admin(t, "auth/userpass/users/"+c.Name+"/password", map[string]any{"password": "another"})
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() { _, _ = au.Offer(t.Context(), "vault", a, old) })
	}
	all.Wait()
	require.Equal(t, protocol.Accepted, account(t, au, c).State)
	login(t, c.Name, credential.NewSecret("another"))
}
