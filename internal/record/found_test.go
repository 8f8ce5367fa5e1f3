package record

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
)

// Whoever reads the record must learn where a new value lies that nothing reads
// yet.
func TestAFindingSaysWhereTheNewValueLies(t *testing.T) {
	paths := []credential.Path{{Mount: "kv", Path: "rollcall/corp/a", Field: "password"}, {Mount: "kv", Path: "apps/a", Field: "password"}}
	spare := credential.Path{Mount: "kv", Path: "rollcall/corp/a-id", Field: "password"}
	for name, row := range map[string]struct {
		c    credential.Credential
		f    credential.Finding
		want string
	}{
		"Vault held none":               {credential.Credential{Adopted: true, Paths: paths[:1]}, credential.Finding{Code: credential.FindingNeverHeld}, "the new value lies at kv/rollcall/corp/a#password"},
		"a person's":                    {credential.Credential{Kind: credential.UserPassword, Adopted: true, Paths: paths[:1]}, credential.Finding{Code: credential.FindingNeverHeld}, ""},
		"a path that is its own":        {credential.Credential{Paths: paths[1:]}, credential.Finding{Code: credential.FindingNeverHeld}, ""},
		"refused, in this campaign":     {credential.Credential{Paths: paths[1:], Spare: &spare}, credential.Finding{Code: credential.FindingSparePath}, spare.String()},
		"refused, in an earlier one":    {credential.Credential{Paths: paths, Spare: &spare}, credential.Finding{Code: credential.FindingSparePath, Detail: "path 1"}, paths[0].String()},
		"a number that is not on it":    {credential.Credential{Paths: paths, Spare: &spare}, credential.Finding{Code: credential.FindingSparePath, Detail: "path 3"}, spare.String()},
		"which of one path was refused": {credential.Credential{Paths: paths[1:]}, credential.Finding{Code: credential.FindingPathRefused, Detail: "path 1 of 1"}, paths[1].String()},
	} {
		require.Equal(t, row.want, found("c", row.c, 1, row.f, time.Now()).Detail, name)
	}
}
