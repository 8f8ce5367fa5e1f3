package activities

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/listing"
)

// oneDirectory holds that a directory which the file of one device names is the
// same one in another device's, whatever that calls it and by whichever of
// servers it reaches it.
func (f *files) oneDirectory(in config.Directory, servers ...string) {
	f.Helper()
	tunnel, err := lab.StartBalancer("127.0.0.1:0", servers[0])
	require.NoError(f, err)
	f.Cleanup(tunnel.Close)
	of := func(device, name, server string) *config.Campaign {
		spec := f.file(device)
		d := in
		d.Servers = []string{server}
		spec.Directories[name] = d
		return spec
	}
	require.NoError(f, f.begin("c1", of("esg-01", "corp", servers[0])))
	for _, by := range append([]string{"ldaps://" + tunnel.Addr()}, servers[1:]...) {
		other := of("vpn-01", "ldap", by)
		for _, err := range []error{f.list(other), f.begin("c2", other)} {
			var wrong *listing.NameError
			require.ErrorAs(f, err, &wrong, by)
			require.ErrorContains(f, err, "directory ldap: it shows the same of itself (")
			require.ErrorContains(f, err, "campaign c1 of device esg-01 had under the name corp")
			require.ErrorContains(f, err, "call it corp in this file")
		}
		known, err := f.store.NamedDirectories(f.ctx)
		require.NoError(f, err)
		require.NotContains(f, known, "ldap", "a name that was refused stands for nothing")
	}
	copied := of("lab-01", "lab", "ldaps://"+tunnel.Addr())
	copied.Accept = []config.Accept{{Directory: "lab", Finding: credential.FindingSameIDs, Reason: "restored for tests"}}
	require.NoError(f, f.begin("c3", copied), "a person says that it is a copy")
	require.NoError(f, f.begin("c4", of("esg-01", "corp", servers[0])), "the device whose name it is goes on")
}

func (f *files) login(dn, at, password string) config.Bind {
	f.Helper()
	return config.Bind{DN: dn, Password: f.secretAt(at, password)}
}

func TestA389DirectoryServerIsOneInTheFilesOfAllDevicesByWhateverNameAndAddress(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	start := func(o lab.DS389Options) *lab.DS389 {
		o.Dir, o.CA = t.TempDir(), ca
		s, err := lab.StartDS389(ctx, o)
		require.NoError(t, err)
		t.Cleanup(func() { _ = s.Stop(context.Background()) })
		return s
	}
	supplier := start(lab.DS389Options{Accounts: lab.SeedAccounts("svc", 2)})
	consumer := start(lab.DS389Options{ReplicaOf: supplier})
	f := newFiles(t)
	f.oneDirectory(config.Directory{
		Driver: config.DS389, Base: supplier.BaseDN(), CA: supplier.CA, Timeout: config.Duration(time.Minute),
		Bind: f.login(supplier.BinderDN, "ds", supplier.BinderPassword),
	}, supplier.LDAPS(), consumer.LDAPS())
}

func TestADomainIsOneInTheFilesOfAllDevicesByWhateverNameAndController(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	pair, err := lab.StartSambaPair(ctx, lab.SambaOptions{Dir: t.TempDir(), CA: ca, Accounts: lab.SeedAccounts("svc", 2)})
	require.NoError(t, err)
	t.Cleanup(func() { _ = pair.Stop(context.Background()) })
	f := newFiles(t)
	f.oneDirectory(config.Directory{
		Driver: config.ActiveDirectory, Base: pair.First.BaseDN(), CA: pair.First.CA, Timeout: config.Duration(time.Minute),
		Bind: f.login(pair.First.BinderDN, "ad", pair.First.BinderPassword),
	}, pair.First.LDAPS(), pair.Second.LDAPS())
}
