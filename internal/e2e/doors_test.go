package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/mail"
	"rollcall/internal/estate"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

// startDovecot puts a mail server with a cache of logins in front of the
// estate's directory.
func startDovecot(t *testing.T, e *estate.Estate, cache time.Duration) *lab.Dovecot {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	dir := filepath.Join(e.Dir, "dovecot")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	s, err := lab.StartDovecot(ctx, lab.DovecotOptions{Dir: dir, CA: e.CA, Directory: e.Slapd, Cache: cache, AtOnce: true})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(t, s.Stop(ctx))
	})
	return s
}

// A mail server remembers logins for an hour: it takes the stolen values after
// the directory refuses them, and remembers wrong ones as well. A value is dead
// only once it is refused there, and the ledger says so to whoever verifies it.
func TestAStolenValueIsDeadOnlyOnceTheMailServerRefusesItAsWell(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 2})
	m := startDovecot(t, e, time.Hour)
	settings := door.Settings{Type: "imaps", Address: m.Address("imaps"), TLS: door.Implicit, CA: string(e.CA.PEM), Timeout: time.Minute}
	imap := mail.OpenIMAP(settings)
	first, second := accountsNamed(e, "svc-esg-0001")[0], accountsNamed(e, "svc-esg-0002")[0]
	asks := func(a stolenAccount, value string) protocol.Reply {
		return imap.Ask(t.Context(), a.uid(), credential.NewSecret(value)).Reply
	}
	require.Equal(t, protocol.Accepted, asks(first, first.Password), "it is remembered")
	require.Equal(t, protocol.Accepted, asks(second, second.Password))

	doors := func(address string) string {
		return fmt.Sprintf("doors:\n  mail:\n    type: imaps\n    address: %q\n    ca_file: ca.pem\n    for: [{directory: corp}]\n", address)
	}
	file, err := e.CampaignFile(nil, "limits: {retry_min: 200ms, retry_max: 1s, deadline: 5m, batch: 20}\n"+doors(m.Address("imaps")))
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")
	require.Contains(t, u.must("doctor"), "a user that cannot exist is refused")
	require.Contains(t, u.must("plan"), "mail, imaps://"+m.Address("imaps")+": 2 credentials, as {account}")
	out := u.must("run")
	require.Contains(t, out, "2 of 2 values refused as stolen")
	for _, a := range []stolenAccount{first, second} {
		require.Equal(t, protocol.Refused, asks(a, a.Password), "nor is it in the cache any more")
	}
	for _, c := range u.ledger().Credentials {
		require.Len(t, c.AtDoors, 1)
		require.Equal(t, protocol.Refused, c.AtDoors[0].Old)
	}

	// The service is gone: nothing is dead, and the values are in place.
	require.NoError(t, m.Stop(t.Context()))
	_, err = e.CampaignFile(nil, "limits: {retry_min: 200ms, retry_max: 1s, deadline: 2s, batch: 20}\n"+doors(freeAddress(t)))
	require.NoError(t, err)
	require.Equal(t, 1, u.run("doctor").code)
	r := u.run("run")
	require.Equal(t, 2, r.code, "%s%s", r.out, r.err)
	require.Contains(t, r.out, "silent-door")
	for _, c := range u.ledger().Credentials {
		require.Equal(t, protocol.ReasonDoorSilent, c.Reason)
		require.True(t, binds(t, e, e.Slapd.LDAPS(), c.Name, live(t, e, e.Live[c.ID])), "its consumers have the new value")
	}
}
