package directory

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
)

func TestMachinesAreToldApartByWhatDiffersAndByAStateThatGoesBack(t *testing.T) {
	see := func(certificate, started, csn string) sight {
		return sight{fixed: map[string]string{"certificate": certificate, "time of start": started}, grows: map[string]string{"contextCSN of server 001": csn}}
	}
	for name, row := range map[string]struct {
		sights []sight
		words  string
	}{
		"one machine":                     {[]sight{see("a", "1", "5"), see("a", "1", "5")}, ""},
		"one machine that is changed":     {[]sight{see("a", "1", "5"), see("a", "1", "6"), see("a", "1", "7")}, ""},
		"one that shows less to some":     {[]sight{see("a", "1", "5"), see("a", "", ""), see("a", "1", "5")}, ""},
		"two certificates":                {[]sight{see("a", "1", "5"), see("b", "1", "5")}, "certificate was a on one connection and b on another"},
		"two times of start":              {[]sight{see("a", "1", "5"), see("a", "1", "5"), see("a", "2", "5")}, "time of start was 1"},
		"a state that goes back":          {[]sight{see("a", "1", "5"), see("a", "1", "4")}, "older state"},
		"forward, and back at the return": {[]sight{see("a", "1", "4"), see("a", "1", "5"), see("a", "1", "4")}, "older state"},
	} {
		t.Run(name, func(t *testing.T) {
			got := contradiction(row.sights)
			if row.words == "" {
				require.Empty(t, got)
				return
			}
			require.Contains(t, got, row.words)
		})
	}
}

// Behind the address stand a replica that follows and one that does not, with
// one certificate and started at one time, as far as the identity may see.
func TestSeveralMachinesBehindOneAddressAreNoServer(t *testing.T) {
	ca, err := lab.NewCA()
	require.NoError(t, err)
	provider := startSlapd(t, lab.SlapdOptions{CA: ca, Accounts: lab.SeedAccounts("user", 3)})
	follows := startSlapd(t, lab.SlapdOptions{CA: ca, ReplicaOf: provider})
	stale := startSlapd(t, lab.SlapdOptions{CA: ca, ReplicaOf: provider, LooksLike: follows})
	b, err := lab.StartBalancer("127.0.0.1:0", follows.LDAPS())
	require.NoError(t, err)
	t.Cleanup(b.Close)
	address := "ldaps://" + b.Addr()
	d := configOf(provider)
	d.Servers = []string{provider.LDAPS(), address}
	// The partner reads no cn=Monitor, as most identities.
	d.Bind.DN = provider.PartnerDN
	c := open(t, d, provider.PartnerPassword)

	machine := func() Check { return byWhat(c.Check(t.Context()))["machine"] }
	require.True(t, machine().OK, "%+v", machine())
	require.Contains(t, machine().Detail, "as far as it shows")
	b.Behind(follows.LDAPS(), stale.LDAPS())
	require.True(t, machine().OK, "they are in step, so nothing tells")

	e, found, err := c.one(t.Context(), provider.LDAPS(), "", provider.AccountDN("user0001"), 0, "(objectClass=*)", []string{"entryUUID"})
	require.NoError(t, err)
	require.True(t, found)
	id := e.ID
	again := func() Again {
		seen, err := c.LookAgain(t.Context(), address, []string{id}, 3, c.Changed)
		require.NoError(t, err)
		return seen
	}
	require.Empty(t, again().Contradicts)
	before := again().Marks[id]
	stale.PauseReplication()
	require.NoError(t, c.ResetPassword(t.Context(), provider.AccountDN("user0001"), credential.NewSecret("fresh-and-long-1"), credential.Secret{}))
	require.NoError(t, follows.AwaitReplication(t.Context()))
	require.Contains(t, again().Contradicts, "as it was before its last change")
	require.Greater(t, again().Marks[id], before)
	bad := machine()
	require.False(t, bad.OK)
	require.True(t, bad.Stops)
	require.Equal(t, address, bad.Server)
	require.Contains(t, bad.Detail, "several machines answer at this address: one connection showed an older state")
	require.Contains(t, bad.Do, "ldaps://NAME@ADDRESS")
	b.Behind(stale.LDAPS())
	require.Empty(t, again().Contradicts, "one that lags is no contradiction")
	require.Equal(t, before, again().Marks[id])
	require.NoError(t, stale.ResumeReplication(t.Context()))

	// One of them has another certificate.
	b.Behind(follows.LDAPS(), provider.LDAPS())
	require.Contains(t, machine().Detail, "certificate (SHA-256)")
	require.Contains(t, again().Contradicts, "certificate (SHA-256)")
}
