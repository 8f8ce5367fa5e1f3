package cli

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
)

func TestListAndPlanEndWithOneWhileSomethingCannotBeRotatedAndNameIt(t *testing.T) {
	good := credential.Credential{ID: "corp/a", Name: "uid=a"}
	bad := func(name string) credential.Credential {
		return credential.Credential{ID: "unmatched/" + name, Name: name, Problem: credential.NoAccount}
	}
	missing := []credential.Finding{{Code: credential.FindingReader}}
	code := func(r credential.Roll) int {
		err := complete(&r)
		var e *exit
		switch {
		case err == nil:
			return exitOK
		case errors.As(err, &e):
			return e.code
		}
		return exitError
	}
	require.True(t, missing[0].Code.Incomplete())
	require.Equal(t, 0, code(credential.Roll{Credentials: []credential.Credential{good}}))
	require.Equal(t, 2, code(credential.Roll{Credentials: []credential.Credential{good}, Warnings: missing}))
	require.Equal(t, 1, code(credential.Roll{Credentials: []credential.Credential{good, bad("x")}, Warnings: missing}))
	var all []credential.Credential
	for _, name := range []string{"p", "q", "r", "s", "t", "u", "v"} {
		all = append(all, bad(name))
	}
	err := complete(&credential.Roll{Credentials: append(all, good)})
	require.EqualError(t, err, "7 of 8 cannot be rotated as listed and would stay open: p (no-account), q (no-account), r (no-account), s (no-account), t (no-account) and 2 more; `rollcall plan` says why of each; nothing was changed")
}
