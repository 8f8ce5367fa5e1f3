package inventory

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/directory"
)

func TestAnErrorThatNamesAnAccountCanBeSaidWithoutIt(t *testing.T) {
	_, err := (&lister{c: campaign()}).driver("corp").accountOf(directory.Entry{DN: "uid=svc-mail,dc=example,dc=org"})
	require.ErrorContains(t, err, "uid=svc-mail")
	public, ok := Public(fmt.Errorf("looking up: %w", err))
	require.True(t, ok)
	require.NotContains(t, public, "svc-mail")
	_, ok = Public(fmt.Errorf("the server is down"))
	require.False(t, ok)
}
