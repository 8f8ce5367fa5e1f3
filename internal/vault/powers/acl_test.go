package powers

import (
	"fmt"
	"strings"
	"testing"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestWhatPoliciesLetRead(t *testing.T) {
	policy := func(paths ...string) string {
		var b strings.Builder
		for i := 0; i < len(paths); i += 2 {
			fmt.Fprintf(&b, "path %q { capabilities = [%q] }\n", paths[i], paths[i+1])
		}
		return b.String()
	}
	for name, row := range map[string]struct {
		policies []string
		path     string
		want     bool
	}{
		"nothing":                          {nil, "kv/data/a", false},
		"exact":                            {[]string{policy("kv/data/a", "read")}, "kv/data/a", true},
		"with a slash before it":           {[]string{policy("/kv/data/a", "read")}, "kv/data/a", true},
		"a glob":                           {[]string{policy("kv/data/*", "read")}, "kv/data/a/b", true},
		"a glob in a name":                 {[]string{policy("kv/data/a*", "read")}, "kv/data/ab/c", true},
		"another capability":               {[]string{policy("kv/data/*", "update")}, "kv/data/a", false},
		"denied nearer":                    {[]string{policy("kv/data/*", "read", "kv/data/a", "deny")}, "kv/data/a", false},
		"allowed nearer":                   {[]string{policy("kv/data/*", "deny", "kv/data/a/*", "read")}, "kv/data/a/b", true},
		"denied by another policy":         {[]string{policy("kv/data/*", "read"), policy("kv/data/*", "deny")}, "kv/data/a", false},
		"read by another policy":           {[]string{policy("kv/data/*", "list"), policy("kv/data/*", "read")}, "kv/data/a", true},
		"a nearer rule without read":       {[]string{policy("kv/data/*", "read", "kv/data/a", "list")}, "kv/data/a", false},
		"a segment":                        {[]string{policy("kv/data/+/x", "read")}, "kv/data/a/x", true},
		"a segment is one":                 {[]string{policy("kv/data/+/x", "read")}, "kv/data/a/b/x", false},
		"segment and glob":                 {[]string{policy("kv/+/apps/*", "read")}, "kv/data/apps/a/b", true},
		"a glob ahead of a segment":        {[]string{policy("kv/data/*", "read", "kv/+/a", "deny")}, "kv/data/a", true},
		"a later segment":                  {[]string{policy("kv/data/+/b", "deny", "kv/data/a/+", "read")}, "kv/data/a/b", true},
		"old words":                        {[]string{`path "kv/data/a" { policy = "write" }`}, "kv/data/a", true},
		"as JSON":                          {[]string{`{"path":{"kv/data/a":{"capabilities":["read"]}}}`}, "kv/data/a", true},
		"a template may be anything":       {[]string{policy("kv/data/{{identity.entity.name}}/*", "read", "kv/data/a/b", "deny")}, "kv/data/a/b", true},
		"a template that cannot be":        {[]string{policy("kv/data/{{identity.entity.name}}/x", "read")}, "kv/data/a/y", false},
		"a template that denies, perhaps":  {[]string{policy("kv/data/{{identity.entity.name}}", "deny", "kv/data/*", "read")}, "kv/data/a", true},
		"a template beside a free segment": {[]string{policy("kv/+/{{identity.entity.name}}/x", "read")}, "kv/data/a/x", true},
	} {
		a, err := ParseACL(row.policies...)
		require.NoError(t, err, name)
		require.Equal(t, row.want, a.MayRead(row.path), name)
	}
	_, err := ParseACL(`path "a" {`)
	require.Error(t, err)
}

// A real Vault is asked the same, by a token that has the policies.
func TestPoliciesAreReadAsVaultReadsThem(t *testing.T) {
	client := server.Client()
	segment := rapid.SampledFrom([]string{"a", "ab", "b", "+", "a+", "data"})
	plain := rapid.SampledFrom([]string{"a", "ab", "b", "abc", "data", "a+"})
	join := func(r *rapid.T, of *rapid.Generator[string], name string) string {
		return strings.Join(rapid.SliceOfN(of, 1, 4).Draw(r, name), "/")
	}
	rapid.Check(t, func(r *rapid.T) {
		var texts, names []string
		for i := range rapid.IntRange(1, 3).Draw(r, "policies") {
			var b strings.Builder
			for range rapid.IntRange(1, 5).Draw(r, "rules") {
				path := "kv/" + join(r, segment, "rule")
				switch end := rapid.SampledFrom([]string{"", "", "*", "/*", "/"}).Draw(r, "end"); {
				case end == "*" && strings.HasSuffix(path, "+"): // Vault refuses it
				default:
					path += end
				}
				caps := rapid.SampledFrom([]string{`"read"`, `"read", "list"`, `"update"`, `"deny"`, `"read", "deny"`}).Draw(r, "capabilities")
				fmt.Fprintf(&b, "path %q { capabilities = [%s] }\n", path, caps)
			}
			name := fmt.Sprintf("acl-%d", i)
			require.NoError(r, client.Sys().PutPolicy(name, b.String()), b.String())
			texts, names = append(texts, b.String()), append(names, name)
		}
		var paths []string
		for range 20 {
			paths = append(paths, "kv/"+join(r, plain, "path"))
		}
		token, err := client.Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: names, NoDefaultPolicy: true, TTL: "1m"})
		require.NoError(r, err)
		said, err := client.Logical().Write("sys/capabilities", map[string]any{"token": token.Auth.ClientToken, "paths": paths})
		require.NoError(r, err)
		a, err := ParseACL(texts...)
		require.NoError(r, err)
		for _, p := range paths {
			require.Equal(r, strings.Contains(fmt.Sprint(said.Data[p]), "read"), a.MayRead(p), "%s: Vault says %v of\n%s", p, said.Data[p], strings.Join(texts, "\n"))
		}
	})
}
