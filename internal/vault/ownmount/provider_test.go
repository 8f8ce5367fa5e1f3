package ownmount

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/people"
)

// provider is one of identities, by which people log in with a browser, as
// OpenID Connect Discovery 1.0 and Core 1.0 (3.1, the code flow) have it.
type provider struct {
	t     *testing.T
	key   *rsa.PrivateKey
	front *httptest.Server
	who   map[string]any // claims of whoever sits at the browser
}

func startProvider(t *testing.T) *provider {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	p := &provider{t: t, key: key}
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		at := p.front.URL
		answer(w, map[string]any{"issuer": at, "authorization_endpoint": at + "/auth", "token_endpoint": at + "/token", "jwks_uri": at + "/keys",
			"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"RS256"}})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		encode := base64.RawURLEncoding.EncodeToString
		answer(w, map[string]any{"keys": []any{map[string]any{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "1",
			"n": encode(key.N.Bytes()), "e": encode(big.NewInt(int64(key.E)).Bytes())}}})
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"access_token": "not-a-secret", "token_type": "Bearer", "expires_in": 60, "id_token": p.token(p.who)})
	})
	p.front = httptest.NewServer(mux)
	t.Cleanup(p.front.Close)
	return p
}

// token is a signed one (RFC 7519) with those claims, for Vault.
func (p *provider) token(claims map[string]any) string {
	encode := func(v any) string {
		body, _ := json.Marshal(v)
		return base64.RawURLEncoding.EncodeToString(body)
	}
	all := map[string]any{"iss": p.front.URL, "aud": "vault", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix()}
	maps.Copy(all, claims)
	text := encode(map[string]any{"alg": "RS256", "typ": "JWT", "kid": "1"}) + "." + encode(all)
	sum := sha256.Sum256([]byte(text))
	signed, _ := rsa.SignPKCS1v15(nil, p.key, crypto.SHA256, sum[:])
	return text + "." + base64.RawURLEncoding.EncodeToString(signed)
}

// browse logs somebody in by a browser, and gives his entity.
func (p *provider) browse(api *vaultapi.Client, mount, mail string) string {
	const back, nonce = "http://127.0.0.1/oidc/callback", "n-1"
	begun, err := api.Logical().Write("auth/"+mount+"/oidc/auth_url", map[string]any{"role": "people", "redirect_uri": back, "client_nonce": nonce})
	require.NoError(p.t, err)
	at, err := url.Parse(begun.Data["auth_url"].(string))
	require.NoError(p.t, err)
	q := at.Query()
	require.NotEmpty(p.t, q.Get("state"), begun.Warnings)
	p.who = map[string]any{"sub": mail, "email": mail, "nonce": q.Get("nonce")}
	in, err := api.Logical().ReadWithData("auth/"+mount+"/oidc/callback", url.Values{"state": {q.Get("state")}, "code": {"1"}, "client_nonce": {nonce}})
	require.NoError(p.t, err)
	return in.Auth.EntityID
}

// Whoever logs in by a provider of identities is a person, unless he has the
// name of an account of the roll; what brings a token of its own is a program.
// The mount decides which it is, for Vault shows no role: it lets in browsers
// or tokens, and never both. One of type oidc that is set up for tokens is
// taken for one of people (docs/protocol.md).
func TestWhoLogsInByAProviderOfIdentities(t *testing.T) {
	root, _ := newStoreOf(t)
	api := root.API()
	p := startProvider(t)
	write := func(at string, data map[string]any) *vaultapi.Secret {
		t.Helper()
		got, err := api.Logical().Write(at, data)
		require.NoError(t, err)
		return got
	}
	public, err := x509.MarshalPKIXPublicKey(&p.key.PublicKey)
	require.NoError(t, err)
	tokens := map[string]any{"jwt_validation_pubkeys": string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))}
	browsers := map[string]any{"oidc_discovery_url": p.front.URL, "oidc_client_id": "vault", "oidc_client_secret": "not-a-secret"}
	for mount, m := range map[string]struct {
		method   string
		settings map[string]any
	}{"corp-oidc": {"oidc", browsers}, "ci": {"jwt", tokens}, "misnamed": {"oidc", tokens}} {
		require.NoError(t, api.Sys().EnableAuthWithOptions(mount, &vaultapi.EnableAuthOptions{Type: m.method}), "a bin/rollcall-devvault from before it had this method: make build")
		write("auth/"+mount+"/config", m.settings)
		write("auth/"+mount+"/role/pipeline", map[string]any{"role_type": "jwt", "user_claim": "sub", "bound_audiences": "vault"})
	}
	write("auth/corp-oidc/role/people", map[string]any{"role_type": "oidc", "user_claim": "email", "allowed_redirect_uris": "http://127.0.0.1/oidc/callback"})
	program := func(mount, name string) string {
		return write("auth/"+mount+"/login", map[string]any{"role": "pipeline", "jwt": p.token(map[string]any{"sub": name})}).Auth.EntityID
	}

	_, err = api.Logical().Write("auth/corp-oidc/login", map[string]any{"role": "pipeline", "jwt": p.token(map[string]any{"sub": "robot"})})
	require.ErrorContains(t, err, "unsupported config type", "where browsers are let in, no token is")

	roll := people.NewRoll(nil).Take([]credential.Credential{{Kind: credential.ADPassword, Names: []string{"oscar"}}}, nil)
	accepted := people.NewRoll([]string{"corp-oidc/oscar@example.org", "ci/repo:x"}).Take([]credential.Credential{{Kind: credential.ADPassword, Names: []string{"oscar"}}}, nil)
	for _, c := range []struct {
		login, entity, method string
		why, accepted         string
	}{
		{"corp-oidc/jo@example.org", p.browse(api, "corp-oidc", "jo@example.org"), "oidc", "", ""},
		{"corp-oidc/Oscar@example.org", p.browse(api, "corp-oidc", "Oscar@example.org"), "oidc", "of the name of an account that is on the roll", ""},
		{"ci/repo:x", program("ci", "repo:x"), "jwt", "of a kind that machines have (jwt)", ""},
		{"ci/repo:y", program("ci", "repo:y"), "jwt", "of a kind that machines have (jwt)", "of a kind that machines have (jwt)"},
		{"misnamed/robot", program("misnamed", "robot"), "oidc", "", ""},
	} {
		who, err := root.Person(t.Context(), c.login)
		require.NoError(t, err)
		require.NotNil(t, who, c.login)
		require.Equal(t, c.entity, who.ID)
		require.Len(t, who.Logins, 1)
		require.Equal(t, c.method, who.Logins[0].Method)
		require.Equal(t, c.login, who.Logins[0].String())
		byID, err := root.PersonByID(t.Context(), c.entity)
		require.NoError(t, err)
		require.Equal(t, who, byID)
		ends := []people.End{{Name: "gateway", Entity: who.ID, Since: time.Now().Add(-time.Minute)}}
		said := people.Statement{Entity: who.ID, At: time.Now(), Does: people.Done, End: "gateway"}
		for want, roll := range map[*string]people.Roll{&c.why: roll, &c.accepted: accepted} {
			v := people.Judge(said, *who, nil, ends, roll)
			require.Equal(t, *want != "", v.Refused != "", "%s: %s", c.login, v.Refused)
			require.Contains(t, v.Refused, *want, c.login)
		}
	}
}
