package listing

import (
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/lab"
	"rollcall/internal/vault/ownmount"
)

func TestAServerThatADirectoryHadIsAskedOrAccountedFor(t *testing.T) {
	const a, b = "ldaps://a.example.org:636@10.0.0.1", "ldaps://b.example.org:636@10.0.0.2"
	known := map[string]ownmount.NamedDirectory{"corp": {
		Name: "corp", Servers: []string{a, b, "ldaps://pool.example.org:636@10.0.0.3", "ldaps://pool.example.org:636@10.0.0.4"}, Campaign: "c2", Device: "esg-01",
		Gone: []ownmount.GoneServer{{Server: "ldaps://old.example.org:636@10.0.0.9", Campaign: "c1", Device: "vpn-01"}},
	}}
	all := []string{"ldaps://a.example.org:636", "ldaps://b.example.org:636", "ldaps://pool.example.org:636@10.0.0.3", "ldaps://pool.example.org:636@10.0.0.4", "ldaps://old.example.org:636"}
	without := func(n int) []string { return append(append([]string{}, all[:n]...), all[n+1:]...) }
	for name, row := range map[string]struct {
		d      config.Directory
		accept string
		want   []string
	}{
		"all of them":                      {config.Directory{Servers: all}, "", nil},
		"one less":                         {config.Directory{Servers: without(1)}, "", []string{b}},
		"its address under another name":   {config.Directory{Servers: append(without(1), "ldaps://new.example.org:636"), Addresses: map[string]string{"ldaps://new.example.org:636": "10.0.0.2"}}, "", nil},
		"its name at another address":      {config.Directory{Servers: all, Addresses: map[string]string{all[1]: "10.0.0.77"}}, "", []string{b}},
		"it moved to another address":      {config.Directory{Servers: all, Addresses: map[string]string{all[1]: "10.0.0.77"}, Formerly: []string{"ldaps://b.example.org:636"}}, "", nil},
		"another port of that machine":     {config.Directory{Servers: append(without(1), "ldaps://b.example.org:1636")}, "", []string{b}},
		"one of two machines of a name":    {config.Directory{Servers: without(3)}, "", []string{"ldaps://pool.example.org:636@10.0.0.4"}},
		"one that the last had not either": {config.Directory{Servers: without(4)}, "", []string{"ldaps://old.example.org:636@10.0.0.9"}},
		"it moved":                         {config.Directory{Servers: without(1), Formerly: []string{"ldaps://b.example.org:636"}}, "", nil},
		"a person says so":                 {config.Directory{Servers: without(1)}, b, nil},
		"a person says so, by its host":    {config.Directory{Servers: without(1)}, "b.example.org", nil},
		"a person speaks of another one":   {config.Directory{Servers: without(1)}, "a.example.org", []string{b}},
	} {
		t.Run(name, func(t *testing.T) {
			spec := &config.Campaign{Directories: map[string]config.Directory{"corp": row.d}}
			if row.accept != "" {
				spec.Accept = []config.Accept{{Directory: "corp", Server: row.accept, On: time.Now()}}
			}
			open, _ := goneOf(spec, "corp", known)
			var got []string
			for _, g := range open {
				got = append(got, g.Server)
			}
			require.Equal(t, row.want, got)
		})
	}
}

// What a person said of a server before the device was in foreign hands is no
// word about what is there by now.
func TestAWordAboutAServerIsOfItsDay(t *testing.T) {
	known := map[string]ownmount.NamedDirectory{"corp": {Name: "corp", Servers: []string{"ldaps://a.example.org:636", "ldaps://b.example.org:636"}}}
	spec := &config.Campaign{Exposure: []config.Interval{{From: time.Now().Add(-48 * time.Hour), To: time.Now().Add(-24 * time.Hour)}},
		Directories: map[string]config.Directory{"corp": {Servers: []string{"ldaps://a.example.org:636"}}}}
	for on, says := range map[time.Time]string{{}: "says not when", time.Now().Add(-30 * time.Hour): "was in foreign hands until", time.Now(): ""} {
		spec.Accept = []config.Accept{{Directory: "corp", Server: "b.example.org", On: on, Reason: "its disk burnt"}}
		open, accepted := goneOf(spec, "corp", known)
		if says == "" {
			require.Empty(t, open)
			require.Len(t, accepted, 1)
			continue
		}
		require.Len(t, open, 1)
		require.Contains(t, goneWarning(spec, "corp", open).Detail, ". Of b.example.org the file accepts ")
		require.Contains(t, goneWarning(spec, "corp", open).Detail, says)
	}
}

// What one campaign did not ask is not forgotten by the next one that does not
// either, and is by one that does.
func TestAServerThatIsGoneStaysKnownUntilACampaignAsksIt(t *testing.T) {
	s := newSafe(t)
	spec := func(servers ...string) *config.Campaign {
		c := *s.spec
		c.Directories = map[string]config.Directory{"corp": {Base: "dc=example,dc=org", Servers: servers}}
		return &c
	}
	const a, b = "ldaps://a.example.org:636", "ldaps://b.example.org:636"
	keep := func(campaign string, servers ...string) {
		require.NoError(t, KeepNames(s.ctx, s.store, spec(servers...), campaign))
	}
	open := func(servers ...string) (out []string) {
		all, err := Gone(s.ctx, s.store, spec(servers...), "corp")
		require.NoError(t, err)
		for _, g := range all {
			out = append(out, g.Server+" of "+g.Campaign)
		}
		return out
	}
	keep("c1", a, b)
	require.Equal(t, []string{b + " of c1"}, open(a))
	keep("c2", a)
	keep("c3", a)
	require.Equal(t, []string{b + " of c1"}, open(a))
	require.Empty(t, open(a, b))
	keep("c4", a, b)
	require.Equal(t, []string{b + " of c4"}, open(a))
}

// freePort is one that nobody takes while a test has closed it.
func freePort(t *testing.T) string {
	t.Helper()
	port, err := lab.FreePort()
	require.NoError(t, err)
	return strconv.Itoa(port)
}

// A name that leads to another address left a machine behind. Whether that runs
// on it tells by itself, at each listing.
func TestAMachineThatItsNameLeftIsToldForAsLongAsItAnswers(t *testing.T) {
	s := newSafe(t)
	port := freePort(t)
	old, err := net.Listen("tcp", "127.0.0.1:"+port)
	require.NoError(t, err)
	server := "ldaps://replica.example.org:" + port
	spec := func(address string) *config.Campaign {
		c := *s.spec
		c.Directories = map[string]config.Directory{"corp": {Base: "dc=example,dc=org", Servers: []string{server}, Addresses: map[string]string{server: address}}}
		return &c
	}
	open := func() (out []string) {
		all, err := Gone(s.ctx, s.store, spec("127.0.0.3"), "corp")
		require.NoError(t, err)
		for _, g := range all {
			out = append(out, g.Server)
		}
		return out
	}
	require.NoError(t, KeepNames(s.ctx, s.store, spec("127.0.0.1"), "c1"))
	require.Equal(t, []string{config.ServerAt(server, "127.0.0.1")}, open())
	require.NoError(t, KeepNames(s.ctx, s.store, spec("127.0.0.3"), "c2"))
	require.Equal(t, []string{config.ServerAt(server, "127.0.0.1")}, open(), "the campaign after it")
	require.NoError(t, old.Close())
	require.Empty(t, open())
	again, err := net.Listen("tcp", old.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = again.Close() })
	require.Len(t, open(), 1, "it was down")
}

// A door that took what was stolen takes it all the same when the next file
// does not name it.
func TestADoorThatCampaignsHadIsNotForgottenByAFileThatLeavesItOut(t *testing.T) {
	s := newSafe(t)
	mail := door.Settings{Type: "imaps", Address: "mail.example.org:993", For: []door.Match{{Directory: "corp"}}}
	rows := door.Settings{Type: "ssh", Address: "shell.example.org:22"} // rows alone name it
	other := door.Settings{Type: "ftp", Address: "files.example.org:21", For: []door.Match{{Directory: "other"}}}
	spec := func(doors ...door.Settings) *config.Campaign {
		c := *s.spec
		c.Directories = map[string]config.Directory{"corp": {Base: "dc=example,dc=org", Servers: []string{"ldaps://a.example.org:636"}}}
		c.Doors = map[string]door.Settings{}
		for _, d := range doors {
			c.Doors[d.Type] = d
		}
		return &c
	}
	open := func(c *config.Campaign) (out []string) {
		all, err := Gone(s.ctx, s.store, c, "corp")
		require.NoError(t, err)
		for _, g := range all {
			out = append(out, g.Server+" of "+g.Campaign)
		}
		return out
	}
	require.NoError(t, KeepNames(s.ctx, s.store, spec(mail, rows, other), "c1"))
	require.Empty(t, open(spec(mail, rows)))
	require.NoError(t, KeepNames(s.ctx, s.store, spec(), "c2"))
	require.Equal(t, []string{"imaps://mail.example.org:993 of c1", "ssh://shell.example.org:22 of c1"}, open(spec()))
	require.Equal(t, []string{"imaps://mail.example.org:993 of c1"}, open(spec(rows)))
	accepted := spec(rows)
	accepted.Accept = []config.Accept{{Directory: "corp", Server: "imaps://mail.example.org:993", On: time.Now(), Reason: "switched off"}}
	require.Empty(t, open(accepted))
}

// A door is an address: of two machines under its name the one that DNS has no
// more took what was stolen as well, and is told for as long as it answers. One
// that is asked by datagrams never shows that it is gone.
func TestAMachineThatADoorsNameLeftIsToldForAsLongAsItAnswers(t *testing.T) {
	s := newSafe(t)
	port := freePort(t)
	listener, err := net.Listen("tcp", "127.0.0.83:"+port)
	require.NoError(t, err)
	at := func(kind, address string) door.Settings {
		return door.Settings{Type: kind, Address: "mail.example.org:" + port, At: address, For: []door.Match{{Directory: "corp"}}}
	}
	spec := func(doors ...door.Settings) *config.Campaign {
		c := *s.spec
		c.Directories = map[string]config.Directory{"corp": {Base: "dc=example,dc=org", Servers: []string{"ldaps://a.example.org:636"}}}
		c.Doors = map[string]door.Settings{}
		for i, d := range doors {
			c.Doors[string(rune('a'+i))] = d
		}
		return &c
	}
	open := func(c *config.Campaign) (out []string) {
		all, err := Gone(s.ctx, s.store, c, "corp")
		require.NoError(t, err)
		for _, g := range all {
			out = append(out, g.Server)
		}
		return out
	}
	require.NoError(t, KeepNames(s.ctx, s.store, spec(at("imaps", "127.0.0.82"), at("imaps", "127.0.0.83"), at("radius", "127.0.0.84")), "c1"))
	one := spec(at("imaps", "127.0.0.82"))
	one.Containment = &config.Containment{Addresses: []string{"192.0.2.10"}}
	left, radius := "imaps://mail.example.org:"+port+"@127.0.0.83", "radius://mail.example.org:"+port+"@127.0.0.84"
	require.Equal(t, []string{left, radius}, open(one))
	require.NoError(t, listener.Close())
	require.Equal(t, []string{radius}, open(one))
	one.Containment.Addresses = []string{"127.0.0.84"}
	require.Empty(t, open(one), "at the device nothing was asked")
}

// Another device's campaign had a door for its own accounts. A roll with none
// of those is asked nothing about it.
func TestADoorOfAnotherDevicesAccountsIsNotDemanded(t *testing.T) {
	s := newSafe(t)
	spec := func(doors map[string]door.Settings) *config.Campaign {
		c := *s.spec
		c.Directories = map[string]config.Directory{"corp": {Base: "dc=example,dc=org", Servers: []string{"ldaps://a.example.org:636"}}}
		c.Doors = doors
		return &c
	}
	mail := door.Settings{Type: "imaps", Address: "mail.example.org:993", For: []door.Match{{Directory: "corp", Account: "svc-esg-*"}}}
	files := door.Settings{Type: "ftp", Address: "files.example.org:21", For: []door.Match{{Directory: "corp"}}}
	require.NoError(t, KeepNames(s.ctx, s.store, spec(map[string]door.Settings{"mail": mail, "files": files}), "c1"))
	require.NoError(t, KeepNames(s.ctx, s.store, spec(nil), "c2"), "and it is not forgotten by the next one")
	demanded := func(short string) (out []string) {
		known, err := knownNames(s.ctx, s.store, spec(nil))
		require.NoError(t, err)
		open, _ := goneOf(spec(nil), "corp", known)
		roll := &credential.Roll{Credentials: []credential.Credential{{Kind: credential.LDAPPassword, Authority: "corp", Name: "uid=" + short, Short: short}}}
		for _, g := range theirs(open, roll) {
			out = append(out, g.Server)
		}
		return out
	}
	require.Equal(t, []string{"ftp://files.example.org:21"}, demanded("svc-vpn-1"))
	require.Equal(t, []string{"ftp://files.example.org:21", "imaps://mail.example.org:993"}, demanded("svc-esg-1"))
}
