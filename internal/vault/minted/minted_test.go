package minted

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/vaulttest"
)

var (
	server *lab.Vault
	users  atomic.Int64
)

func TestMain(m *testing.M) { os.Exit(vaulttest.Run(m, &server, seed)) }

// seed makes mounts and policies.
func seed() error {
	root := server.Client()
	for _, mount := range []string{"userpass", "corp/people"} {
		if err := root.Sys().EnableAuthWithOptions(mount, &vaultapi.EnableAuthOptions{Type: "userpass"}); err != nil {
			return err
		}
	}
	for name, hcl := range map[string]string{
		"children": `path "auth/token/create" { capabilities = ["update"] }`,
		"orphans":  `path "auth/token/create-orphan" { capabilities = ["update", "sudo"] }`,
		"role":     `path "auth/token/create/free" { capabilities = ["update"] }`,
		"cut":      `path "auth/token/create" { capabilities = ["update"] } path "auth/token/revoke-orphan" { capabilities = ["update", "sudo"] }`,
	} {
		if err := root.Sys().PutPolicy(name, hcl); err != nil {
			return err
		}
	}
	return nil
}

const password = "right"

// user makes one with policies, and gives it as a login.
func user(t *testing.T, mount string, policies ...string) Login {
	t.Helper()
	name := fmt.Sprintf("svc-%d", users.Add(1))
	write(t, "auth/"+mount+"/users/"+name, map[string]any{"password": password, "token_policies": policies})
	return Login{Mount: mount, Names: []string{name}}
}

func write(t *testing.T, path string, body map[string]any) *vaultapi.Secret {
	t.Helper()
	got, err := server.Client().Logical().Write(path, body)
	require.NoError(t, err)
	return got
}

// login gives a client with a token of the name as it is typed here.
func login(t *testing.T, mount, typed string) *vaultapi.Client {
	t.Helper()
	c := server.Client()
	c.ClearToken()
	got, err := c.Logical().Write("auth/"+mount+"/login/"+typed, map[string]any{"password": password})
	require.NoError(t, err)
	c.SetToken(got.Auth.ClientToken)
	return c
}

// made gives a client with a token that c makes.
func made(t *testing.T, c *vaultapi.Client, at string) *vaultapi.Client {
	t.Helper()
	got, err := c.Logical().Write(at, nil)
	require.NoError(t, err)
	child := server.Client()
	child.SetToken(got.Auth.ClientToken)
	return child
}

func alive(c *vaultapi.Client) bool {
	_, err := c.Auth().Token().LookupSelf()
	return err == nil
}

func revoked(t *testing.T, l Login, mint Mint) Revocation {
	t.Helper()
	got, err := New(server.Client(), "vault").RevokeLogin(t.Context(), l, mint)
	require.NoError(t, err)
	return got
}

// mintsAs logs in as l in the present.
func mintsAs(t *testing.T, l Login) Mint {
	return func(context.Context) (string, func(), error) {
		c := login(t, l.Mount, l.Names[0])
		return c.Token(), func() { _ = c.Auth().Token().RevokeSelf("") }, nil
	}
}

func TestTokensOfEverySpellingOfANameDieWithTheirChildrenAndNobodyElses(t *testing.T) {
	for _, mount := range []string{"userpass", "corp/people"} {
		l, other := user(t, mount, "children"), user(t, mount, "children")
		name := l.Names[0]
		stolen := login(t, mount, name)
		shouted := login(t, mount, strings.ToUpper(name))
		child := made(t, shouted, "auth/token/create")
		grandchild := made(t, child, "auth/token/create")
		longer := login(t, mount, other.Names[0])
		bystander := made(t, longer, "auth/token/create")
		elsewhere := user(t, "userpass")
		write(t, "auth/userpass/users/"+elsewhere.Names[0], map[string]any{"password": password})

		got := revoked(t, l, nil)
		require.Equal(t, 2, got.Revoked)
		for _, c := range []*vaultapi.Client{stolen, shouted, child, grandchild} {
			require.False(t, alive(c))
		}
		require.True(t, alive(longer))
		require.True(t, alive(bystander))
		require.Equal(t, Revocation{}, revoked(t, l, nil), "there is nothing left to do")
	}
}

func TestOneUserOfANameIsNotAnotherOfAnotherMount(t *testing.T) {
	l := user(t, "userpass")
	write(t, "auth/corp/people/users/"+l.Names[0], map[string]any{"password": password})
	there := login(t, "corp/people", l.Names[0])
	here := login(t, "userpass", l.Names[0])
	require.Equal(t, 1, revoked(t, l, nil).Revoked)
	require.False(t, alive(here))
	require.True(t, alive(there))
}

// A child that loses its parent lives on as an orphan, and keeps the entity.
func TestAChildThatAThiefCutOffFromItsParentDiesToo(t *testing.T) {
	l := user(t, "userpass", "cut")
	parent := login(t, "userpass", l.Names[0])
	inner := made(t, parent, "auth/token/create")
	left := made(t, inner, "auth/token/create")
	tokens := New(server.Client(), "vault")
	require.NoError(t, tokens.Warm(t.Context())) // it saw a child
	_, err := parent.Logical().Write("auth/token/revoke-orphan", map[string]any{"token": inner.Token()})
	require.NoError(t, err)
	require.NoError(t, parent.Auth().Token().RevokeSelf(""))
	require.True(t, alive(left), "Vault 1.21: no parent, and alive")
	got, err := tokens.RevokeLogin(t.Context(), l, nil)
	require.NoError(t, err)
	require.Equal(t, 1, got.Revoked)
	require.False(t, alive(left))
}

// An auth mount of type ldap may take a mail address for a name: the alias is
// the account's all the same.
func TestATokenIsTheLoginsByItsEntityWhateverWasTyped(t *testing.T) {
	l := user(t, "userpass")
	entities := map[string]bool{"of-the-account": true}
	mail := Token{Path: "auth/userpass/login/mail@example.org", Entity: "of-the-account"}
	require.True(t, l.minted(mail, entities))
	require.False(t, l.minted(mail, nil))
	for _, typed := range []string{" " + l.Names[0], strings.ToUpper(l.Names[0]) + "  "} {
		require.True(t, l.minted(Token{Path: "auth/userpass/login/" + typed}, nil), "%q", typed)
	}
	for _, path := range []string{"auth/userpass/login/" + l.Names[0] + "0", "auth/userpass2/login/" + l.Names[0], "auth/token/create"} {
		require.False(t, l.minted(Token{Path: path, Entity: ""}, entities), path)
	}
}

func TestOrphansAreCountedWhereTheLoginMayMakeThem(t *testing.T) {
	write(t, "auth/token/roles/free", map[string]any{"orphan": true})
	may, mayByRole, mayNot := user(t, "userpass", "orphans"), user(t, "userpass", "role"), user(t, "userpass", "children")
	orphan := made(t, login(t, "userpass", may.Names[0]), "auth/token/create-orphan")
	free := made(t, login(t, "userpass", mayByRole.Names[0]), "auth/token/create/free")
	t.Cleanup(func() {
		for _, c := range []*vaultapi.Client{orphan, free} {
			_ = c.Auth().Token().RevokeSelf("")
		}
	})
	made(t, login(t, "userpass", mayNot.Names[0]), "auth/token/create")

	first := revoked(t, may, mintsAs(t, may))
	require.Equal(t, Revocation{Revoked: 1, Orphans: 1}, first)
	require.True(t, alive(orphan), "nothing says that it is this login's")
	require.Equal(t, []credential.FindingCode{credential.FindingTokensRevoked, credential.FindingOrphanTokens}, codes(first.Findings()))
	require.Equal(t, Revocation{Orphans: 1}, revoked(t, may, mintsAs(t, may)), "its tokens are gone, and what it may is asked by a new one")
	require.Equal(t, Revocation{Revoked: 1, Orphans: 1}, revoked(t, mayByRole, mintsAs(t, mayByRole)), "of the role's making")
	require.Equal(t, Revocation{Revoked: 1}, revoked(t, mayNot, mintsAs(t, mayNot)))
	require.Equal(t, Revocation{Orphans: 2}, revoked(t, mayNot, nil), "who cannot be asked may have made all")
}

func codes(all []credential.Finding) (out []credential.FindingCode) {
	for _, f := range all {
		out = append(out, f.Code)
	}
	return out
}

func TestBatchTokensAreTheMountsOrTheUsersChoice(t *testing.T) {
	tokens := New(server.Client(), "vault")
	for _, row := range []struct {
		mount, own string
		want       bool
	}{
		{"default-service", "", false}, {"default-service", "batch", true}, {"default-service", "default-batch", false},
		{"default-batch", "", true}, {"default-batch", "service", false}, {"batch", "service", true}, {"service", "", false},
	} {
		mount := "tt-" + row.mount
		mounted, err := server.Client().Sys().ListAuth()
		require.NoError(t, err)
		if _, ok := mounted[mount+"/"]; !ok {
			write(t, "sys/auth/"+mount, map[string]any{"type": "userpass", "config": map[string]any{"token_type": row.mount}})
		}
		got, err := tokens.MintsBatch(t.Context(), mount, row.own)
		require.NoError(t, err)
		require.Equal(t, row.want, got, "%+v", row)
	}
}

func TestRightsThatAreMissingAreAStopThatNamesNobody(t *testing.T) {
	l := user(t, "userpass")
	login(t, "userpass", l.Names[0])
	all := []string{
		`path "auth/token/accessors" { capabilities = ["list", "sudo"] }`, `path "auth/token/lookup-accessor" { capabilities = ["update"] }`,
		`path "auth/token/revoke-accessor" { capabilities = ["update"] }`, `path "identity/lookup/entity" { capabilities = ["update"] }`,
		`path "auth/userpass/users/+" { capabilities = ["read"] }`,
	}
	for i := range all {
		less := slices.Delete(slices.Clone(all), i, i+1)
		require.NoError(t, server.Client().Sys().PutPolicy("less", strings.Join(less, "\n")))
		got, err := server.Client().Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{"less"}, NoDefaultPolicy: true})
		require.NoError(t, err)
		c := server.Client()
		c.SetToken(got.Auth.ClientToken)
		_, err = New(c, "vault").RevokeLogin(t.Context(), l, nil)
		var stop *protocol.Stop
		require.ErrorAs(t, err, &stop, "without %s", all[i])
		require.Equal(t, protocol.ReasonRights, stop.Reason)
		require.NotContains(t, stop.Error(), l.Names[0])
	}
}

// A login of somebody who has the right secret still is no reason to go on for
// ever.
func TestTokensThatKeepAppearingAreAStop(t *testing.T) {
	l := user(t, "userpass")
	tokens := New(server.Client(), "vault")
	_, err := tokens.sweep(t.Context(), func() (map[string]Token, error) {
		login(t, "userpass", l.Names[0])
		return tokens.Find(t.Context(), func(token Token) bool { return l.minted(token, nil) })
	})
	var stop *protocol.Stop
	require.ErrorAs(t, err, &stop)
	require.Equal(t, protocol.ReasonConflict, stop.Reason)
}
