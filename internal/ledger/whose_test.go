package ledger

import (
	"crypto/rand"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"
)

func TestAKeyThatIsGivenAsAnAnchorAndAProofOfAnotherCampaignAreNamed(t *testing.T) {
	require.Equal(t, "esg-01-x (fcaf24f7)", KeyName(Origin("esg-01-x")+"+fcaf24f7+AbkM"))
	f := newFixture(t)
	_, err := f.open(t).Append(t.Context(), listedFrom(0, 3))
	require.NoError(t, err)
	_, err = Verify(t.Context(), f.dir, f.vkey, []byte(f.vkey+"\n"))
	require.ErrorContains(t, err, "the anchor that was given is a public key, that of "+KeyName(f.vkey))

	_, others, err := note.GenerateKey(rand.Reader, Origin("esg-02-20260301T120000Z"))
	require.NoError(t, err)
	p, err := Prove(t.Context(), f.dir, 1)
	require.NoError(t, err)
	_, err = CheckProof([]byte(p.String()), others)
	require.ErrorContains(t, err, "it says that it is of "+campaign+", and the key is that of esg-02-20260301T120000Z")
}
