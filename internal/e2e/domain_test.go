package e2e

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/estate"
	"rollcall/internal/intruder"
	"rollcall/internal/lab"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

func TestACampaignOnADomainLeavesTheStolenPasswordsNoHour(t *testing.T) {
	e := startEstate(t, estate.Options{Accounts: 4, Domain: 40, Bystanders: 2})
	file, err := e.CampaignFile(nil, unhurried)
	require.NoError(t, err)
	u := newUser(t, e, file).edited("driver: active-directory\n", "driver: active-directory\n"+waitsLong)
	u.must("init")
	require.Contains(t, u.must("doctor"), "the right Unexpire Password on the domain: yes")
	require.Contains(t, u.must("plan"), string(credential.ADPassword))
	r := startRaid(t, e)

	ran := u.run("run")
	require.Zero(t, ran.code, ran.out+ran.err)
	results := r.end()

	state := u.ledger()
	require.Equal(t, ledger.Closed, state.Phase)
	require.Len(t, state.Credentials, 44)
	requireAllDead(t, state, results)
	requireConsumersServed(t, e)
	requireBystandersUntouched(t, e)
	requireClean(t, e)
	var slowest time.Duration
	for _, l := range state.Credentials {
		require.Empty(t, l.Findings, l.Name)
		if l.Kind == credential.ADPassword {
			require.Equal(t, protocol.ProofBind, l.Proof)
			require.Equal(t, 2, versions(t, e.Vault.Client(), e.Live[l.ID]), "consumers see one change")
			slowest = max(slowest, l.DeadAt.Sub(l.SetAt))
		}
	}
	t.Logf("from the first reset to the proof in the ledger: at most %s", slowest)
	for _, s := range e.Stolen {
		if strings.HasPrefix(s.ID, estate.DomainName+"/") {
			require.Equal(t, "0", domainAttr(t, e, s.DN, "lockoutTime"), "neither the intruder nor the proof locked %s", s.DN)
		}
	}
}

// domainAttr reads an attribute as the domain's Administrator; "0" if it is not
// there.
func domainAttr(t *testing.T, e *estate.Estate, dn, name string) string {
	t.Helper()
	return attrAt(t, e.Domain, dn, name)
}

// attrAt is domainAttr at one domain controller.
func attrAt(t *testing.T, dc *lab.Samba, dn, name string) string {
	t.Helper()
	conn, err := dc.AdminConn(context.Background())
	require.NoError(t, err)
	defer conn.Close()
	if v := readAttr(t, conn, dn, name); len(v) > 0 {
		return v[0]
	}
	return "0"
}

// inDomain are the stolen credentials of the domain.
func inDomain(e *estate.Estate) []intruder.Stolen {
	return slices.DeleteFunc(slices.Clone(e.Stolen), func(s intruder.Stolen) bool { return !strings.HasPrefix(s.ID, estate.DomainName+"/") })
}

// A build that resets once would call these dead too. The intruder must not be
// taken in by it.
func TestTheIntruderCatchesABuildThatResetsOnce(t *testing.T) {
	e := startEstate(t, estate.Options{Accounts: 1, Domain: 2})
	d := patientDirectoryOf(e, credential.ADPassword)
	client, err := directory.Open(estate.DomainName, d, func(context.Context) (credential.Secret, error) {
		return credential.NewSecret(e.Domain.BinderPassword), nil
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	var once, twice intruder.Stolen
	for _, s := range e.Stolen {
		if strings.HasPrefix(s.ID, estate.DomainName+"/") {
			once, twice = twice, s
		}
	}
	r := startRaid(t, e)
	for s, resets := range map[string]int{once.DN: 1, twice.DN: 2} {
		for range resets {
			require.NoError(t, client.ResetPassword(t.Context(), s, credential.NewSecret("The-same-value-twice-1"), credential.Secret{}))
		}
	}
	dead := time.Now()
	// Times are compared by the millisecond: the intruder's last try must fall
	// into a later one.
	require.Eventually(t, func() bool { return time.Since(dead) > 10*time.Millisecond }, time.Minute, time.Millisecond)
	wrong := intruder.Judge(r.end(), []intruder.Death{{ID: once.ID, At: dead}, {ID: twice.ID, At: dead}})
	require.Len(t, wrong, 1)
	require.Equal(t, once.ID, wrong[0].ID)
	require.Equal(t, intruder.GotIn, wrong[0].What)
}
