package approlesecretid

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
	"rollcall/internal/rotation"
	"rollcall/internal/vault"
)

// A role may have two secret-ids, each at a path that somebody reads. Both
// paths get the new one, which serves both consumers, and both old ones are
// destroyed with what they minted. Secret-ids whose logins are counted are
// looked up, and no wrong login is spent on a path that is stale.
func TestBothPathsOfARoleWithTwoSecretIDsGetTheNewOne(t *testing.T) {
	store := openStore(t)
	for _, row := range []struct {
		name          string
		role          map[string]any
		first, second map[string]any // what is set of each secret-id
		uses          int64
		killed        bool // between Set and the first activation
	}{
		{name: "as usual"},
		{name: "killed after Set", killed: true},
		{name: "their logins are counted", first: map[string]any{"num_uses": 3}, second: map[string]any{"num_uses": 9}, uses: 10},
		{name: "their logins are counted, and killed after Set", first: map[string]any{"num_uses": 3}, second: map[string]any{"num_uses": 9}, uses: 10, killed: true},
		{name: "those of one are counted", first: map[string]any{"num_uses": 3}},
		{name: "more than the role gives", role: map[string]any{"secret_id_num_uses": 9}, first: map[string]any{"num_uses": 4}, second: map[string]any{"num_uses": 9}, uses: 9},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, first := withSecretID(t, row.role, row.first)
			second := credential.NewSecret(admin(t, "auth/approle/role/"+c.Name+"/secret-id", row.second).Data["secret_id"].(string))
			values := []credential.Secret{first, credential.NewSecret("stale"), second}
			for n := range 4 { // with the others more than Vault counts before it locks a role
				values = append(values, credential.NewSecret(fmt.Sprint("stale ", n)))
			}
			for i, value := range values {
				p := credential.Path{Mount: "rollcall", Path: fmt.Sprint("device/", c.Name, "/", i), Field: "secret_id"}
				_, err := store.Activate(t.Context(), p, vault.Live{}, value, "")
				require.NoError(t, err)
				c.Paths = append(c.Paths, p)
			}
			c.Named = c.Paths
			tokens := []string{login(t, c, first), login(t, c, second)}
			rotator := func() *rotation.Rotator {
				return &rotation.Rotator{Store: store, Authority: New(server.Client(), "vault"), Campaign: c.Name, Pass: 1, Now: time.Now}
			}
			p := rotator().Prepare(t.Context(), c)
			require.Nil(t, p.Stop)
			if row.killed {
				r := &reader{store, t, c, first, tokens[0], 0, true}
				rot := rotator()
				rot.Store = r
				require.Panics(t, func() { rot.Apply(t.Context(), c, p.Attempt, p.Fresh) })
			}
			a := rotator().Apply(t.Context(), c, p.Attempt, p.Fresh && !row.killed)
			require.True(t, a.Dead(), "%+v", a.Stop)
			require.Equal(t, protocol.ProofBind, a.Proof)
			for _, f := range a.Findings {
				require.NotEqual(t, credential.FindingExtraSecretIDs, f.Code, "whoever reads either path goes on")
				if f.Code == credential.FindingStalePath {
					require.Equal(t, "path 2, 4, 5, 6, 7 of 7", f.Detail)
				}
			}
			one, err := store.ReadLive(t.Context(), c.Paths[0], 0)
			require.NoError(t, err)
			other, err := store.ReadLive(t.Context(), c.Paths[2], 0)
			require.NoError(t, err)
			require.True(t, one.Value.Equal(other.Value))
			au := New(server.Client(), "vault")
			for i, stolen := range []credential.Secret{first, second} {
				has, err := au.Has(t.Context(), account(t, au, c), stolen)
				require.NoError(t, err)
				require.False(t, has)
				require.False(t, alive(t, tokens[i]))
			}
			left, err := au.UsesLeft(t.Context(), account(t, au, c), one.Value)
			require.NoError(t, err)
			require.Equal(t, row.uses, left, "as many as both had together, for both use it, and none was spent on the proof")
			login(t, c, one.Value)
		})
	}
}

// Five wrong logins lock a role, and where its secret-ids are counted no good
// one ends the count: none is made with what its paths hold and it never had,
// neither before Set nor in the proof.
func TestWhatARoleNeverHadLocksItNowhere(t *testing.T) {
	store := openStore(t)
	for _, row := range []struct {
		name  string
		stale int // paths before the one that is good, by far more than lock it
		good  bool
		proof protocol.Proof
	}{
		{"the good one is the last", 6, true, protocol.ProofBind},
		{"none is good", 6, false, protocol.ProofRevoked},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, first := withSecretID(t, nil, map[string]any{"num_uses": 50})
			var values []credential.Secret
			for n := range row.stale {
				values = append(values, credential.NewSecret(fmt.Sprint("stale-", n)))
			}
			if row.good {
				values = append(values, first)
			}
			at := func(name any) credential.Path {
				return credential.Path{Mount: "rollcall", Path: fmt.Sprint("device/", c.Name, "/", name), Field: "secret_id"}
			}
			for i, value := range values {
				_, err := store.Activate(t.Context(), at(i), vault.Live{}, value, "")
				require.NoError(t, err)
				c.Paths = append(c.Paths, at(i))
			}
			spare := at("own")
			c.Named, c.Spare = c.Paths, &spare
			r := &rotation.Rotator{Store: store, Authority: New(server.Client(), "vault"), Campaign: c.Name, Pass: 1, Now: time.Now}
			p := r.Prepare(t.Context(), c)
			require.Nil(t, p.Stop)
			a := r.Apply(t.Context(), c, p.Attempt, p.Fresh)
			require.True(t, a.Dead(), "%+v", a.Stop)
			require.Equal(t, row.proof, a.Proof)
			new := spare
			if row.good {
				new = c.Paths[row.stale]
			}
			live, err := store.ReadLive(t.Context(), new, 0)
			require.NoError(t, err)
			login(t, c, live.Value)
		})
	}
}

// Nor do the secret-ids that it had, of which each is refused once after the
// rotation.
func TestARoleWithMoreCountedSecretIDsThanLockItIsNotLocked(t *testing.T) {
	store := openStore(t)
	c, first := withSecretID(t, nil, map[string]any{"num_uses": 5})
	values := []credential.Secret{first}
	for range 6 {
		values = append(values, credential.NewSecret(admin(t, "auth/approle/role/"+c.Name+"/secret-id", map[string]any{"num_uses": 5}).Data["secret_id"].(string)))
	}
	for i, value := range values {
		p := credential.Path{Mount: "rollcall", Path: fmt.Sprint("device/", c.Name, "/", i), Field: "secret_id"}
		_, err := store.Activate(t.Context(), p, vault.Live{}, value, "")
		require.NoError(t, err)
		c.Paths = append(c.Paths, p)
	}
	c.Named = c.Paths
	r := &rotation.Rotator{Store: store, Authority: New(server.Client(), "vault"), Campaign: c.Name, Pass: 1, Now: time.Now}
	p := r.Prepare(t.Context(), c)
	require.Nil(t, p.Stop)
	a := r.Apply(t.Context(), c, p.Attempt, p.Fresh)
	require.True(t, a.Dead(), "%+v", a.Stop)
	live, err := store.ReadLive(t.Context(), c.Paths[0], 0)
	require.NoError(t, err)
	login(t, c, live.Value)
}

// Where a role lets in from other addresses alone no login of Rollcall's is
// good, so its wrong ones add up, pass by pass. They are counted where the next
// process finds them, and end before they lock the role.
func TestARoleThatLetsInFromElsewhereAloneIsNotLockedByProofs(t *testing.T) {
	store := openStore(t)
	for _, row := range []struct {
		name  string
		tune  map[string]any
		proof int // passes that offered the old secret-id
	}{{"as Vault comes", nil, 3}, {"the second locks", map[string]any{"lockout_threshold": "2"}, 1}, {"none locks", map[string]any{"lockout_disable": true}, 7}} {
		t.Run(row.name, func(t *testing.T) {
			mount := "tuned-" + strings.ReplaceAll(row.name, " ", "-")
			require.NoError(t, server.Client().Sys().EnableAuthWithOptions(mount, &vaultapi.EnableAuthOptions{Type: "approle"}))
			if row.tune != nil {
				admin(t, "sys/auth/"+mount+"/tune", map[string]any{"user_lockout_config": row.tune})
			}
			admin(t, "auth/"+mount+"/role/esg", map[string]any{"secret_id_num_uses": 90, "secret_id_bound_cidrs": "192.0.2.0/24"})
			old := credential.NewSecret(admin(t, "auth/"+mount+"/role/esg/secret-id", nil).Data["secret_id"].(string))
			at := credential.Path{Mount: "rollcall", Path: "device/" + mount, Field: "secret_id"}
			c := credential.Credential{ID: "vault/" + mount + "/esg", Kind: credential.AppRoleSecretID, Authority: credential.VaultAuthority, Subject: mount + "/esg", Name: "esg", Paths: []credential.Path{at}, Named: []credential.Path{at}}
			_, err := store.Activate(t.Context(), at, vault.Live{}, old, "")
			require.NoError(t, err)
			dead := 0
			for n := range 7 {
				au := New(server.Client(), "vault").Counting(store)
				r := &rotation.Rotator{Store: store, Authority: au, Campaign: c.ID, Pass: n + 1, Now: time.Now}
				p := r.Prepare(t.Context(), c)
				require.Nil(t, p.Stop, "pass %d", n+1)
				a := r.Apply(t.Context(), c, p.Attempt, p.Fresh)
				if a.Dead() {
					dead++
					continue
				}
				require.Equal(t, protocol.ReasonNearLock, a.Stop.Reason, a.Stop.Detail)
				require.Equal(t, protocol.Prove, a.Step)
				require.True(t, a.Stop.Until.After(time.Now()))
			}
			require.Equal(t, row.proof, dead)
			admin(t, "auth/"+mount+"/role/esg", map[string]any{"secret_id_bound_cidrs": "127.0.0.0/8"})
			live, err := store.ReadLive(t.Context(), at, 0)
			require.NoError(t, err)
			id, err := server.Client().Logical().ReadWithContext(t.Context(), "auth/"+mount+"/role/esg/role-id")
			require.NoError(t, err)
			device := server.Client()
			device.ClearToken()
			_, err = device.Logical().WriteWithContext(t.Context(), "auth/"+mount+"/login", map[string]any{"role_id": id.Data["role_id"], "secret_id": live.Value.Reveal()})
			require.NoError(t, err, "its consumer is let in")
		})
	}
}

// twin is another process that rotates the role while this one looks.
type twin struct {
	*Authority
	does func()
}

func (w *twin) Has(ctx context.Context, a kind.Account, value credential.Secret) (bool, error) {
	if w.does != nil {
		w.does()
		w.does = nil
	}
	return w.Authority.Has(ctx, a, value)
}

// TestATwinThatRetiresWhileItIsLookedMakesNoPathStale, although the role has by
// then no secret-id that a path holds.
func TestATwinThatRetiresWhileItIsLookedMakesNoPathStale(t *testing.T) {
	store := openStore(t)
	for _, second := range []bool{true, false} {
		c, first := withSecretID(t, nil, nil)
		values := []credential.Secret{first}
		if second {
			values = append(values, newSecretID(t, c))
		}
		for i, value := range values {
			p := credential.Path{Mount: "rollcall", Path: fmt.Sprint("device/", c.Name, "/", i), Field: "secret_id"}
			_, err := store.Activate(t.Context(), p, vault.Live{}, value, "")
			require.NoError(t, err)
			c.Paths = append(c.Paths, p)
		}
		spare := credential.Path{Mount: "rollcall", Path: fmt.Sprint("device/", c.Name, "/own"), Field: "secret_id"}
		c.Named, c.Spare = c.Paths, &spare
		au := New(server.Client(), "vault")
		slow := &twin{Authority: New(server.Client(), "vault")}
		r := &rotation.Rotator{Store: store, Authority: slow, Campaign: c.Name, Pass: 1, Now: time.Now}
		p := r.Prepare(t.Context(), c)
		require.Nil(t, p.Stop)
		slow.does = func() { // and it dies before it activates
			staged, _, err := store.ReadStaged(t.Context(), c.ID)
			require.NoError(t, err)
			a := account(t, au, c)
			a.Old = values
			require.NoError(t, au.Set(t.Context(), a, staged.Secret, first))
			_, _, err = au.Retire(t.Context(), a, staged.Secret)
			require.NoError(t, err)
		}
		var a rotation.Applied
		for range 3 {
			if a = r.Apply(t.Context(), c, p.Attempt, p.Fresh); a.Dead() {
				break
			}
			require.Equal(t, protocol.ReasonInterrupted, a.Stop.Reason, a.Stop.Detail)
			p.Fresh = false
		}
		require.True(t, a.Dead(), "%+v", a.Stop)
		for i := range values {
			live, err := store.ReadLive(t.Context(), c.Paths[i], 0)
			require.NoError(t, err)
			login(t, c, live.Value)
		}
	}
}
