package inventory

import (
	"context"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault/ownmount"
)

// Who could write the device's part of Vault leaves a password as it is and
// names his own server beside it: what reads the new value would take it there.
func TestASecretThatLeadsElsewhereSinceTheDeviceWasInForeignHandsStaysOpen(t *testing.T) {
	servers(t)
	v := openVault(t, realVault.RootToken().Reveal())
	secret := func(name string, fields map[string]any) {
		data := map[string]any{"secret_id": "stolen of " + name}
		for k, value := range fields {
			data[k] = value
		}
		write(t, "kv/data/leads/"+name, map[string]any{"data": data})
	}
	at := func(name string) credential.Path {
		return credential.Path{Mount: "kv", Path: "leads/" + name, Field: "secret_id"}
	}
	lab := func(host string) map[string]any { return map[string]any{"host": host} }
	right := lab("app.example.org")
	c := campaign()
	c.Directories = map[string]config.Directory{"corp": {Driver: config.OpenLDAP, Base: base, Servers: []string{"ldaps://ldap.example.org:636@192.0.2.1"}}}

	before := []string{"as-it-was", "moved", "rotated", "to-a-server-of-the-file", "to-its-address", "put-back", "accepted", "added", "destroyed", "several", "by-its-host"}
	for _, name := range before {
		secret(name, right)
	}
	for _, name := range []string{"silenced", "by-number", "switched-off", "taken-out"} {
		secret(name, map[string]any{"smtp": "mail.app.example.org"})
	}
	secret("moved-long-ago", right)
	secret("moved-long-ago", lab("moved.example.org"))
	secret("in-its-own-field", map[string]any{"secret_id": "https://svc:stolen-of-in@app.example.org/x"})
	var since time.Time
	for _, change := range []struct {
		name   string
		fields map[string]any
	}{
		{"moved", lab("192.0.2.66")},
		{"rotated", map[string]any{"host": "APP.example.org:443", "secret_id": "another", "note": "by hand"}},
		{"to-a-server-of-the-file", map[string]any{"url": "ldaps://LDAP.example.org"}},
		{"to-its-address", lab("192.0.2.1")},
		{"put-back", lab("192.0.2.66")}, {"put-back", right},
		{"accepted", lab("new.example.org")},
		{"by-its-host", lab("moved.example.net:8443")},
		{"added", map[string]any{"host": "app.example.org", "endpoint": "https://192.0.2.66/"}},
		{"destroyed", lab("192.0.2.66")},
		{"several", map[string]any{"hosts": "app.example.org, 192.0.2.66"}},
		{"in-its-own-field", map[string]any{"secret_id": "https://svc:stolen-of-in@192.0.2.66/x"}},
		{"young", lab("192.0.2.66")},
		{"silenced", map[string]any{"smtp": "evil.example"}},
		{"by-number", map[string]any{"smtp": "3221226050", "host": "app.example.org"}},
		{"switched-off", map[string]any{"smtp": "none"}},
		{"taken-out", nil},
		{"moved-long-ago", lab("moved.example.org")},
	} {
		secret(change.name, change.fields)
		if since.IsZero() {
			live, err := v.ReadLive(t.Context(), at(change.name), 0)
			require.NoError(t, err)
			since = live.Written
		}
	}
	write(t, "kv/destroy/leads/destroyed", map[string]any{"versions": []int{1}})
	write(t, "kv/destroy/leads/moved-long-ago", map[string]any{"versions": []int{2}})
	c.Exposure = []config.Interval{{From: since}}
	all := append(before, "in-its-own-field", "young", "silenced", "by-number", "switched-off", "taken-out", "moved-long-ago")
	rows := []string{"kind,account,path"}
	for _, name := range all {
		write(t, "auth/approle/role/leads-"+name, nil)
		write(t, "auth/approle/role/leads-"+name+"/secret-id", nil)
		rows = append(rows, "approle-secret-id,approle/leads-"+name+","+at(name).String())
	}
	c.Sources = []config.Source{manifestSource(rows...)}
	c.Accept = []config.Accept{{Account: "approle/leads-accepted", Problem: credential.LeadsElsewhere, Reason: "it was moved in March"},
		{Host: "Moved.example.net", Problem: credential.LeadsElsewhere, Reason: "the new data centre"}}
	roll, _, err := listIn(t.Context(), c, openDirectory(t, corp()), v, "c", time.Now())
	require.NoError(t, err)
	got := byName(roll)
	for name, field := range map[string]string{"moved": "host", "added": "endpoint", "several": "hosts", "in-its-own-field": "secret_id", "silenced": "smtp", "by-number": "host", "moved-long-ago": "host"} {
		require.Equal(t, credential.LeadsElsewhere, got["approle/leads-"+name].Problem, name)
		said := details(roll, "vault/approle/leads-"+name, credential.FindingPlace)
		require.Contains(t, said, at(name).String()+`: its field "`+field+`" sends whoever reads it to another server than version 1 did`)
		require.Contains(t, said, "vault kv get -mount=kv -version=1 leads/"+name)
		require.NotContains(t, said, "192.0.2.66", "what a field holds is not shown: it may be a password")
	}
	for _, fine := range []string{"as-it-was", "rotated", "to-a-server-of-the-file", "to-its-address", "put-back", "young", "by-its-host", "switched-off", "taken-out"} {
		require.Empty(t, got["approle/leads-"+fine].Problem, fine)
		require.Empty(t, details(roll, "vault/approle/leads-"+fine, credential.FindingLeadsElsewhere), fine)
	}
	require.Equal(t, credential.LeadsElsewhere, got["approle/leads-destroyed"].Problem, "a thief may end what would give him away")
	require.Contains(t, details(roll, "vault/approle/leads-destroyed", credential.FindingPlace), "its versions from before the device was in foreign hands were deleted or destroyed since")
	require.Empty(t, got["approle/leads-accepted"].Problem)
	require.Contains(t, details(roll, "vault/approle/leads-accepted", credential.FindingPlace), "the campaign file accepts it")

	t.Run("what campaigns have listed counts", func(t *testing.T) {
		was := *roll
		secret("young", lab("192.0.2.67"))
		secret("as-it-was", map[string]any{"host": "app.example.org", "note": "x"})
		secret("moved", map[string]any{"host": "192.0.2.66", "note": "x"})
		names, found := []string{"young", "as-it-was", "moved"}, 0
		problems := func(l *lister) map[string]credential.Problem {
			if l.c, l.vault = c, v; l.leadsKey == nil {
				l.leadsKey = workersKey
			}
			out := map[string]credential.Problem{}
			for _, name := range names {
				x := credential.Credential{ID: "vault/approle/leads-" + name, Name: name, Paths: []credential.Path{at(name)}}
				live, err := v.ReadLive(t.Context(), at(name), 0)
				require.NoError(t, err)
				k := &pathsLook{lister: l, c: &x}
				require.NoError(t, k.leadsElsewhere(t.Context(), at(name), held{heldAlike{leads: live.Leads(), quiet: live.Quiet(live.Leads())}, heldOwn{version: live.Version, written: live.Written}}))
				for _, f := range k.found {
					if f.Code == credential.FindingLeadsElsewhere {
						found++
					}
				}
				out[name] = x.Problem
			}
			return out
		}
		want := map[string]credential.Problem{"young": credential.LeadsElsewhere, "as-it-was": "", "moved": credential.LeadsElsewhere}
		require.Equal(t, want, problems(&lister{past: past{last: &ownmount.LastRoll{Campaign: "c", Credentials: was.Credentials}}}), "of the last one, but for what it held back")
		want["moved"] = credential.LeadsElsewhere // it was held back, so that nothing was listed of it
		require.Equal(t, want, problems(&lister{running: &Running{Credentials: was.Credentials}}))
		want["young"] = ""
		require.Equal(t, want, problems(&lister{}))
		noKey := func(context.Context) ([]byte, error) { return nil, nil }
		require.Equal(t, want, problems(&lister{leadsKey: noKey, past: past{last: &ownmount.LastRoll{Campaign: "c", Credentials: was.Credentials}}}), "who may not have the key goes by what lies in Vault")

		exposure := c.Exposure
		c.Exposure = nil
		require.Equal(t, map[string]credential.Problem{"young": credential.LeadsElsewhere, "as-it-was": "", "moved": ""},
			problems(&lister{past: past{last: &ownmount.LastRoll{Campaign: "c", Credentials: was.Credentials}}}), "who says not when has what was listed")
		c.Exposure = []config.Interval{{From: time.Now().Add(time.Hour)}}
		require.Equal(t, map[string]credential.Problem{"young": "", "as-it-was": "", "moved": ""},
			problems(&lister{past: past{last: &ownmount.LastRoll{Campaign: "c", Credentials: was.Credentials}}}), "nobody wrote it since the exposure that the file names")
		c.Exposure = exposure

		// What Rollcall ended itself, for whomever, is no thief's doing.
		names, found = []string{"destroyed", "moved-long-ago"}, 0
		require.Equal(t, map[string]credential.Problem{"destroyed": credential.LeadsElsewhere, "moved-long-ago": credential.LeadsElsewhere}, problems(&lister{}))
		require.Zero(t, found)
		sys := realVault.Client().Sys()
		require.NoError(t, sys.Mount("rollcall", &vaultapi.MountInput{Type: "kv", Options: map[string]string{"version": "2"}}))
		t.Cleanup(func() { require.NoError(t, sys.Unmount("rollcall")) })
		note := func(name string, version int) {
			other := credential.Path{Mount: "kv", Path: "leads/" + name, Field: "another"}
			require.NoError(t, v.RecordActivated(t.Context(), map[string][]ownmount.Placed{"vault/of-" + name: {{Path: other, Version: version, Written: time.Now()}}}))
			v = openVault(t, realVault.RootToken().Reveal())
		}
		note("destroyed", 1) // that itself
		note("moved-long-ago", 2)
		require.Equal(t, map[string]credential.Problem{"destroyed": credential.LeadsElsewhere, "moved-long-ago": credential.LeadsElsewhere}, problems(&lister{}))
		note("destroyed", 2)
		note("moved-long-ago", 3)
		require.Equal(t, map[string]credential.Problem{"destroyed": "", "moved-long-ago": ""}, problems(&lister{}))
		require.Equal(t, 2, found, "it is told, for nobody can tell")
		last := ownmount.LastRoll{Campaign: "c"}
		for _, name := range names {
			live, err := v.ReadLive(t.Context(), at(name), 0)
			require.NoError(t, err)
			last.Credentials = append(last.Credentials, credential.Credential{ID: "vault/approle/leads-" + name, LeadsKnown: true, Paths: []credential.Path{at(name)},
				Leads: map[string]string{at(name).String(): live.Leads().Digest(nil)}})
		}
		require.Equal(t, map[string]credential.Problem{"destroyed": "", "moved-long-ago": ""}, problems(&lister{past: past{last: &last}}))
		require.Equal(t, 3, found, "the last campaign saw both lead there, and one led elsewhere before")
		write(t, "kv/delete/leads/destroyed", map[string]any{"versions": []int{1}}) // a destroyed one is no less destroyed
		secret("moved-long-ago", lab("192.0.2.66"))
		require.Equal(t, map[string]credential.Problem{"destroyed": "", "moved-long-ago": credential.LeadsElsewhere}, problems(&lister{past: past{last: &last}}))

		// Rollcall destroys, and deletes nothing: somebody else did that.
		names = []string{"deleted"}
		secret("deleted", right)
		secret("deleted", lab("moved.example.org"))
		live, err := v.ReadLive(t.Context(), at("deleted"), 0)
		require.NoError(t, err)
		c.Exposure = []config.Interval{{From: live.Written.Add(time.Microsecond)}}
		secret("deleted", lab("192.0.2.66"))
		write(t, "kv/delete/leads/deleted", map[string]any{"versions": []int{2}})
		note("deleted", 3)
		require.Equal(t, map[string]credential.Problem{"deleted": credential.LeadsElsewhere}, problems(&lister{}))
		c.Exposure = exposure

		// And what came to lead nowhere that can be told is no silence.
		names, found = []string{"hushed"}, 0
		secret("hushed", map[string]any{"smtp": "evil.example"})
		x := credential.Credential{ID: "vault/approle/leads-hushed", LeadsKnown: true, Paths: []credential.Path{at("hushed")}, Leads: map[string]string{at("hushed").String(): "another host"}}
		require.Equal(t, map[string]credential.Problem{"hushed": ""}, problems(&lister{running: &Running{Credentials: []credential.Credential{x}}}))
		require.Equal(t, 1, found)
		require.Equal(t, map[string]credential.Problem{"hushed": ""}, problems(&lister{}))
		require.Equal(t, 1, found)
	})

	c.Exposure = nil
	roll, _, err = listIn(t.Context(), c, openDirectory(t, corp()), v, "c", time.Now())
	require.NoError(t, err)
	require.Empty(t, byName(roll)["approle/leads-moved"].Problem, "who says not when has nothing to compare with")
}

// Two credentials may share a secret: the value of one says nothing of where
// the other is taken, whatever its field is called.
func TestAnotherCredentialsFieldLeadsNowhere(t *testing.T) {
	servers(t)
	v := openVault(t, realVault.RootToken().Reveal())
	c := campaign()
	c.Directories = nil
	list := func(second string) map[string]credential.Credential {
		write(t, "kv/data/leads/shared", map[string]any{"data": map[string]any{"secret_id": "stolen-1", "backup-server": second, "host": "app.example.org"}})
		roll, _, err := listIn(t.Context(), c, nil, v, "c", time.Now())
		require.NoError(t, err)
		return byName(roll)
	}
	rows := []string{"kind,account,path"}
	for name, field := range map[string]string{"shared-a": "secret_id", "shared-b": "backup-server"} {
		write(t, "auth/approle/role/leads-"+name, nil)
		write(t, "auth/approle/role/leads-"+name+"/secret-id", nil)
		rows = append(rows, "approle-secret-id,approle/leads-"+name+",kv/leads/shared#"+field)
	}
	c.Sources = []config.Source{manifestSource(rows...)}
	before, after := list("stolen-2")["approle/leads-shared-a"], list("new-2")["approle/leads-shared-a"]
	require.Equal(t, []string{"backup-server"}, before.LeadsBut)
	require.NotEmpty(t, before.Leads)
	require.Equal(t, before.Leads, after.Leads)
	// But who may write there says of a host that it is somebody's password.
	write(t, "kv/metadata/leads/shared", map[string]any{"custom_metadata": map[string]any{"account": "ghost", "field": "host"}})
	c.Directories = map[string]config.Directory{"corp": corp()}
	c.Sources = append(c.Sources, config.Source{Name: "kv", Type: config.VaultKV, Prefix: "kv/leads/shared"})
	roll, _, err := listIn(t.Context(), c, openDirectory(t, corp()), v, "c", time.Now())
	require.NoError(t, err)
	planted := byName(roll)["approle/leads-shared-a"]
	require.Equal(t, []string{"backup-server"}, planted.LeadsBut)
	require.Equal(t, before.Leads, planted.Leads)

	// Which fields are others' may change between two listings.
	shared := credential.Path{Mount: "kv", Path: "leads/shared", Field: "secret_id"}
	live, err := v.ReadLive(t.Context(), shared, 0)
	require.NoError(t, err)
	alone := before
	alone.LeadsBut, alone.Leads = nil, map[string]string{shared.String(): live.Leads().Digest(nil)}
	k := &pathsLook{lister: &lister{c: c, vault: v, running: &Running{Credentials: []credential.Credential{alone}}}, c: &before}
	require.NoError(t, k.leadsElsewhere(t.Context(), shared, held{heldAlike{leads: live.Leads()}, heldOwn{version: live.Version, written: live.Written}}))
	require.Empty(t, k.c.Problem)
	require.Empty(t, k.found)
}
