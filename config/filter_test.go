package config

import (
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"
)

func TestFilterSyntax(t *testing.T) {
	for _, tc := range []struct {
		filter, want string
	}{
		{"(uid=a)", ""},
		{"(&(objectClass=person)(|(uid=a*b)(!(cn>=x)))(ou:dn:2.5.13.5:=y))", ""},
		{"(cn=*)", ""},
		{`(cn=a\28b\29)`, ""},
		{"(cn;lang-de=ä)", ""},
		{"(description=)", ""},
		{"", `expected '(' at character 1`},
		{"uid=a", `expected '(' at character 1`},
		{"(uid=a", `expected ')' at character 7`},
		{"(uid=a))", "text after the closing parenthesis, at character 8"},
		{"(&)", "an empty list of conditions at character 3"},
		{"(=a)", "expected an attribute name at character 2"},
		{"(uid)", `expected '=' at character 5`},
		{"(uid=a(b)", `character 7 must be written as \28 in a value`},
		{`(uid=a\2)`, "the backslash at character 7 must be followed by two hex digits"},
		{"(!(uid=a)(uid=b))", `expected ')' at character 10`},
	} {
		t.Run(tc.filter, func(t *testing.T) {
			err := checkFilter(tc.filter)
			_, theirs := ldap.CompileFilter(tc.filter)
			if tc.want == "" {
				require.NoError(t, err)
				require.NoError(t, theirs)
				return
			}
			require.EqualError(t, err, tc.want)
		})
	}
}

// What the check lets through must compile, or the slip would show only when
// the listing runs.
func FuzzFilterThatPassesCompiles(f *testing.F) {
	for _, s := range []string{"(uid=a)", "(&(a=b)(!(c~=d)))", "(ou:dn:2.5.13.5:=y)", "(a:=b)", "(:dn:x:=b)", `(a=\00*\2a)`, "(a;b=*c*)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if checkFilter(s) != nil {
			return
		}
		if _, err := ldap.CompileFilter(s); err != nil {
			t.Fatalf("%q passes the check and does not compile: %v", s, err)
		}
	})
}
