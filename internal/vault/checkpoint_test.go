package vault

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"
)

func checkpoint(size int, root string) []byte {
	return fmt.Appendf(nil, "rollcall.example.org/c\n%d\n%s\n\n— sig\n", size, root)
}

func TestTheNewestCheckpointIsAnchoredAndNeverGoesBack(t *testing.T) {
	s, c := newStoreOf(t)
	none, err := s.Anchored(t.Context(), "c")
	require.NoError(t, err)
	require.Nil(t, none)
	for _, size := range []int{1, 5, 5, 9} {
		require.NoError(t, s.Anchor(t.Context(), "c", checkpoint(size, "cm9vdA==")))
	}
	require.ErrorContains(t, s.Anchor(t.Context(), "c", checkpoint(8, "cm9vdA==")), "anchored 9")
	require.ErrorContains(t, s.Anchor(t.Context(), "c", checkpoint(9, "b3RoZXI=")), "root differs")
	require.ErrorContains(t, s.Anchor(t.Context(), "c", []byte("rubbish")), "not a checkpoint")

	got, err := s.Anchored(t.Context(), "c")
	require.NoError(t, err)
	require.Equal(t, checkpoint(9, "cm9vdA=="), got)

	e, err := s.get(t.Context(), "test", c.Vault.Mount, checkpointPath("c"), 1)
	require.NoError(t, err)
	require.Equal(t, string(checkpoint(1, "cm9vdA==")), e.data["checkpoint"], "older ones stay readable")
	require.Equal(t, c.Vault.Mount+"/checkpoints/c", s.AnchorPlace("c"))
}

func TestStandardNoteCodeAcceptsTheSignatures(t *testing.T) {
	s, c := newStoreOf(t)
	const origin = "rollcall.example.org/esg-01"
	vkey, err := s.VerifierKey(t.Context(), origin)
	require.NoError(t, err)
	verifier, err := note.NewVerifier(vkey)
	require.NoError(t, err)

	sign := func() []byte {
		signer, err := s.Signer(t.Context(), origin)
		require.NoError(t, err)
		require.Equal(t, verifier.Name(), signer.Name())
		require.Equal(t, verifier.KeyHash(), signer.KeyHash())
		signed, err := note.Sign(&note.Note{Text: "hello\n"}, signer)
		require.NoError(t, err)
		return signed
	}
	_, err = note.Open(sign(), note.VerifierList(verifier))
	require.NoError(t, err)

	_, err = s.api.Logical().WriteWithContext(t.Context(), c.Vault.Transit+"/keys/ledger/rotate", nil)
	require.NoError(t, err)
	_, err = note.Open(sign(), note.VerifierList(verifier))
	require.NoError(t, err, "rotating the transit key does not change the ledger's key")
}

func TestASignerWithoutAKeySaysHowToMakeOne(t *testing.T) {
	c := newCampaign()
	s := open(t, c, server.Address(), server.RootToken())
	_, err := s.ensureMount(t.Context(), c.Vault.Transit, "transit", nil, "test")
	require.NoError(t, err)
	_, err = s.Signer(t.Context(), "o")
	require.ErrorContains(t, err, "rollcall init")
}
