package vault

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/internal/credential"
	"rollcall/internal/vault/vaulttest"
)

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// written are what a configuration makes of a secret.
func written(secret string) map[string]string {
	wide := ""
	for _, b := range []byte(`"` + secret + `"`) {
		wide += string([]byte{b, 0})
	}
	return map[string]string{
		"YAML": "password: " + secret, "environment": "LDAP_PASSWORD=" + secret, "TOML": `password = "` + secret + `"`,
		"user and password": "svc:" + secret, "user, blank, password": "svc " + secret, "list": "svc," + secret,
		"base64": b64(secret), "base64 without padding": base64.RawURLEncoding.EncodeToString([]byte(secret)),
		"base64 of JSON": b64(`{"user":"svc","password":"` + secret + `"}`), "unicodePwd": b64(wide), "hex": hex.EncodeToString([]byte(secret)),
		"quoted": `"` + secret + `"`, "quoted once": `'` + secret, "typographic": "“" + secret + "”", "braces": "{" + secret + "}",
		"flow YAML": "{password: " + secret + "}", "Python": "{'password': '" + secret + "'}", "JSON with a comma at its end": `{"password": "` + secret + `",}`,
		"Oracle": "jdbc:oracle:thin:svc/" + secret + "@//db:1521/x", "Go": "svc:" + secret + "@tcp(db:3306)/app", "Oracle, short": "svc/" + secret + "@db",
		"capitals": "Host=db User=svc Password=" + secret, "XML": "<password>" + secret + "</password>",
		"Basic": "Basic " + b64("svc:"+secret), "Bearer": "Bearer " + secret,
		"byte order mark": "\ufeff" + secret, "NUL": secret + "\x00", "tab": secret + "\t", "blank behind": secret + " ", "blank before": " " + secret, "zero width": secret + "\u200b",
		"escaped JSON": `p\u0040` + secret, "percent": "p%40" + secret, "XML escapes": "a&amp;" + secret,
		"encrypted": "ENC(" + secret + ")", "template": "${" + secret + "}", "file": "/run/secrets/" + secret, "hash": "$6$salt$" + secret, "scheme": "{SSHA}" + secret,
	}
}

func why(text string) string { w, _ := more(text); return w }

func TestAFormOfASecretLooksLikeMoreThanABareOne(t *testing.T) {
	for name, text := range written("hunter2-Hunter2") {
		require.NotEmpty(t, why(text), name)
	}
	for _, bare := range []string{"", "hunter2", "Winter2024!", "x", "p@ss-w0rd_x.y~z", "hunter2\n", "hunter2\r\n", "Zm9vYg-Tr0ub4dor&3", "c29tZQ/zk+Lw9xQ==", "a#b", "100%", "8c7dd922-ad47-494f-bc02-c388e00e5c9f"} {
		require.Empty(t, why(bare), bare)
	}
	for _, name := range []string{"YAML", "environment", "TOML", "base64", "quoted", "XML", "Basic", "Python", "blank behind", "byte order mark"} {
		_, plain := more(written("hunter2-Hunter2")[name])
		require.True(t, plain, name)
	}
	for range 1000 {
		text := rand.Text()
		require.Empty(t, why(text), text)
	}
}

// What is written over as a bare value must not be a form of a secret that the
// code can read.
func TestAValueThatShowsAnotherSecretIsMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.StringMatching(`[A-Za-z0-9!-]{8,20}`).Draw(t, "secret")
		text := rapid.SampledFrom([]string{"base64", "base64 of JSON", "unicodePwd", "hex", "quoted", "environment", "Basic", "Python"}).Draw(t, "form")
		text = written(secret)[text]
		require.True(t, shows(text, secret), text)
		require.NotEmpty(t, why(text), text)
	})
}

func TestTheSameValueIsFoundBesideItselfHoweverItIsWritten(t *testing.T) {
	const secret = "p@ss<w0rd>&1"
	for name, other := range map[string]any{
		"object":          map[string]any{"bind": secret},
		"objects in list": []any{1, map[string]any{"x": []any{secret}}},
		"key":             map[string]any{"svc:" + secret: true},
		"percent-encoded": "ldaps://svc:p%40ss%3Cw0rd%3E%261@h",
		"base64":          "c3ZjOnBAc3M8dzByZD4mMQ==",
		"base64 in text":  "auth=c3ZjOnBAc3M8dzByZD4mMQ==;x=y",
		"base64 twice":    b64(b64("svc:" + secret)),
		"JSON string":     `{"bind":"p@ss\u003cw0rd\u003e\u00261"}`,
		"JSON in JSON":    `{"a":"{\"bind\":\"p@ss\\u003cw0rd>&1\"}"}`,
		"XML":             "<p>p@ss&lt;w0rd&gt;&amp;1</p>",
		"hex":             hex.EncodeToString([]byte(secret)),
		"end of a line":   secret + "\n",
	} {
		require.Equal(t, []string{"other"}, alsoIn(map[string]any{"password": secret, "other": other, "host": "h"}, "password", secret), name)
	}
	for name, data := range map[string]map[string]any{
		"a user of the same name": {"bind_dn": "svc-mail-01", "user": "svc-mail-01"},
		"a part of another word":  {"url": "https://short.example.org"},
	} {
		secret := map[string]string{"a user of the same name": "svc-mail-01", "a part of another word": "short"}[name]
		require.Empty(t, alsoIn(data, "password", secret), name)
	}
	for _, document := range []string{
		`{"password":"p@ss:w0rd!x&1","url":"ldaps://svc:p%40ss:w0rd%21x%261@h"}`,
		`{"password":"hunter2-x","auth":"` + b64("svc:hunter2-x") + `"}`,
		"Server=db;Uid=svc;Pwd=hunter2-x;Auth=" + b64("hunter2-x"),
	} {
		_, _, bare := unwrap(document)
		require.False(t, bare, "%s: one of the two would stay", document)
	}
}

func TestAnAddressMayHoldItsSecretAsItIs(t *testing.T) {
	require.NotEmpty(t, liveOf(Entry{Version: 1, Data: map[string]any{"url": "ldaps://svc:p%40ss@h"}}, "url").More)
	require.Empty(t, liveOf(Entry{Version: 1, Data: map[string]any{"url": "ldaps://svc:hunter2@h"}}, "url").More)
}

func TestWhatStandsAroundASecretIsNotDestroyedWithIt(t *testing.T) {
	s, p := newClient(t), vaulttest.NewPath()
	document := `{"user":"svc","password":"stolen-1","api_endpoint":"only here"}`
	vaulttest.SeedLive(t, p, map[string]any{"password": document})
	vaulttest.SeedLive(t, p, map[string]any{"password": "stolen-1"}) // by mistake
	from, err := s.ReadLive(t.Context(), p, 0)
	require.NoError(t, err)
	now, err := s.Activate(t.Context(), p, from, credential.NewSecret("new-one"), "")
	require.NoError(t, err)
	requireDestroy(t, s, p, []int{1, 2}, now.Version, now.Written, true)
	for v, stays := range map[int]bool{1: true, 2: false} {
		got, err := s.ReadLive(t.Context(), p, v)
		require.NoError(t, err)
		require.Equal(t, stays, got.Found, "version %d", v)
	}
	kept := vaulttest.NewPath()
	vaulttest.SeedLive(t, kept, map[string]any{"password": document})
	vaulttest.SeedLive(t, kept, map[string]any{"password": document})
	from, err = s.ReadLive(t.Context(), kept, 0)
	require.NoError(t, err)
	now, err = s.Activate(t.Context(), kept, from, credential.NewSecret("new-one"), "")
	require.NoError(t, err)
	requireDestroy(t, s, kept, []int{1, 2}, now.Version, now.Written, true)
	first, err := s.ReadLive(t.Context(), kept, 1)
	require.NoError(t, err)
	require.False(t, first.Found, "all that stands in it stands in the new version too")

	lines := vaulttest.NewPath()
	vaulttest.SeedLive(t, lines, map[string]any{"password": "LDAP_HOST=only.here\nPASSWORD=stolen-1\n"})
	vaulttest.SeedLive(t, lines, map[string]any{"password": "# new\nPASSWORD='stolen-1'\n"})
	vaulttest.SeedLive(t, lines, map[string]any{"password": "# new\nPASSWORD='stolen-1'\n"})
	from, err = s.ReadLive(t.Context(), lines, 0)
	require.NoError(t, err)
	now, err = s.Activate(t.Context(), lines, from, credential.NewSecret("new-one"), "")
	require.NoError(t, err)
	current, err := s.ReadLive(t.Context(), lines, 0)
	require.NoError(t, err)
	require.Equal(t, "# new\nPASSWORD='new-one'\n", current.data["password"])
	requireDestroy(t, s, lines, []int{1, 2, 3}, now.Version, now.Written, true)
	for v, stays := range map[int]bool{1: true, 2: false, 3: false} {
		got, err := s.ReadLive(t.Context(), lines, v)
		require.NoError(t, err)
		require.Equal(t, stays, got.Found, "lines, version %d", v)
	}
}
