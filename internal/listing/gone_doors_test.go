package listing

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/door"
)

// fileOf is a device's campaign file with these doors.
func (s *safe) fileOf(device string, doors ...door.Settings) *config.Campaign {
	c := *s.spec
	c.Device = device
	c.Directories = map[string]config.Directory{"corp": {Driver: config.OpenLDAP, Servers: []string{"ldaps://ldap1.example.org:636"}, Base: "dc=example,dc=org"}}
	c.Doors = map[string]door.Settings{}
	for i, d := range doors {
		c.Doors[string(rune('a'+i))] = d
	}
	return &c
}

// demanded are the doors that a listing of spec asks a person about, where its
// roll has these accounts.
func (s *safe) demanded(t *testing.T, spec *config.Campaign, accounts ...string) (out []string) {
	t.Helper()
	known, err := knownNames(s.ctx, s.store, spec)
	require.NoError(t, err)
	roll := &credential.Roll{}
	for _, a := range accounts {
		c := credential.Credential{ID: "corp/" + a, Kind: credential.LDAPPassword, Authority: "corp", Name: "uid=" + a + ",dc=example,dc=org", Short: a}
		for _, at := range spec.DoorsOf(c, a) {
			c.Doors = append(c.Doors, credential.DoorLogin{Door: at.Door, Login: a})
		}
		roll.Credentials = append(roll.Credentials, c)
	}
	open, _ := goneOf(spec, "corp", known)
	kept, _ := sift(spec, "corp", openedAgain(known["corp"], nowCalled(spec, "corp")))
	for _, g := range append(theirs(open, roll), forOthers(spec, kept, roll)...) {
		out = append(out, g.Server)
	}
	return out
}

func mailFor(account string) door.Settings {
	d := door.Settings{Type: "imaps", Address: "mail.example.org:993", At: "192.0.2.7"}
	if account != "" {
		d.For = []door.Match{{Directory: "corp", Account: account}}
	}
	return d
}

// Whose a door was is added up over the campaigns of all devices: that the last
// one had it for its own accounts takes nothing back from the others.
func TestWhoseADoorWasIsAddedUpOverTheCampaigns(t *testing.T) {
	const mail = "imaps://mail.example.org:993@192.0.2.7"
	for name, first := range map[string]string{"by for": "svc-*", "by rows": ""} {
		t.Run(name, func(t *testing.T) {
			s := newSafe(t)
			keep := func(campaign string, spec *config.Campaign) {
				require.NoError(t, KeepNames(s.ctx, s.store, spec, campaign))
			}
			keep("c1", s.fileOf("esg-01", mailFor(first)))
			backup := s.fileOf("backup-01")
			require.Equal(t, []string{mail}, s.demanded(t, backup, "svc-7"))

			keep("c2", s.fileOf("vpn-01", mailFor("app-*")))
			require.Equal(t, []string{mail}, s.demanded(t, backup, "svc-7"), "the first device's")
			require.Equal(t, []string{mail}, s.demanded(t, backup, "app-7"), "the second one's")

			keep("c3", backup)
			keep("c4", s.fileOf("vpn-01", mailFor("app-*")))
			require.Equal(t, []string{mail}, s.demanded(t, backup, "svc-7"), "a campaign without it between them")
			if first != "" {
				require.Empty(t, s.demanded(t, backup, "adm-7"), "nobody had it for that one")
			}
			backup.Accept = []config.Accept{{Directory: "corp", Server: "mail.example.org", On: time.Now(), Reason: "switched off"}}
			require.Empty(t, s.demanded(t, backup, "svc-7"), "a person says so")
		})
	}
}

// A file that has a door for others alone leaves out those whose it was before.
func TestADoorThatAFileHasForOthersAloneIsDemandedForThoseWhoseItWas(t *testing.T) {
	s := newSafe(t)
	require.NoError(t, KeepNames(s.ctx, s.store, s.fileOf("esg-01", mailFor("svc-*")), "c1"))
	vpn := s.fileOf("vpn-01", mailFor("app-*"))
	require.Equal(t, []string{"imaps://mail.example.org:993@192.0.2.7"}, s.demanded(t, vpn, "svc-7", "app-1"))
	require.Empty(t, s.demanded(t, vpn, "app-1"), "its own are asked there")
	require.Empty(t, s.demanded(t, s.fileOf("vpn-01", mailFor("*")), "svc-7"))
	known, err := knownNames(s.ctx, s.store, vpn)
	require.NoError(t, err)
	kept := openedAgain(known["corp"], nowCalled(vpn, "corp"))
	require.Contains(t, goneWarning(vpn, "corp", kept).Detail, "this file has it for other accounts alone")
	vpn.Accept = []config.Accept{{Directory: "corp", Server: "mail.example.org", On: time.Now(), Reason: "svc-* have no mailbox any more"}}
	require.Empty(t, s.demanded(t, vpn, "svc-7"))
}

// Two pages of one server may each keep logins of their own: who names the one
// is told of the other. What an earlier version kept says no page.
func TestAPageIsNotAskedBecauseAnotherOneOfItsServerIs(t *testing.T) {
	s := newSafe(t)
	page := func(path string) door.Settings {
		return door.Settings{Type: "https", Address: "web.example.org:443", At: "192.0.2.8", Path: path, For: []door.Match{{Directory: "corp"}}}
	}
	const wiki = "https://web.example.org:443/wiki@192.0.2.8"
	both := s.fileOf("esg-01", page("/owa"), page("/wiki"))
	require.NoError(t, KeepNames(s.ctx, s.store, both, "c1"))
	require.Empty(t, s.demanded(t, both, "svc-7"))
	owa := s.fileOf("vpn-01", page("/owa"))
	require.Equal(t, []string{wiki}, s.demanded(t, owa, "svc-7"))
	for _, said := range []string{wiki, "https://web.example.org:443/wiki", "https://web.example.org:443", "web.example.org", "192.0.2.8:443"} {
		owa.Accept = []config.Accept{{Directory: "corp", Server: said, On: time.Now(), Reason: "switched off"}}
		require.Empty(t, s.demanded(t, owa, "svc-7"), said)
	}
	owa.Accept[0].Server = "https://web.example.org:443/owa"
	require.Equal(t, []string{wiki}, s.demanded(t, owa, "svc-7"))
	require.True(t, isOpened("https://web.example.org:443@192.0.2.8", nowCalled(owa, "corp").Doors), "kept by an earlier version")
}
