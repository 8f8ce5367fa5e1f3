package plural

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestANumberHasTheNounAndTheVerbThatGoWithIt(t *testing.T) {
	require.Equal(t, "0 accounts have", Count(0, "account has", "accounts have"))
	require.Equal(t, "1 account has", Count(1, "account has", "accounts have"))
	require.Equal(t, "1 entry", Count(uint64(1), "entry", "entries"))
	require.Equal(t, "2 accounts have", Count(2, "account has", "accounts have"))
	require.Equal(t, "them", Pick(3, "it", "them"))
}
