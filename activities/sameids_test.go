package activities

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/kind/registry"
	"rollcall/internal/lab"
	"rollcall/internal/listing"
	"rollcall/internal/postgres/settings"
	"rollcall/internal/vault/ownmount"
)

// files are campaign files of several devices, which share a Vault.
type files struct {
	*ground
	kinds *registry.Registry
}

func newFiles(t *testing.T) *files {
	f := &files{ground: newGround(t)}
	f.kinds = registry.New(f.store.Client)
	t.Cleanup(func() { _ = f.kinds.Close() })
	return f
}

func (f *files) file(device string) *config.Campaign {
	spec := *f.spec
	spec.Device, spec.Directories, spec.Systems = device, map[string]config.Directory{}, config.Systems{}
	return &spec
}

// begin is what a campaign does with the names of its file before it stages
// anything.
func (f *files) begin(campaign string, spec *config.Campaign) error {
	f.Helper()
	require.NoError(f, f.store.OpenCampaign(f.ctx, ownmount.CampaignRecord{Campaign: campaign, Device: spec.Device}))
	if err := listing.KeepShown(f.ctx, f.store, f.kinds, spec, campaign); err != nil {
		return err
	}
	return listing.KeepNames(f.ctx, f.store, spec, campaign)
}

// list is what a campaign, and whoever plans one, sees.
func (f *files) list(spec *config.Campaign) error {
	_, _, err := listing.List(f.ctx, f.store, f.kinds, spec, "dry")
	return err
}

// Two devices know one directory, by names and addresses of which none is in
// both files.
func TestADirectoryIsOneInTheFilesOfAllDevicesByWhateverNameAndAddress(t *testing.T) {
	f := newFiles(t)
	const whole = "dc=example,dc=org"
	tunnel, err := lab.StartBalancer("127.0.0.1:0", f.first.LDAPS())
	require.NoError(t, err)
	t.Cleanup(tunnel.Close)
	replica := f.slapd(lab.SlapdOptions{ReplicaOf: f.first})
	in := func(device, name string, d config.Directory) *config.Campaign {
		spec := f.file(device)
		spec.Directories[name] = d
		return spec
	}
	require.NoError(t, f.begin("c1", in("esg-01", "corp", f.directory(whole, f.first.LDAPS()))))
	for name, d := range map[string]config.Directory{
		"by a forwarder": f.directory(whole, "ldaps://"+tunnel.Addr()),
		"a part of it":   f.directory(f.first.PeopleDN(), "ldaps://"+tunnel.Addr()),
		"by a replica":   f.directory(whole, replica.LDAPS()),
	} {
		t.Run(name, func(t *testing.T) {
			f := &files{ground: f.ground, kinds: f.kinds}
			var wrong *listing.NameError
			for _, err := range []error{f.list(in("vpn-01", "ldap", d)), f.begin("c2", in("vpn-01", "ldap", d))} {
				require.ErrorAs(t, err, &wrong)
				require.ErrorContains(t, err, "directory ldap: it shows the same of itself (")
				require.ErrorContains(t, err, "campaign c1 of device esg-01 had under the name corp")
				require.ErrorContains(t, err, "call it corp in this file")
			}
		})
	}
	known, err := f.store.NamedDirectories(f.ctx)
	require.NoError(t, err)
	require.NotContains(t, known, "ldap", "a name that was refused stands for nothing")
	require.NoError(t, f.begin("c3", in("esg-01", "corp", f.directory(whole, f.first.LDAPS()))), "the device whose name it is goes on")
}

func TestAPartThatIsKnownIsNotGivenAnotherNameByAFileThatHasTheWhole(t *testing.T) {
	f := newFiles(t)
	tunnel, err := lab.StartBalancer("127.0.0.1:0", f.first.LDAPS())
	require.NoError(t, err)
	t.Cleanup(tunnel.Close)
	people, services, whole := f.file("esg-01"), f.file("vpn-01"), f.file("vpn-01")
	people.Directories["people"] = f.directory(f.first.PeopleDN(), f.first.LDAPS())
	whole.Directories["corp"] = f.directory("dc=example,dc=org", "ldaps://"+tunnel.Addr())
	services.Directories["services"] = f.directory("ou=services,dc=example,dc=org", "ldaps://"+tunnel.Addr())
	require.NoError(t, f.begin("c1", people))
	require.NoError(t, f.list(services), "nothing of it is in the other part")
	require.ErrorContains(t, f.list(whole), "had under the name people")
}

// A copy has the ids of what it was copied from, and accounts of its own.
func TestACopyHasANameOfItsOwnOnceAPersonSaysThatItIsOne(t *testing.T) {
	f := newFiles(t)
	tunnel, err := lab.StartBalancer("127.0.0.1:0", f.first.LDAPS())
	require.NoError(t, err)
	t.Cleanup(tunnel.Close)
	second, err := lab.StartBalancer("127.0.0.1:0", f.first.LDAPS())
	require.NoError(t, err)
	t.Cleanup(second.Close)
	production, lab := f.file("esg-01"), f.file("lab-01")
	production.Directories["corp"] = f.directory("dc=example,dc=org", f.first.LDAPS())
	lab.Directories["lab"] = f.directory("dc=example,dc=org", "ldaps://"+tunnel.Addr())
	require.NoError(t, f.begin("c1", production))
	require.ErrorContains(t, f.list(lab), "accept: - {directory: lab, finding: same-ids, reason: …}")
	lab.Accept = []config.Accept{{Directory: "lab", Finding: credential.FindingSameIDs, Reason: "restored for tests"}}
	roll, warnings, err := listing.List(f.ctx, f.store, f.kinds, lab, "dry")
	require.NoError(t, err)
	require.Contains(t, warnings, credential.Finding{Code: credential.FindingAccepted,
		Detail: "directory lab is another one than those that show the same ids of themselves, which the campaign file says: restored for tests"})
	require.Zero(t, len(roll.Credentials))
	require.NoError(t, f.begin("c2", lab))
	require.NoError(t, f.begin("c3", production), "and production has its own")
	again := f.file("vpn-01")
	again.Directories["ldap"] = f.directory("dc=example,dc=org", "ldaps://"+second.Addr())
	require.ErrorContains(t, f.list(again), "had under the name corp", "the word is for that name alone")
}

func TestOfTwoCampaignsThatBeginAtOnceAndCallOneDirectoryByTwoNamesTheSecondIsRefused(t *testing.T) {
	f := newFiles(t)
	tunnel, err := lab.StartBalancer("127.0.0.1:0", f.first.LDAPS())
	require.NoError(t, err)
	t.Cleanup(tunnel.Close)
	one, other := f.file("esg-01"), f.file("vpn-01")
	one.Directories["corp"] = f.directory("dc=example,dc=org", f.first.LDAPS())
	other.Directories["ldap"] = f.directory("dc=example,dc=org", "ldaps://"+tunnel.Addr())
	require.NoError(t, f.list(one), "nobody has called it anything yet")
	require.NoError(t, f.list(other))
	done := make(chan error, 2)
	for campaign, spec := range map[string]*config.Campaign{"c1": one, "c2": other} {
		require.NoError(t, f.store.OpenCampaign(f.ctx, ownmount.CampaignRecord{Campaign: campaign, Device: spec.Device}))
		go func() { done <- listing.KeepShown(f.ctx, f.store, f.kinds, spec, campaign) }()
	}
	first, second := <-done, <-done
	if first == nil {
		first, second = second, first
	}
	var wrong *listing.NameError
	require.ErrorAs(t, first, &wrong)
	require.NoError(t, second)
}

func TestWhatACampaignSawThatEndedBeforeItHadANameIsNoName(t *testing.T) {
	f := newFiles(t)
	tunnel, err := lab.StartBalancer("127.0.0.1:0", f.first.LDAPS())
	require.NoError(t, err)
	t.Cleanup(tunnel.Close)
	one, other := f.file("esg-01"), f.file("vpn-01")
	one.Directories["corp"] = f.directory("dc=example,dc=org", f.first.LDAPS())
	other.Directories["ldap"] = f.directory("dc=example,dc=org", "ldaps://"+tunnel.Addr())
	require.NoError(t, f.store.OpenCampaign(f.ctx, ownmount.CampaignRecord{Campaign: "c1", Device: "esg-01"}))
	require.NoError(t, listing.KeepShown(f.ctx, f.store, f.kinds, one, "c1"))
	require.Error(t, f.list(other), "it is about to have one")
	require.NoError(t, f.store.CloseCampaign(f.ctx, "c1"))
	require.NoError(t, f.begin("c2", other))
	require.ErrorContains(t, f.list(one), "had under the name ldap")
}

func TestAClusterIsOneInTheFilesOfAllDevicesByWhateverNameAndAddress(t *testing.T) {
	f := newFiles(t)
	db, err := lab.StartPostgres(f.ctx, lab.PostgresOptions{Dir: t.TempDir(), CA: f.ca})
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Stop(context.Background()) })
	vip, err := lab.StartBalancer("127.0.0.1:0", strings.TrimPrefix(db.URL(), "postgresql://"))
	require.NoError(t, err)
	t.Cleanup(vip.Close)
	login := []authority.Login{{Name: db.Admin, Secret: f.secretAt("db", db.AdminPassword)}}
	in := func(device, name, server string) *config.Campaign {
		spec := f.file(device)
		spec.Systems[name] = settings.Cluster{Servers: []string{server}, CA: string(f.ca.PEM), Database: "postgres", Bind: login, Connections: 2, Timeout: time.Minute}
		return spec
	}
	require.NoError(t, f.begin("c1", in("esg-01", "appdb", db.URL())))
	for _, err := range []error{f.list(in("vpn-01", "pg", "postgresql://"+vip.Addr())), f.begin("c2", in("vpn-01", "pg", "postgresql://"+vip.Addr()))} {
		var wrong *listing.NameError
		require.ErrorAs(t, err, &wrong)
		require.ErrorContains(t, err, "PostgreSQL cluster pg: it shows the same of itself (system identifier ")
		require.ErrorContains(t, err, "call it appdb in this file")
	}
	moved := in("vpn-01", "appdb", "postgresql://"+vip.Addr())
	require.ErrorContains(t, f.list(moved), "name all its servers in each file", "the name alone is not enough")
}
