package adlogin

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/protocol"
)

func TestWhatADomainControllerSaysToARefusedLogin(t *testing.T) {
	r, found := Read("80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data 52E, v2580")
	require.True(t, found)
	require.Equal(t, Refusal{Code: "52e", Reply: protocol.Refused}, r)
	r, found = Read("comment: AcceptSecurityContext error, data 999, v2580")
	require.True(t, found)
	require.Equal(t, Refusal{Code: "999"}, r, "a code of which nothing is known says nothing about the value")
	for _, text := range []string{"", "Invalid credentials", "AcceptSecurityContext error", ", data 52e52e52e52e, v1", ", data zz, v1"} {
		_, found := Read(text)
		require.False(t, found, text)
	}
}

// What comes for a wrong value too shows of no value that it is in force.
func TestOnlyCodesOfTheRightValueAreCalledSo(t *testing.T) {
	for code, r := range refusals {
		anybody := map[string]bool{"52e": true, "525": true, "52f": true, "775": true}[code]
		require.Equal(t, !anybody, r.Right, code)
		require.NotEmpty(t, r.Reply, code)
	}
}
