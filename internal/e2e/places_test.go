package e2e

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/intruder"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// oddPlace is an account of the device and what people, or a thief, say of its
// place in Vault.
type oddPlace struct {
	name    string
	data    map[string]any // of the secret kv/apps/<device>/<name>; "PASSWORD" stands for the account's
	field   string         // of custom_metadata
	row     string         // path of a manifest row instead; "" for none
	deletes bool           // the secret's current version is deleted
	ends    bool           // the secret has delete_version_after

	reason   protocol.Reason // "" for dead
	findings []credential.FindingCode
}

var oddPlaces = []oddPlace{
	{name: "another-key", data: map[string]any{"user": "svc", "pass": "PASSWORD"}, reason: protocol.ReasonNoField},
	{name: "mistyped-key", data: map[string]any{"bind_password": "PASSWORD"}, field: "bindpassword", reason: protocol.ReasonNoField},
	{name: "address", data: map[string]any{"url": "ldaps://svc:PASSWORD@ldap.example.org/ou=x"}, field: "url"},
	{name: "json", data: map[string]any{"config": `{"user": "svc", "password": "PASSWORD", "url": "https://x"}`}, field: "config"},
	{name: "two-secrets", data: map[string]any{"config": `{"password": "PASSWORD", "api": {"password": "other"}}`}, field: "config", reason: protocol.ReasonNotBare},
	{name: "several-lines", data: map[string]any{"password": "svc\nPASSWORD\n"}, reason: protocol.ReasonNotBare},
	{name: "an-object", data: map[string]any{"password": map[string]any{"value": "PASSWORD"}}, reason: protocol.ReasonUnusable},
	{name: "a-boolean", data: map[string]any{"password": true}, reason: protocol.ReasonUnusable},
	{name: "deleted", data: map[string]any{"password": "PASSWORD", "host": "only here"}, deletes: true, findings: []credential.FindingCode{credential.FindingSparePath}},
	{name: "ends", data: map[string]any{"password": "PASSWORD"}, ends: true, reason: protocol.ReasonDeletesItself},
	{name: "as-the-api", row: "kv/data/apps/x#password", reason: protocol.ReasonAPIPath},
	{name: "no-mount", row: "nomount/apps/mail#password", reason: protocol.ReasonNoMount},
	{name: "version-1", row: "kv1/apps/mail#password", reason: protocol.ReasonNotKV2},
	{name: "team-mount", row: "team/kv/esg/mail#password"},
	{name: "anothers-path", row: "kv/apps/other/app-0001#password", findings: []credential.FindingCode{credential.FindingPathRefused, credential.FindingSparePath}},
	{name: "refused", data: map[string]any{"password": "stale"}, findings: []credential.FindingCode{credential.FindingPathRefused, credential.FindingSparePath}},
	{name: "confirmed", data: map[string]any{"password": "stale"}, findings: []credential.FindingCode{credential.FindingConfirmed}},
	{name: "many", data: map[string]any{"password": "PASSWORD"}, reason: protocol.ReasonManyPaths},
	{name: "taken-default", findings: []credential.FindingCode{credential.FindingPathRefused, credential.FindingSparePath}},
	{name: "default"},
	{name: "a-name", data: map[string]any{"password": "login=PASSWORD"}, reason: protocol.ReasonNotBare},
	{name: "quoted", data: map[string]any{"password": `"PASSWORD"`}},
	{name: "base64", data: map[string]any{"password": "BASE64"}, reason: protocol.ReasonNotBare},
	{name: "beside", data: map[string]any{"password": "PASSWORD", "ldap": map[string]any{"bind": "PASSWORD"}}, reason: protocol.ReasonCopyBeside},
	{name: "beside-base64", data: map[string]any{"password": "PASSWORD", "auth": "BASE64"}, reason: protocol.ReasonCopyBeside},
	{name: "beside-accepted", data: map[string]any{"password": "PASSWORD", "copy": "PASSWORD"}, findings: []credential.FindingCode{credential.FindingCopyBeside}},
	{name: "a-setting", data: map[string]any{"password": "ldap.password=PASSWORD"}},
	{name: "env-file", data: map[string]any{".env": "# mail\r\nexport LDAP_USER=svc\r\nLDAP_PASSWD='PASSWORD' # yearly\r\nTLS=on"}, field: ".env"},
	{name: "yaml", data: map[string]any{"config": "user: svc\npassword: PASSWORD\n"}, field: "config"},
	{name: "two-settings", data: map[string]any{"config": "LDAP_PASSWD=PASSWORD\nDB_PASSWD=other\n"}, field: "config", reason: protocol.ReasonNotBare},
	{name: "basic", data: map[string]any{"password": "Basic BASE64"}},
	{name: "stale-quoted", data: map[string]any{"password": `"stale"`}, reason: protocol.ReasonNotBare},
	{name: "empty-segment", row: "kv/apps//x#password", reason: protocol.ReasonMalformed},
	{name: "dots", row: "kv/apps/../x#password", reason: protocol.ReasonMalformed},
	{name: "one-dot", row: "kv/./apps/x#password", reason: protocol.ReasonMalformed},
	{name: "as-in-a-url", row: "kv/apps/x%20y#password", reason: protocol.ReasonMalformed},
	{name: "blank-inside", row: "kv/apps /x#password", reason: protocol.ReasonMalformed},
	{name: "slashes-at-the-ends", row: "/team/kv/esg/ends/#password"},
	{name: "ends-by-now", data: map[string]any{"password": "PASSWORD"}, ends: true, reason: protocol.ReasonDeletesItself},
	{name: "an-empty-field", data: map[string]any{"password": "", "pw": "PASSWORD"}, reason: protocol.ReasonNoField},
	{name: "nothing-in-the-field", data: map[string]any{"password": nil, "pw": "PASSWORD"}, reason: protocol.ReasonNoField},
	{name: "behind-its-name", data: map[string]any{"password": "OWN#PASSWORD"}},
	{name: "behind-a-percent-sign", data: map[string]any{"password": "OWN%PASSWORD"}},
	{name: "fleeting", row: "fleeting/mail#password", reason: protocol.ReasonDeletesItself},
}

// What a real Vault holds, and what is said of it, is looked at before anything
// is set: no path is written that is not the account's, nothing that only
// stands beside a secret is lost, and each credential that stays open says why.
func TestAPlaceInVaultIsAnAccountsOnlyIfThatWasSeen(t *testing.T) {
	e := startEstate(t, estate.Options{Accounts: 1, Tagged: len(oddPlaces), Bystanders: 3})
	u, account := placesUser(t, e)
	api := e.Vault.Client()

	u.must("init")
	shown := u.run("list")
	require.Equal(t, 1, shown.code, shown.out+shown.err)
	require.Contains(t, shown.out, `has no field "password"; it has ["pass" "user"]`, "list looks as run does")
	require.Contains(t, shown.out, "[not-a-bare-secret]")
	require.Contains(t, shown.out, "[copy-beside]")
	require.Contains(t, shown.out, "[malformed-path]")
	require.Contains(t, shown.out+shown.err, "vault write fleeting/config delete_version_after=0s")
	require.Contains(t, u.run("list", "-o", "json").out, "looks like more than a bare secret (a name before it)")
	require.NotContains(t, shown.out+shown.err, account[0].Password)

	ran := u.run("run")
	require.Equal(t, 2, ran.code, ran.out+ran.err)
	state := u.ledger()
	for i, o := range oddPlaces {
		l, s := state.Credential(account[i].ID), account[i]
		stolen := credential.NewSecret(s.Password)
		if o.reason != "" {
			require.Equal(t, ledger.IsException, l.Outcome, o.name)
			require.Equal(t, o.reason, l.Reason, o.name)
			require.True(t, binds(t, e, s.Servers[0], s.DN, stolen), "%s: nothing was set", o.name)
			continue
		}
		require.Equal(t, ledger.Dead, l.Outcome, "%s: %s at %s, %s", o.name, l.Reason, l.Step, l.Detail)
		require.False(t, binds(t, e, s.Servers[0], s.DN, stolen), o.name)
		require.Subset(t, codes(l), o.findings, o.name)
		at := placeOf(o, s)
		require.True(t, binds(t, e, s.Servers[0], s.DN, at.value(t, api)), "%s: what %s holds logs in", o.name, at.path)
	}
	requireBystandersUntouched(t, e)

	held := func(path string) map[string]any {
		t.Helper()
		got, err := api.Logical().Read(path)
		require.NoError(t, err)
		require.NotNil(t, got, path)
		return got.Data["data"].(map[string]any)
	}
	t.Run("what a thief wrote of himself into metadata opens nothing", func(t *testing.T) {
		for _, l := range state.Credentials {
			if strings.Contains(l.Name, "uid=app-") {
				require.Equal(t, protocol.ReasonUnproved, l.Reason)
			}
		}
		require.Equal(t, 1, versions(t, api, credential.Path{Mount: "kv", Path: "apps/" + estate.Device + "/cache"}))
	})
	t.Run("what stands beside a secret is kept", func(t *testing.T) {
		require.Regexp(t, `^ldaps://svc:[^@]+@ldap\.example\.org/ou=x$`, held("kv/data/apps/" + estate.Device + "/address")["url"])
		require.Regexp(t, `^\{"user": "svc", "password": "[^"]+", "url": "https://x"\}$`, held("kv/data/apps/" + estate.Device + "/json")["config"])
		_, err := api.Logical().Write("kv/undelete/apps/"+estate.Device+"/deleted", map[string]any{"versions": []int{1}})
		require.NoError(t, err)
		require.Equal(t, "only here", held("kv/data/apps/" + estate.Device + "/deleted")["host"])
	})
	t.Run("no version is destroyed whose value was not seen to be the account's", func(t *testing.T) {
		require.Equal(t, "theirs", held("kv/data/rollcall/corp/" + account[18].uid())["password"])
		got, err := api.Logical().ReadWithData("kv/data/apps/"+estate.Device+"/confirmed", map[string][]string{"version": {"1"}})
		require.NoError(t, err)
		require.Equal(t, "stale", got.Data["data"].(map[string]any)["password"])
	})
	t.Run("the next campaign does not forget that consumers read another place", func(t *testing.T) {
		require.Equal(t, 2, u.run("run").code)
		for i, o := range oddPlaces {
			if o.name != "refused" {
				continue
			}
			l := u.ledger().Credential(account[i].ID)
			require.Equal(t, ledger.Dead, l.Outcome)
			require.Subset(t, codes(l), o.findings)
			for _, f := range l.Findings {
				if f.Code == credential.FindingSparePath {
					require.Contains(t, f.Detail, "kv/rollcall/corp/"+account[i].uid())
				}
			}
			require.Equal(t, "stale", held("kv/data/apps/" + estate.Device + "/refused")["password"])
		}
	})
	t.Run("nothing was written at a stray place", func(t *testing.T) {
		got, err := api.Logical().Read("kv1/data/apps/mail")
		require.NoError(t, err)
		require.Nil(t, got)
	})
	t.Run("what a claim holds open, its finding says how to go on with", func(t *testing.T) { answerClaims(t, u, account) })
}

// answers are what a person does with the words that list has for an account
// which is held open by a secret's own word: the pattern of what is to be
// copied into the campaign file, and what stands for the part that only he
// knows. place is where the new value lies then.
var answers = []struct {
	name, key, pattern, placeholder, fill string
	place                                 func(s stolenAccount) newPlace
}{
	{"another-key", "confirm", `\{account: "[^"]+", path: "[^"]+#FIELD", reason: …\}`, "FIELD", "pass", inSecret("another-key", "pass")},
	{"mistyped-key", "confirm", `\{account: "[^"]+", path: "[^"]+#FIELD", reason: …\}`, "FIELD", "bind_password", inSecret("mistyped-key", "bind_password")},
	{"two-secrets", "exclude", `\{path: "[^"]+", reason: …\}`, "", "", atDefault},
	{"several-lines", "exclude", `\{path: "[^"]+", reason: …\}`, "", "", atDefault},
	{"an-object", "exclude", `\{path: "[^"]+", reason: …\}`, "", "", atDefault},
	{"ends", "exclude", `\{path: "[^"]+", reason: …\}`, "", "", atDefault},
	{"many", "confirm", `\{account: "[^"]+", path: "mount/path#field", only: true, reason: …\}`, "mount/path#field", "kv/apps/" + estate.Device + "/many#password", inSecret("many", "password")},
}

func inSecret(name, field string) func(stolenAccount) newPlace {
	return func(stolenAccount) newPlace {
		return newPlace{path: "kv/data/apps/" + estate.Device + "/" + name, field: field}
	}
}

func atDefault(s stolenAccount) newPlace {
	return newPlace{path: "kv/data/rollcall/corp/" + s.uid(), field: "password"}
}

func answerClaims(t *testing.T, u *user, account []stolenAccount) {
	u = u.in(t)
	api := u.e.Vault.Client()
	for command, text := range map[string]string{"plan": u.run("plan").out, "report": u.must("report")} {
		text = strings.Join(strings.Fields(text), " ")
		for _, words := range []string{"/ends#password", "only that secret's own word says that it is the account's", `leave it out (exclude: - {path: "kv/apps/`, "if it is, name the field that holds the password (confirm:"} {
			require.Contains(t, text, words, command)
		}
	}
	listed := decode[struct {
		Findings map[string][]credential.Finding `json:"findings"`
	}](t, u.run("list", "-o", "json").out)
	lines := map[string]string{"confirm": "", "exclude": ""}
	before := map[string]int{}
	for i, o := range oddPlaces {
		for _, a := range answers {
			if a.name != o.name {
				continue
			}
			var said string
			for _, f := range listed.Findings[account[i].ID] {
				said += f.Detail + "\n"
			}
			require.Contains(t, said, "only", o.name)
			require.Contains(t, said, "own word", o.name)
			require.Contains(t, said, "the account is rotated", o.name)
			line := regexp.MustCompile(a.pattern).FindString(said)
			require.NotEmpty(t, line, "%s: %s", o.name, said)
			line = strings.ReplaceAll(strings.Replace(line, a.placeholder, a.fill, 1), "…", "looked at")
			lines[a.key] += "  - " + line + "\n"
			before[o.name] = versions(t, api, credential.Path{Mount: "kv", Path: "apps/" + estate.Device + "/" + o.name})
		}
	}
	v := u.edited("confirm:\n", "confirm:\n"+lines["confirm"]).edited("sources:\n", "exclude:\n"+lines["exclude"]+"sources:\n")
	ran := v.run("run")
	require.Equal(t, 2, ran.code, ran.out+ran.err)
	for i, o := range oddPlaces {
		for _, a := range answers {
			if a.name != o.name {
				continue
			}
			s, l := account[i], v.ledger().Credential(account[i].ID)
			require.Equal(t, ledger.Dead, l.Outcome, "%s: %s at %s, %s", o.name, l.Reason, l.Step, l.Detail)
			require.False(t, binds(t, u.e, s.Servers[0], s.DN, credential.NewSecret(s.Password)), o.name)
			require.True(t, binds(t, u.e, s.Servers[0], s.DN, a.place(s).value(t, api)), "%s: what %s holds logs in", o.name, a.place(s).path)
			after := versions(t, api, credential.Path{Mount: "kv", Path: "apps/" + estate.Device + "/" + o.name})
			if a.key == "exclude" {
				require.Equal(t, before[o.name], after, "%s: what was left out stays as it is", o.name)
			}
		}
	}
	for i := range 2 {
		require.Equal(t, 1, versions(t, api, credential.Path{Mount: "kv", Path: fmt.Sprintf("apps/%s/many-%02d", estate.Device, i)}))
	}
}

// stolenAccount is one of those that are tied to the device by the directory.
type stolenAccount struct{ intruder.Stolen }

func (s stolenAccount) uid() string {
	uid, _, _ := strings.Cut(strings.TrimPrefix(s.DN, "uid="), ",")
	return uid
}

// placesUser seeds Vault for oddPlaces, one account each.
func placesUser(t *testing.T, e *estate.Estate) (*user, []stolenAccount) {
	var account []stolenAccount
	for _, s := range e.Stolen {
		if strings.Contains(s.DN, "uid=svc-mass-") {
			account = append(account, stolenAccount{s})
		}
	}
	require.Len(t, account, len(oddPlaces))
	api := e.Vault.Client()
	for path, in := range map[string]*vaultapi.MountInput{
		"kv1":      {Type: "kv", Options: map[string]string{"version": "1"}},
		"team/kv":  {Type: "kv", Options: map[string]string{"version": "2"}},
		"fleeting": {Type: "kv", Options: map[string]string{"version": "2"}},
	} {
		require.NoError(t, api.Sys().Mount(path, in))
	}
	secrets, metadata := map[string]map[string]any{}, map[string]map[string]any{}
	rows := "account,path,new\n"
	for i, o := range oddPlaces {
		path := "apps/" + estate.Device + "/" + o.name
		switch {
		case o.row != "":
			rows += fmt.Sprintf("%s,%s,%t\n", account[i].uid(), o.row, o.name == "slashes-at-the-ends") // the one that is not there
		case o.data != nil:
			secrets[path] = filled(o.data, account[i].uid(), account[i].Password)
			metadata[path] = map[string]any{"account": account[i].uid()}
			if o.field != "" {
				metadata[path]["field"] = o.field
			}
		case o.name == "taken-default":
			secrets["rollcall/corp/"+account[i].uid()] = map[string]any{"password": "theirs"}
		}
	}
	secrets["apps/"+estate.Device+"/cache"] = map[string]any{"password": "planted"}
	metadata["apps/"+estate.Device+"/cache"] = map[string]any{"account": "app-0002"}
	for i := range credential.MaxPaths + 8 { // whoever writes there can name an account as often as he likes
		path := fmt.Sprintf("apps/%s/many-%02d", estate.Device, i)
		secrets[path], metadata[path] = map[string]any{"password": "planted"}, map[string]any{"account": account[17].uid()}
	}
	metadata["apps/"+estate.Device+"/no-version"] = map[string]any{"account": "app-0003"}
	ctx := context.Background()
	require.NoError(t, e.Vault.SeedKV(ctx, secrets))
	require.NoError(t, e.Vault.SeedMetadata(ctx, metadata))
	for i, o := range oddPlaces {
		path := "apps/" + estate.Device + "/" + o.name
		switch {
		case o.deletes:
			_, err := api.Logical().Delete("kv/data/" + path)
			require.NoError(t, err)
		case o.name == "ends-by-now": // what is there was written before, and stays
			_, err := api.Logical().Write("kv/metadata/"+path, map[string]any{"delete_version_after": "24h", "custom_metadata": metadata[path]})
			require.NoError(t, err)
		case o.name == "fleeting": // a mount that deletes, and nothing there yet
			require.Eventually(t, func() bool {
				_, err := api.Logical().Write("fleeting/config", map[string]any{"delete_version_after": "1h"})
				return err == nil
			}, patience, 50*time.Millisecond)
		case o.ends:
			_, err := api.Logical().Write("kv/metadata/"+path, map[string]any{"delete_version_after": "24h", "custom_metadata": metadata[path]})
			require.NoError(t, err)
			require.NoError(t, e.Vault.SeedKV(ctx, map[string]map[string]any{path: secrets[path]}))
		case o.name == "team-mount":
			require.Eventually(t, func() bool { // a new mount is set up in the background
				_, err := api.Logical().Write("team/kv/data/esg/mail", map[string]any{"data": map[string]any{"password": account[i].Password}})
				return err == nil
			}, patience, 50*time.Millisecond)
		}
	}
	confirmed := account[16]
	file, err := e.CampaignFile(nil, quick+"\nconfirm:\n  - {account: "+confirmed.uid()+", path: 'kv/apps/"+estate.Device+"/confirmed#password', reason: asked its owner}\naccept:\n  - {account: "+account[25].uid()+", problem: copy-beside, reason: nothing reads it}\n")
	require.NoError(t, err)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	text = []byte(strings.Replace(string(text), "sources:\n", "sources:\n  - {name: list, type: manifest, file: places.csv}\n", 1))
	require.NoError(t, os.WriteFile(file, text, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(file), "places.csv"), []byte(rows), 0o600))
	return newUser(t, e, file), account
}

func filled(data map[string]any, uid, password string) map[string]any {
	out := map[string]any{}
	for k, v := range data {
		switch v := v.(type) {
		case string:
			v = strings.ReplaceAll(v, "BASE64", base64.StdEncoding.EncodeToString([]byte("svc:"+password)))
			out[k] = strings.NewReplacer("PASSWORD", password, "OWN", uid).Replace(v)
		case map[string]any:
			out[k] = filled(v, uid, password)
		default:
			out[k] = v
		}
	}
	return out
}

// newPlace is where the new value of an account lies.
type newPlace struct{ path, field, before, after string }

// surrounded are what is around the new value of an account.
var surrounded = map[string]newPlace{
	"quoted":    {field: "password", before: `"`, after: `"`},
	"a-setting": {field: "password", before: "ldap.password="},
	"env-file":  {field: ".env", before: "# mail\r\nexport LDAP_USER=svc\r\nLDAP_PASSWD='", after: "' # yearly\r\nTLS=on"},
	"yaml":      {field: "config", before: "user: svc\npassword: ", after: "\n"},
	"basic":     {field: "password", before: "Basic "},
}

func placeOf(o oddPlace, s stolenAccount) newPlace {
	_, subject, _ := strings.Cut(s.ID, "/")
	device := "kv/data/apps/" + estate.Device + "/" + o.name
	if at, is := surrounded[o.name]; is {
		at.path = device
		return at
	}
	switch o.name {
	case "behind-its-name":
		return newPlace{path: device, field: "password", before: s.uid() + "#"}
	case "behind-a-percent-sign":
		return newPlace{path: device, field: "password", before: s.uid() + "%"}
	case "address":
		return newPlace{device, "url", "ldaps://svc:", "@ldap.example.org/ou=x"}
	case "json":
		return newPlace{device, "config", `{"user": "svc", "password": "`, `", "url": "https://x"}`}
	case "team-mount":
		return newPlace{path: "team/kv/data/esg/mail", field: "password"}
	case "slashes-at-the-ends":
		return newPlace{path: "team/kv/data/esg/ends", field: "password"}
	case "confirmed", "beside-accepted":
		return newPlace{path: device, field: "password"}
	case "default":
		return newPlace{path: "kv/data/rollcall/corp/" + s.uid(), field: "password"}
	}
	return newPlace{path: "kv/data/rollcall/corp/" + s.uid() + "-" + subject, field: "password"}
}

func (p newPlace) value(t *testing.T, api *vaultapi.Client) credential.Secret {
	t.Helper()
	got, err := api.Logical().Read(p.path)
	require.NoError(t, err)
	require.NotNil(t, got, p.path)
	text, _ := got.Data["data"].(map[string]any)[p.field].(string)
	require.True(t, strings.HasPrefix(text, p.before) && strings.HasSuffix(text, p.after), "%s: what stands around it stays as it is", p.path)
	text = strings.TrimSuffix(strings.TrimPrefix(text, p.before), p.after)
	if p.before == "Basic " {
		plain, err := base64.StdEncoding.DecodeString(text)
		require.NoError(t, err)
		text = strings.TrimPrefix(string(plain), "svc:")
	}
	if p.before != "" && strings.HasPrefix(p.before, "ldaps") {
		text = strings.NewReplacer("%40", "@", "%3D", "=", "%25", "%", "%5E", "^", "%2B", "+").Replace(text)
	}
	return credential.NewSecret(text)
}
