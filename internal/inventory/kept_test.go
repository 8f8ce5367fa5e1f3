package inventory

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAReadingAheadServesWhoComesInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := NewKept()
		began := time.Now()
		r, mine := k.share("ldap/static-role")
		require.True(t, mine)
		time.Sleep(keptTTL - time.Second)
		require.Equal(t, began.Round(0), k.Since(time.Now()), "a look that takes it over is as old as that")
		same, mine := k.share("ldap/static-role")
		require.False(t, mine)
		require.Same(t, r, same)
		_, mine = k.share("ldap/library")
		require.True(t, mine, "another folder")
		time.Sleep(time.Second)
		_, mine = k.share("ldap/static-role")
		require.True(t, mine, "too long ago")
		time.Sleep(2 * keptTTL)
		require.Empty(t, k.known, "nothing stays in memory")
		now := time.Now()
		require.Equal(t, now, k.Since(now))
	})
	var none *Kept
	now := time.Now()
	require.Equal(t, now, none.Since(now))
}

// A reading ahead may be broken off, or meet a Vault that is away for a moment:
// the listing then asks for itself.
func TestAReadingAheadThatFailedIsMadeAgain(t *testing.T) {
	servers(t)
	write(t, "sys/mounts/keeps-ahead", map[string]any{"type": "ldap"})
	t.Cleanup(func() { require.NoError(t, realVault.Client().Sys().Unmount("keeps-ahead")) })
	write(t, "keeps-ahead/config", map[string]any{"binddn": slapd.BinderDN, "bindpass": slapd.BinderPassword, "url": slapd.LDAPS(), "certificate": slapd.CA, "userdn": slapd.PeopleDN()})
	write(t, "keeps-ahead/static-role/one", map[string]any{"username": "alice", "skip_import_rotation": true, "rotation_period": "24h"})
	c := campaign()
	c.Directories["corp"] = corp()
	v := openVault(t, realVault.RootToken().Reveal())
	k := NewKept()
	gone, stop := context.WithCancel(t.Context())
	stop()
	k.ReadAhead(gone, c, v)

	l := newLister(t.Context(), c, Authorities{Kept: k}, v)
	defer l.end()
	entries, known, err := k.folder(t.Context(), l, "keeps-ahead/static-role", "username")
	require.NoError(t, err)
	require.True(t, known)
	require.Equal(t, []keptEntry{{name: "one", shown: true, data: map[string]any{"username": "alice"}}}, entries)

	// One that fails while the listing waits for it.
	at := "keeps-ahead/library"
	r, mine := k.share(at)
	require.True(t, mine)
	done := make(chan error, 1)
	go func() {
		_, _, err := k.folder(t.Context(), l, at, "service_account_names")
		done <- err
	}()
	r.err = context.Canceled
	k.drop(at, r)
	close(r.done)
	require.NoError(t, <-done)
}
