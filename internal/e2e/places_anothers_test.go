package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/intruder"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// sharedPlace is a path that is said to be an account's of the device, OWN, and
// what it says of itself. OTHER is an account that nobody listed and that has
// the same password.
type sharedPlace struct {
	name  string
	data  string // "field: text" lines of the secret; password: PASSWORD besides
	meta  string // account of custom_metadata
	row   string // path of a manifest's row; "" for kv/apps/other/<name>#password
	noRow bool   // the secret is in the device's folder, and its metadata ties it
	pw    string // of both accounts, if not the other's own
	anew  bool   // the account has another one by now
	sure  bool   // the campaign file confirms account and path
	open  bool
}

var sharedPlaces = []sharedPlace{
	{name: "metadata", meta: "OTHER", open: true},
	{name: "username", data: "username: OTHER", open: true},
	{name: "bind-dn", data: "bind_dn: DNOTHER", open: true},
	{name: "mail", data: "login: OTHER@example.org\nuser: OTHER", open: true},
	{name: "domain", data: `username: EXAMPLE\OTHER` + "\nuid: OTHER", open: true},
	{name: "both", data: "username: OTHER", meta: "OWN", noRow: true, open: true},
	{name: "both-the-other-way", data: "username: OWN", meta: "OTHER", open: true},
	{name: "called-so", row: "apps/other/OTHER#password", open: true},
	{name: "field-called-so", data: "OTHER_password: PASSWORD", row: "apps/other/field-called-so#OTHER_password", open: true},
	{name: "its-own-field", data: "ldap_user: OTHER\nldap_password: PASSWORD\nsmtp_user: OWN\nsmtp_password: x-1", row: "apps/other/its-own-field#ldap_password", open: true},
	{name: "like-a-name", data: "username: OTHER", pw: "Initial-Welcome-1", open: true},
	{name: "in-a-document", data: "password: ldaps://OTHER:PASSWORD@ldap.example.org/", open: true},
	{name: "nothing"},
	{name: "own", data: "username: OWN"},
	{name: "own-dn", data: "bind_dn: DNOWN\nbase_dn: ou=people,dc=example,dc=org"},
	{name: "own-domain", data: `username: EXAMPLE\OWN`},
	{name: "own-realm", data: "principal: OWN@EXAMPLE.ORG"},
	{name: "display-name", data: "username: Mail Gateway\naccount: tenant-7"},
	{name: "two-in-one", data: "ldap_user: OWN\nldap_password: PASSWORD\nsmtp_user: OTHER\nsmtp_password: x-1", row: "apps/other/two-in-one#ldap_password"},
	{name: "metadata-of-another-field", data: "ldap_password: PASSWORD\npassword: x-1", meta: "OTHER", row: "apps/other/metadata-of-another-field#ldap_password"},
	{name: "confirmed", data: "username: OTHER", sure: true},
	{name: "refused", data: "username: OTHER", anew: true},
}

// TestAPathThatNamesAnotherAccountIsNotWrittenOver although the account that a
// row names accepts what it holds: accounts that were made in a batch have one
// first password, and it may be the other one's only copy.
func TestAPathThatNamesAnotherAccountIsNotWrittenOver(t *testing.T) {
	e := startEstate(t, estate.Options{Accounts: 1, Tagged: len(sharedPlaces) + 4, Bystanders: len(sharedPlaces)})
	e.Directory = waitsLong
	var own, other []stolenAccount
	for _, s := range e.Stolen {
		if strings.Contains(s.DN, "uid=svc-mass-") {
			own = append(own, stolenAccount{s})
		}
	}
	for _, s := range e.Known {
		if strings.Contains(s.DN, "uid=app-") && s.Kind == intruder.LDAP {
			other = append(other, stolenAccount{s})
		}
	}
	require.Len(t, own, len(sharedPlaces)+4)
	require.GreaterOrEqual(t, len(other), len(sharedPlaces))
	admin, err := e.Slapd.AdminConn(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = admin.Close() })
	set := func(s *stolenAccount, password string) {
		t.Helper()
		_, err := admin.PasswordModify(ldap.NewPasswordModifyRequest(s.DN, "", password))
		require.NoError(t, err)
		s.Password = password
	}
	secrets, metadata := map[string]map[string]any{}, map[string]map[string]any{}
	rows, confirm := "account,path\n", ""
	place := map[string]credential.Path{}
	for i, o := range sharedPlaces {
		other[i].Password = e.Slapd.SeededPassword(other[i].uid())
		if o.pw != "" {
			set(&other[i], o.pw)
		}
		first := other[i].Password
		set(&own[i], first)
		if o.anew {
			set(&own[i], "Another-"+first)
		}
		fill := strings.NewReplacer("DNOWN", own[i].DN, "DNOTHER", other[i].DN, "OWN", own[i].uid(), "OTHER", other[i].uid(), "PASSWORD", first).Replace
		folder := "apps/other/"
		if o.noRow {
			folder = "apps/" + estate.Device + "/"
		}
		at := folder + o.name + "#password"
		if o.row != "" {
			at = fill(o.row)
		}
		path, field, _ := strings.Cut(at, "#")
		place[o.name] = credential.Path{Mount: "kv", Path: path, Field: field}
		data := map[string]any{"password": first}
		for line := range strings.Lines(fill(o.data)) {
			key, text, _ := strings.Cut(strings.TrimSpace(line), ": ")
			data[key] = text
		}
		if field != "password" && !strings.Contains(o.data, "\npassword") {
			delete(data, "password")
		}
		secrets[path] = data
		if o.meta != "" {
			metadata[path] = map[string]any{"account": fill(o.meta)}
		}
		if !o.noRow {
			rows += fmt.Sprintf("%s,kv/%s\n", own[i].uid(), at)
		}
		if o.sure {
			confirm += fmt.Sprintf("  - {account: %s, path: \"kv/%s\", reason: looked at}\n", own[i].uid(), at)
		}
	}
	swapped := own[len(sharedPlaces):]
	for i := range swapped {
		set(&swapped[i], "Initial-Welcome-2")
		path := "apps/other/" + swapped[i].uid()
		if secrets[path] = map[string]any{"password": swapped[i].Password}; i < 2 {
			secrets[path]["username"] = swapped[i].uid()
		}
		rows += fmt.Sprintf("%s,kv/apps/other/%s#password\n", swapped[i].uid(), swapped[i^1].uid())
	}
	require.NoError(t, e.Vault.SeedKV(context.Background(), secrets))
	require.NoError(t, e.Vault.SeedMetadata(context.Background(), metadata))
	file, err := e.CampaignFile(nil, unhurried+"confirm:\n"+confirm)
	require.NoError(t, err)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(text), "sources:\n", "sources:\n  - {name: rows, type: manifest, file: rows.csv}\n", 1)), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(file), "rows.csv"), []byte(rows), 0o600))
	u := newUser(t, e, file)
	u.env = append(u.env, vaultWaitsLong)
	u.must("init")
	listed := decode[struct {
		Findings map[string][]credential.Finding `json:"findings"`
	}](t, u.run("list", "-o", "json").out)
	before := map[credential.Path]int{}
	for secret := range secrets {
		at := credential.Path{Mount: "kv", Path: secret}
		before[at] = versions(t, e.Vault.Client(), at)
	}
	ran := u.run("run", "--yes")
	require.Equal(t, 2, ran.code, ran.out+ran.err)
	state, api := u.ledger(), e.Vault.Client()
	stays := func(t *testing.T, s stolenAccount, id string, at credential.Path) {
		t.Helper()
		l := state.Credential(id)
		require.Equal(t, ledger.IsException, l.Outcome)
		require.Equal(t, protocol.ReasonSharedPath, l.Reason, l.Detail)
		require.Equal(t, before[credential.Path{Mount: at.Mount, Path: at.Path}], versions(t, api, at), "it is as it was")
		require.True(t, binds(t, e, s.Servers[0], s.DN, credential.NewSecret(s.Password)), "nothing was set")
		require.Contains(t, fmt.Sprint(listed.Findings[id]), "stays open as shared-path", "it is said before")
	}
	for i, o := range sharedPlaces {
		t.Run(o.name, func(t *testing.T) {
			at, l := place[o.name], state.Credential(own[i].ID)
			if o.open {
				stays(t, own[i], own[i].ID, at)
				require.True(t, binds(t, e, own[i].Servers[0], other[i].DN, credential.NewSecret(other[i].Password)))
				return
			}
			require.Equal(t, ledger.Dead, l.Outcome, "%s: %s", l.Reason, l.Detail)
			if o.anew {
				require.Contains(t, codes(l), credential.FindingPathRefused)
				require.Equal(t, before[credential.Path{Mount: at.Mount, Path: at.Path}], versions(t, api, at), "it is as it was")
				return
			}
			got, err := api.Logical().Read("kv/data/" + at.Path)
			require.NoError(t, err)
			now := credential.NewSecret(got.Data["data"].(map[string]any)[at.Field].(string))
			require.True(t, binds(t, e, own[i].Servers[0], own[i].DN, now))
		})
	}
	t.Run("rows in each other's place", func(t *testing.T) {
		for i, s := range swapped {
			stays(t, s, s.ID, credential.Path{Mount: "kv", Path: "apps/other/" + swapped[i^1].uid(), Field: "password"})
		}
	})
}
