package userpasspassword

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
	"rollcall/internal/rotation"
)

// undone is an authority after each Set of which somebody sets another value.
type undone struct {
	*Authority
	t    *testing.T
	name string
	sets int
}

func (u *undone) Unwrap() kind.Authority { return u.Authority }

func (u *undone) Set(ctx context.Context, a kind.Account, new, old credential.Secret) error {
	err := u.Authority.Set(ctx, a, new, old)
	u.sets++
	admin(u.t, "auth/userpass/users/"+u.name+"/password", map[string]any{"password": fmt.Sprint("somebody-", u.sets)})
	return err
}

// What was set a moment ago is wrong where somebody sets another value each
// time, and its logins count as any other's.
func TestAUserIsNotLockedByTheProofOfWhatSomebodySetsAnewEachTime(t *testing.T) {
	store := openStore(t)
	for _, once := range []bool{false, true} {
		t.Run(fmt.Sprint("each pass is another process: ", once), func(t *testing.T) {
			t.Parallel()
			c, old := newUser(t, nil)
			at(t, store, &c, old)
			au := &undone{Authority: New(worker, "vault", config.PasswordPolicy{}, nil).Counting(store), t: t, name: c.Name}
			var last *protocol.Stop
			for n := range 8 {
				if once {
					au.Authority = New(worker, "vault", config.PasswordPolicy{}, nil).Counting(store)
				}
				r := &rotation.Rotator{Store: store, Authority: au, Campaign: c.Name, Pass: n + 1, Now: time.Now}
				p := r.Prepare(t.Context(), c)
				if last = p.Stop; last == nil {
					a := r.Apply(t.Context(), c, p.Attempt, p.Fresh)
					last = a.Stop
				}
				require.NotNil(t, last)
				require.Equal(t, protocol.Accepted, account(t, authority(), c).State, "pass %d ended %s: %s", n+1, last.Reason, last.Detail)
			}
			_, err := tryLogin(t, c.Name, credential.NewSecret(fmt.Sprint("somebody-", au.sets)))
			require.NoError(t, err)
			require.Equal(t, protocol.ReasonNearLock, last.Reason, last.Detail)
			require.True(t, last.Until.After(time.Now()))
		})
	}
}
