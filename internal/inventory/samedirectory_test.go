package inventory

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/lab"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// remembering is a store with an earlier campaign of the device.
type remembering struct {
	*ownmount.Store
	last  *ownmount.LastRoll
	since ownmount.Since
}

func (r remembering) LastRoll(context.Context, string, string, ...string) (*ownmount.LastRoll, error) {
	return r.last, nil
}

func (r remembering) SinceActivated(context.Context, string, credential.Path, vault.Live) (ownmount.Since, error) {
	return r.since, nil
}

// After a merger a directory has several entries of one uid, with one password
// often: whoever searches for the uid there, or binds with the other DN, is let
// in by the stolen value.
func TestAnEntryOfTheSameNameInTheSameDirectoryIsAskedAndRotatedIfItTakesTheStolenValue(t *testing.T) {
	servers(t)
	s, admin := oddSlapd(t, lab.Account{UID: "svc-mail", Password: "stolen-1"}, lab.Account{UID: "svc-scan", Password: "stolen-2"}, lab.Account{UID: "svc-away", Password: "stolen-3"}, lab.Account{UID: "svc-left", Password: "stolen-4"})
	legacy := "ou=legacy," + s.BaseDN()
	addLDIF(t, admin, "dn: "+legacy+"\nobjectClass: organizationalUnit\nou: legacy\n\n"+
		"dn: uid=svc-mail,"+legacy+"\nobjectClass: inetOrgPerson\nuid: svc-mail\ncn: x\nsn: x\nuserPassword: stolen-1\n\n"+
		"dn: cn=svc-scan,"+legacy+"\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: svc-scan\nuserPassword: another\n\n"+
		"dn: uid=svc-left,"+legacy+"\nobjectClass: inetOrgPerson\nuid: svc-left\ncn: x\nsn: x\nuserPassword: stolen-4\n\n"+
		"dn: cn=svc-mail,"+legacy+"\nobjectClass: groupOfNames\nmember: cn=x\ncn: svc-mail")
	for path, value := range map[string]string{"mail": "stolen-1", "scan": "stolen-2", "left": "stolen-4"} {
		_, err := realVault.Client().KVv2("kv").Put(t.Context(), "samedir/"+path, map[string]any{"password": value})
		require.NoError(t, err)
		t.Cleanup(func() { _ = realVault.Client().KVv2("kv").DeleteMetadata(context.Background(), "samedir/"+path) })
	}
	d := slapdDirectory(s)
	client, err := directory.Open("corp", d, func(context.Context) (credential.Secret, error) { return credential.NewSecret(s.BinderPassword), nil })
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	c := campaign()
	c.Directories = map[string]config.Directory{"corp": d}
	c.Sources = []config.Source{manifestSource("account,path", `"`+s.AccountDN("svc-mail")+`",kv/samedir/mail#password`, `"`+s.AccountDN("svc-scan")+`",kv/samedir/scan#password`, `"`+s.AccountDN("svc-left")+`",kv/samedir/left#password`)}
	c.Exclude = []config.Exclude{{Account: "uid=svc-left," + legacy, Reason: "another company's"}}
	var mu sync.Mutex // several are asked at a time
	asked, deaf := 0, false
	asks := func(_ context.Context, x credential.Credential, v credential.Secret) (bool, string) {
		mu.Lock()
		defer mu.Unlock()
		if asked++; deaf {
			return false, "the server does not answer"
		}
		conn, err := ldap.DialURL(s.LDAP())
		if !assert.NoError(t, err) {
			return false, err.Error()
		}
		defer conn.Close()
		return conn.Bind(x.Name, v.Reveal()) == nil, ""
	}
	store := remembering{Store: openVault(t, realVault.RootToken().Reveal())}
	list := func() (*credential.Roll, map[string]credential.Credential) {
		t.Helper()
		asked = 0
		roll, _, err := List(t.Context(), c, Authorities{Directories: map[string]Directory{"corp": client}, Asks: asks}, store, "c", time.Now())
		require.NoError(t, err)
		return roll, byName(roll)
	}
	takes, refuses := "uid=svc-mail,"+legacy, "cn=svc-scan,"+legacy

	roll, got := list()
	require.Equal(t, 3, asked, "who has no password, and whom a person left out, is not asked; whose value it is that another one refused is")
	require.Empty(t, got[takes].Problem)
	require.Len(t, got[takes].Alike, 1)
	require.Equal(t, waveNames, roll.Waves[got[takes].Wave].Name)
	require.NotContains(t, got, refuses)
	require.Len(t, roll.Unlike, 1)
	require.Len(t, roll.Excluded, 1)

	// Once the value is dead that was stolen, who refuses the new one is the
	// same as before, and of who was never asked nothing is known.
	unlike, rotated := roll.Unlike, got[takes]
	store.since, store.last = ownmount.AsActivated, &ownmount.LastRoll{Campaign: "c0", Unlike: unlike, Dead: map[string]bool{}}
	roll, got = list()
	require.Zero(t, asked, "what a campaign put there is offered to nobody: it is in force elsewhere, and each would be a wrong login, in every run of a schedule")
	require.NotContains(t, got, refuses)
	require.Equal(t, unlike, roll.Unlike, "as long as campaigns go on")
	store.since = ownmount.WrittenSince
	_, got = list()
	require.Equal(t, 3, asked, "what somebody wrote since may be its own")
	require.NotContains(t, got, refuses)
	store.since, store.last = ownmount.AsActivated, nil
	roll, got = list()
	require.Equal(t, credential.SameName, got[refuses].Problem)
	require.Contains(t, details(roll, got[refuses].ID, credential.FindingSameName), "Rollcall has put there since")
	require.Empty(t, roll.Unlike)

	// One that could not be asked is open until somebody answers, whether or
	// not its namesake is on a roll yet.
	store.since, deaf = ownmount.NotActivated, true
	roll, got = list()
	require.Equal(t, credential.SameName, got[refuses].Problem)
	store.last = &ownmount.LastRoll{Campaign: "c0", Credentials: roll.Credentials, Dead: map[string]bool{got[s.AccountDN("svc-scan")].ID: true}}
	store.since, deaf = ownmount.AsActivated, false
	_, got = list()
	require.Equal(t, credential.SameName, got[refuses].Problem, "it refused the new value")
	c.Sources[0].Content = []byte("account\nsvc-away\n")
	roll, got = list()
	require.Equal(t, credential.SameName, got[refuses].Problem)
	require.Contains(t, details(roll, got[refuses].ID, credential.FindingSameName), "it was open in campaign c0")
	c.Accept = []config.Accept{{Directory: "corp", Finding: credential.FindingSameName, Reason: "somebody asked"}}
	_, got = list()
	require.NotContains(t, got, refuses)

	// As long as the stolen value is there it is asked again.
	c.Accept, store.since = nil, ownmount.NotActivated
	c.Sources[0].Content = []byte("account,path\n\"" + s.AccountDN("svc-scan") + "\",kv/samedir/scan#password\n")
	roll, got = list()
	require.NotContains(t, got, refuses, "it refuses what was stolen")
	require.Equal(t, unlike, roll.Unlike)

	// One that took the stolen value is proved dead in its campaign, so the
	// next knows that it refuses that value.
	_, err = realVault.Client().KVv2("kv").Put(t.Context(), "samedir/mail", map[string]any{"password": "new-1"})
	require.NoError(t, err)
	c.Sources[0].Content = []byte("account,path\n\"" + s.AccountDN("svc-mail") + "\",kv/samedir/mail#password\n")
	store.since = ownmount.AsActivated
	store.last = &ownmount.LastRoll{Campaign: "c0", Credentials: []credential.Credential{rotated}, Dead: map[string]bool{rotated.ID: true}}
	roll, got = list()
	require.NotContains(t, got, takes)
	require.Equal(t, []string{rotated.ID}, roll.Unlike)
	store.last.Dead[rotated.ID] = false
	_, got = list()
	require.Empty(t, got[takes].Problem, "nobody proved it dead: it is rotated")
}
