package rotation

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/opened"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

// at opens doors of a campaign file.
func (r *real) at(all map[string]door.Settings) func(string) (*opened.Door, error) {
	var doors opened.Doors
	r.settings = func(name string) door.Settings { return all[name] }
	return func(name string) (*opened.Door, error) { return doors.Open(all[name]) }
}

// saslauthd and mod_ldap keep logins by the spelling of the name, and the
// directory takes all spellings for one account. A stolen value that somebody
// used by another one than is listed is dead there too.
func TestAValueIsDeadByEachSpellingOfItsName(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{MaxFailure: 3}})
	checker, err := lab.StartSaslauthd(t.Context(), lab.SaslauthdOptions{Dir: t.TempDir(), Directory: r.slapd, Cache: 8 * time.Hour})
	require.NoError(t, err)
	t.Cleanup(func() { _ = checker.Stop(context.WithoutCancel(r.Context())) })
	relay, err := lab.StartPostfix(t.Context(), lab.PostfixOptions{Dir: t.TempDir(), CA: r.ca, Saslauthd: checker})
	require.NoError(t, err)
	t.Cleanup(func() { _ = relay.Stop(context.WithoutCancel(r.Context())) })
	web, err := lab.StartApache(t.Context(), lab.ApacheOptions{Dir: t.TempDir(), CA: r.ca, Directory: r.slapd, Cache: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = web.Stop(context.WithoutCancel(r.Context())) })
	doors := map[string]door.Settings{
		"relay": {Type: "smtps", Address: relay.Address("smtps"), TLS: door.Implicit, CA: string(r.ca.PEM), Login: "{account}", Timeout: 30 * time.Second},
		"page":  {Type: "https", Address: web.Address("https"), TLS: door.Implicit, CA: string(r.ca.PEM), Login: "{account}", Path: "/private", Timeout: 30 * time.Second},
	}
	open := r.at(doors)
	c := r.credential(0)
	short := r.accounts[0].UID
	old := credential.NewSecret(r.accounts[0].Password)
	spellings := map[string][]string{
		"relay": {short, strings.ToUpper(short), short + "@example.org", "S" + short[1:]},
		"page":  {short, strings.ToUpper(short), "S" + short[1:]},
	}
	for name, all := range spellings {
		c.Doors = append(c.Doors, credential.DoorLogin{Door: name, Login: short})
		d, err := open(name)
		require.NoError(t, err)
		for _, as := range all {
			require.Equal(t, protocol.Accepted, d.Ask(t.Context(), as, old).Reply, "%s at %s", as, name)
		}
	}
	got := r.runAtDoors([]credential.Credential{c}, &Refusals{}, open)[0]
	require.True(t, got.Dead(), "%+v", got.Stop)
	require.Empty(t, r.attribute(r.slapd, c.Name, "pwdAccountLockedTime"))
	require.Empty(t, r.attribute(r.slapd, c.Name, "pwdFailureTime"), "no wrong login is left behind")
	for name, all := range spellings {
		d, err := open(name)
		require.NoError(t, err)
		for _, as := range all {
			require.Equal(t, protocol.Refused, d.Ask(t.Context(), as, old).Reply, "the ledger says dead, and %s takes it from %s", name, as)
		}
	}
}
