package intruder

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/lab"
)

// begun starts a server of the lab and ends it with the test, or before.
func begun[O any, S interface{ Stop(context.Context) error }](t *testing.T, start func(context.Context, O) (S, error), o O) (S, func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	s, err := start(ctx, o)
	require.NoError(t, err)
	end := func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(t, s.Stop(ctx))
	}
	t.Cleanup(end)
	return s, end
}

// At the services of machines and networks the intruder gets in with the right
// value alone, is refused with a wrong one, and takes a server that is gone for
// no refusal: whoever judges by him is told the truth.
func TestTheIntruderGetsInAtEachServiceWithTheRightValueAlone(t *testing.T) {
	t.Parallel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	const uid = "svc-0001"
	accounts := lab.SeedAccounts("svc-", 1)
	right := accounts[0].Password
	files, endFiles := begun(t, lab.StartSMBD, lab.SMBDOptions{Dir: t.TempDir(), Accounts: accounts, Global: []string{"map to guest = bad user", "guest account = nobody"}})
	shell, endShell := begun(t, lab.StartSSHD, lab.SSHDOptions{Dir: t.TempDir(), Accounts: accounts})
	database, endDatabase := begun(t, lab.StartMariaDB, lab.MariaDBOptions{Dir: t.TempDir(), CA: ca, SQL: []string{"CREATE USER '" + uid + "'@'%' IDENTIFIED BY '" + right + "' REQUIRE SSL"}})
	agent, endAgent := begun(t, lab.StartSNMPD, lab.SNMPDOptions{Dir: t.TempDir(), Config: []string{"createUser " + uid + " SHA " + right, "rouser " + uid + " authNoPriv", "rocommunity " + right + " 127.0.0.1"}})
	directory, _ := begun(t, lab.StartSlapd, lab.SlapdOptions{Dir: t.TempDir(), CA: ca, Accounts: accounts})
	network, endNetwork := begun(t, lab.StartFreeRADIUS, lab.FreeRADIUSOptions{Dir: t.TempDir(), Directory: directory})
	proxy, endProxy := begun(t, lab.StartSquid, lab.SquidOptions{Dir: t.TempDir(), CA: ca, Directory: directory})
	for _, row := range []struct {
		server string
		end    func() // of the server; nil where it is asked again below
	}{
		{"smb://" + files.Address(), endFiles},
		{"ssh://" + shell.Address("password"), nil},
		{"ssh://" + shell.Address("prompt"), endShell},
		{"mysql://" + database.Address(), endDatabase},
		{"snmp://" + agent.Address(), nil},
		{"snmpv2c://" + agent.Address(), endAgent},
		{"radius://" + network.Address(), endNetwork},
		{"https-proxy://" + proxy.Address("https") + "/" + proxy.Target, nil},
		{"http-proxy://" + proxy.Address("http") + "/" + proxy.Target, endProxy},
	} {
		server, end := row.server, row.end
		t.Run(server, func(t *testing.T) {
			d, err := newDoor(doorKey{server: server, kind: Service, ca: string(ca.PEM)})
			require.NoError(t, err)
			try := func(user, value string) answer {
				a, detail, _ := (<-d.pool).try(t.Context(), newTarget(Stolen{User: user, Password: value, Shared: network.Secret}, server, Login))
				d.pool <- newServiceOpener(d)
				t.Logf("%s: %s %s", user, a, detail)
				require.NotContains(t, detail, value)
				return a
			}
			require.Equal(t, accepted, try(uid, right))
			require.Equal(t, refused, try(uid, "not-"+right))
			require.Equal(t, accepted, try(uid, right))
			if server == "smb://"+files.Address() {
				require.NotEqual(t, accepted, try("nobody-of-that-name", right), "a guest's session is nobody's")
			}
			if end != nil {
				end()
				require.Equal(t, noAnswer, try(uid, right), "it is gone")
			}
		})
	}
}
