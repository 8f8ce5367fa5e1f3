package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/estate"
	"rollcall/internal/intruder"
	"rollcall/internal/kind"
	"rollcall/internal/kind/approlesecretid"
)

// builder rotates an estate with the program's own parts, in an order of its
// own.
type builder struct {
	t     *testing.T
	e     *estate.Estate
	raid  *raid
	roles *approlesecretid.Authority
	corp  *directory.Client
	fresh map[string]credential.Secret // by ledger id
}

func newBuilder(t *testing.T) *builder {
	t.Helper()
	b := &builder{t: t, e: startEstate(t, estate.Options{Accounts: 4, AppRoles: 2}), fresh: map[string]credential.Secret{}}
	b.roles = approlesecretid.New(b.e.Vault.Client(), "vault")
	var err error
	b.corp, err = directory.Open("corp", patientDirectoryOf(b.e, credential.LDAPPassword), func(context.Context) (credential.Secret, error) {
		return credential.NewSecret(b.e.Slapd.BinderPassword), nil
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.corp.Close()) })
	for _, s := range b.e.Stolen {
		b.fresh[s.ID], err = b.roles.Generate(t.Context(), credential.Credential{})
		require.NoError(t, err)
	}
	b.raid = startRaid(t, b.e)
	b.raid.listening()
	return b
}

func (b *builder) each(kind string, do func(s intruder.Stolen, fresh credential.Secret)) {
	for _, s := range b.e.Stolen {
		if s.Kind == kind {
			do(s, b.fresh[s.ID])
		}
	}
}

// setLogins gives each role its new secret-id beside the old one.
func (b *builder) setLogins() {
	b.each(intruder.AppRole, func(s intruder.Stolen, fresh credential.Secret) {
		require.NoError(b.t, b.roles.Set(b.t.Context(), kind.Account{Subject: s.ID[len("vault/"):]}, fresh, credential.Secret{}))
	})
}

// retireLogins ends the old secret-ids and what they minted.
func (b *builder) retireLogins() {
	b.each(intruder.AppRole, func(s intruder.Stolen, fresh credential.Secret) {
		_, _, err := b.roles.Retire(b.t.Context(), kind.Account{Subject: s.ID[len("vault/"):]}, fresh)
		require.NoError(b.t, err)
	})
}

// activateLogins writes the new secret-ids to where consumers read them.
func (b *builder) activateLogins() {
	b.each(intruder.AppRole, func(s intruder.Stolen, fresh credential.Secret) {
		b.write(s.ID, map[string]any{"role_id": s.RoleID, "secret_id": fresh.Reveal()})
	})
}

// rotateAccounts resets each account of the directory and writes its new
// password for consumers.
func (b *builder) rotateAccounts() {
	b.each(intruder.LDAP, func(s intruder.Stolen, fresh credential.Secret) {
		require.NoError(b.t, b.corp.ResetPassword(b.t.Context(), s.DN, fresh, credential.Secret{}))
		b.write(s.ID, map[string]any{"password": fresh.Reveal()})
	})
}

func (b *builder) write(id string, data map[string]any) {
	require.NoError(b.t, b.e.Vault.SeedKV(b.t.Context(), map[string]map[string]any{b.e.Live[id].Path: data}))
}

// untilRead waits until the intruder has read so many new values.
func (b *builder) untilRead(n int) {
	require.Eventually(b.t, func() bool {
		b.raid.send(intruder.Command{Command: intruder.Report})
		return b.raid.overheard().Sum.New >= n
	}, patience, tick)
}

// A build that rotates the accounts of the directory before the device's logins
// to Vault, and one that writes a new login where the old one can read it, call
// the same credentials dead as one that does neither, and every stolen value is
// dead. The intruder must not be taken in by it.
func TestTheJudgeCatchesABuildOfTheOldOrder(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		order func(*builder)
		// What the intruder has: accounts whose place its logins read, and the
		// logins.
		accounts, logins int
	}{
		"accounts before logins": {func(b *builder) {
			b.setLogins()
			b.rotateAccounts()
			b.untilRead(3)
			b.retireLogins()
			b.activateLogins()
		}, 3, 0},
		"logins activated before their old ones died": {func(b *builder) {
			b.setLogins()
			b.activateLogins()
			b.untilRead(2)
			b.retireLogins()
			b.rotateAccounts()
		}, 3, 2},
		"logins dead before anything new is written": {func(b *builder) {
			b.setLogins()
			b.retireLogins()
			b.activateLogins()
			b.rotateAccounts()
		}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBuilder(t)
			row.order(b)
			var claimed []intruder.Death
			dead := time.Now()
			for _, s := range b.e.Stolen {
				claimed = append(claimed, intruder.Death{ID: s.ID, At: dead})
			}
			// Times are compared by the millisecond: the intruder's last try
			// must fall into a later one.
			require.Eventually(t, func() bool { return time.Since(dead) > 10*time.Millisecond }, time.Minute, time.Millisecond)
			require.Empty(t, intruder.Judge(b.raid.end(), claimed), "every stolen value is dead, and so is what it minted")

			overheard := b.raid.overheard()
			require.Equal(t, 2, overheard.Sum.Logins)
			require.Greater(t, overheard.Sum.Reads, 5, "it read what was there before")
			accounts, logins := 0, 0
			for _, v := range overheard.Judge(claimed) {
				switch {
				case v.What == intruder.Minted:
					require.NotZero(t, row.logins, "%s", v)
				case b.e.Live[v.ID].Field == "secret_id":
					logins++
				default:
					accounts++
				}
			}
			require.Equal(t, row.accounts, accounts, "accounts that let the intruder in: %v", overheard.Judge(claimed))
			require.Equal(t, row.logins, logins, "logins to Vault that it has: %v", overheard.Judge(claimed))
		})
	}
}

// One after the other is the slowest order, and the one in which a login whose
// turn has not come could read what was written for the one before it.
func TestLoginsThatReadEachOthersPlacesTellTheIntruderNothing(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 4, AppRoles: 3, Users: 2, Bystanders: 1, LDAPLogin: true})
	file, err := e.CampaignFile(nil, "limits: {retry_min: 200ms, retry_max: 1s, deadline: 5m, parallel: 1}\n"+
		"waves:\n  - {name: logins, directory: vault, batch: 1}\n")
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")
	r := startRaid(t, e)
	r.send(intruder.Command{Command: intruder.Eavesdrop, EveryMS: 1})
	r.listening()
	ran := u.run("run")
	require.Zero(t, ran.code, ran.out+ran.err)
	results, state := r.end(), u.ledger()
	requireAllDead(t, state, results)
	r.requireNothingOverheard(state)
	requireConsumersServed(t, e)
}
