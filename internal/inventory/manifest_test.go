package inventory

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
)

func read(c *config.Campaign, file, text string) ([]Candidate, error) {
	var out []Candidate
	err := manifest(c, config.Source{Name: "list", Type: config.Manifest, File: file, Content: []byte(text)}, func(c Candidate) { out = append(out, c) })
	return out, err
}

func TestManifestMeansTheSameAsCSVAndYAML(t *testing.T) {
	c := campaign()
	asCSV, err := read(c, "m.csv", "\xef\xbb\xbf# from the device's own configuration\n"+
		"Account, path, kind, directory, note\n"+
		`"uid=alice,ou=people,dc=example,dc=org",kv/x/alice#password,,,"lookup, inbound"`+"\n"+
		"bob,,ldap-password,corp,\n"+
		",kv/x/y#pw,,,\n"+
		"approle/esg,kv/x/vault#secret_id,approle-secret-id,,\n")
	require.NoError(t, err)
	asYAML, err := read(c, "m.yaml", `
- account: uid=alice,ou=people,dc=example,dc=org
  path: kv/x/alice#password
  note: lookup, inbound
- account: bob
  kind: ldap-password
  directory: corp
- path: kv/x/y#pw
- {account: approle/esg, path: "kv/x/vault#secret_id", kind: approle-secret-id}
`)
	require.NoError(t, err)
	require.Len(t, asCSV, 4)
	require.Equal(t, "m.csv:3, lookup, inbound", asCSV[0].Reason.Detail)
	require.Equal(t, "m.yaml:2, lookup, inbound", asYAML[0].Reason.Detail)
	require.Equal(t, "m.yaml:8", asYAML[2].Reason.Detail)
	for i := range asCSV {
		asCSV[i].Reason, asYAML[i].Reason = credential.Reason{}, credential.Reason{}
	}
	require.Equal(t, asCSV, asYAML)
	require.Equal(t, Candidate{Kind: credential.LDAPPassword, Authority: "corp", Account: "bob"}, asCSV[1])
	require.Equal(t, Candidate{Kind: credential.AppRoleSecretID, Authority: "vault", Account: "approle/esg",
		Path: &credential.Path{Mount: "kv", Path: "x/vault", Field: "secret_id"}}, asCSV[3])
}

func TestAManifestsMistakeInAKindNamesEveryKind(t *testing.T) {
	require.Regexp(t, `^ldap-password, .* or purge$`, anyKind())
	for _, k := range credential.Kinds() {
		require.Contains(t, anyKind(), string(k))
	}
}

func TestManifestMistakesAreToldAllAtOnceWithTheirLines(t *testing.T) {
	two := campaign()
	two.Directories["plant"] = config.Directory{Driver: config.OpenLDAP, Base: base}
	for _, tc := range []struct {
		name, file, text string
		want             []string
	}{
		{"rows of CSV", "m.csv", "account,path,directory,kind\na,PLANTED,corp,\nb\n,,corp,\nc,,nowhere,\nd,,,\ne,,corp,card\nesg,,,approle-secret-id\napprole/esg,,corp,approle-secret-id\n",
			[]string{
				"m.csv:2: path: must be a Vault reference, mount/path#field",
				"m.csv:3: has 1 cell where the header has 4 (read as UTF-8, separated by commas): write its separators to the end, which Excel leaves out, or complete it if the file was cut off",
				"m.csv:4: needs account or path, or it names nothing",
				"m.csv:5: directory: not in the campaign file, which has: corp, plant",
				"m.csv:6: directory: missing, and the campaign file does not have exactly one",
				"m.csv:7: kind: must be " + anyKind(),
				"m.csv:8: account: an AppRole is written as mount/name, for example approle/esg-01",
				"m.csv:9: directory: leave it out, Vault itself decides on an AppRole",
			}},
		{"suggestions", "m.csv", "account,path,directory,kind,suggested,new\na,kv/a#b,corp,,maybe,\nb,,corp,,true,\nc,kv/c#d,corp,,true,true\n,kv/x#y,corp,,true,\n8Fe1xXqXzYkYJ9sPbqSiaWqL,,,vault-token,true,\n",
			[]string{
				"m.csv:2: suggested: must be true or false: whether only the secret at path says so",
				"m.csv:3: suggested: belongs to account and path: it says that nothing but the secret there names the account",
				"m.csv:4: suggested: a secret that is not there yet suggests nothing: leave out one of new and suggested",
				"m.csv:5: suggested: belongs to account and path: it says that nothing but the secret there names the account",
				"m.csv:6: suggested: does not belong to a row of the kind vault-token, which only a person can name",
			}},
		{"a column of passwords", "m.csv", "account,Bind Password\nalice,PLANTED\n",
			[]string{"m.csv:1: a column for secrets is refused: a manifest says where Vault holds a secret (path), never the secret; remove the column, and treat what was in it as disclosed"}},
		{"columns", "m.csv", "account,acount,account\n",
			[]string{"m.csv:1: unknown column acount; known: kind, directory, account, path, line, note, doors, new, suggested, name, owner, due, ends, make, login (read as UTF-8, separated by commas)", "m.csv:1: column account appears twice"}},
		{"no header", "m.csv", "", []string{"m.csv: has no header line; it must name columns: kind, directory, account, path, line, note, doors, new, suggested, name, owner, due, ends, make, login"}},
		{"quotes", "m.csv", "account,directory\nalice,\"PLANTED\" x\n", []string{`m.csv:2: not valid CSV (read as UTF-8, separated by commas): extraneous or missing " in quoted-field; a value with quotes or separators stands in double quotes, and a quote in it is written twice`}},
		{"items of YAML", "m.yaml", "- account: a\n  directory: corp\n  secret: PLANTED\n- PLANTED\n- account: [PLANTED]\n  path: true\n  account: x\n",
			[]string{
				"m.yaml:3: a column for secrets is refused: a manifest says where Vault holds a secret (path), never the secret; remove the column, and treat what was in it as disclosed",
				"m.yaml:4: must be a mapping of kind, directory, account, path, line, note, doors, new, suggested, name, owner, due, ends, make, login",
				"m.yaml:5: account: must be text; quote it if it looks like something else",
				"m.yaml:5: needs account or path, or it names nothing",
				"m.yaml:5: directory: missing, and the campaign file does not have exactly one",
				"m.yaml:6: path: must be text; quote it if it looks like something else",
				"m.yaml:7: duplicate key account",
			}},
		{"not a list", "m.yml", "account: PLANTED\n", []string{`m.yml:1: must be a list: each credential begins with "- "`}},
		{"syntax", "m.yaml", "- account: \"PLANTED\n", []string{"m.yaml:2: not valid YAML: a manifest is one list, each item a mapping of kind, directory, account, path, line, note, doors, new, suggested, name, owner, due, ends, make, login"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			found, err := read(two, tc.file, tc.text)
			require.Empty(t, found)
			var errs *config.Errors
			require.ErrorAs(t, err, &errs)
			require.Equal(t, tc.want, strings.Split(err.Error(), "\n"))
		})
	}
}

const planted = "Pl4nted!{}secret=+"

// Nothing makes the reader panic, and a row gives a candidate or a mistake,
// never neither. The value of a column for secrets is never repeated.
func FuzzManifest(f *testing.F) {
	f.Add("m.csv", "account,path,kind,directory,note\nalice,kv/x#y,,corp,n\n")
	f.Add("m.csv", "account,password\nalice,"+planted+"\n")
	f.Add("m.yaml", "- account: alice\n  path: kv/x#y\n- {kind: approle-secret-id, account: a/b}\n")
	f.Add("m.yaml", "- token: "+planted+"\n")
	f.Fuzz(func(t *testing.T, file, text string) {
		found, err := read(campaign(), file, text)
		if err != nil && (len(found) > 0 || strings.Contains(err.Error(), planted)) {
			t.Fatalf("%d candidates and %v", len(found), err)
		}
		for _, c := range found {
			if c.Account == "" && c.Path == nil || c.Kind == "" || c.Authority == "" {
				t.Fatalf("incomplete: %+v", c)
			}
		}
	})
}
