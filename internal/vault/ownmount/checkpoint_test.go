package ownmount

import (
	"fmt"
	"testing"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"rollcall/internal/vault"
	"rollcall/internal/vault/vaulttest"
)

func TestTheNewestCheckpointIsAnchoredAndNeverGoesBack(t *testing.T) {
	s, c := newStoreOf(t)
	none, err := s.Anchored(t.Context(), "c")
	require.NoError(t, err)
	require.Nil(t, none)
	for _, size := range []int{1, 5, 5, 9} {
		require.NoError(t, s.Anchor(t.Context(), "c", vaulttest.Checkpoint(size, "cm9vdA=="), LedgerPlace{}))
	}
	require.ErrorContains(t, s.Anchor(t.Context(), "c", vaulttest.Checkpoint(8, "cm9vdA=="), LedgerPlace{}), "anchored 9")
	require.ErrorContains(t, s.Anchor(t.Context(), "c", vaulttest.Checkpoint(9, "b3RoZXI="), LedgerPlace{}), "root differs")
	require.ErrorContains(t, s.Anchor(t.Context(), "c", []byte("rubbish"), LedgerPlace{}), "not a checkpoint")

	got, err := s.Anchored(t.Context(), "c")
	require.NoError(t, err)
	require.Equal(t, vaulttest.Checkpoint(9, "cm9vdA=="), got)

	all, err := s.Anchors(t.Context(), "c")
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("%s\n%s\n%s", vaulttest.Checkpoint(9, "cm9vdA=="), vaulttest.Checkpoint(5, "cm9vdA=="), vaulttest.Checkpoint(1, "cm9vdA==")), string(all), "each has a path of its own")
	require.Equal(t, c.Vault.Mount+"/checkpoints/c", s.AnchorPlace("c"))

	at, err := s.LedgerAt(t.Context(), "c")
	require.NoError(t, err)
	require.Zero(t, at)
	moved := LedgerPlace{Host: "vm7", Folder: "/var/lib/rollcall/c"}
	require.NoError(t, s.Anchor(t.Context(), "c", vaulttest.Checkpoint(10, "cm9vdA=="), moved))
	at, err = s.LedgerAt(t.Context(), "c")
	require.NoError(t, err)
	require.Equal(t, moved, at, "as its writer said last")
	at, err = s.LedgerAt(t.Context(), "never")
	require.NoError(t, err)
	require.Zero(t, at)
}

// The ledger worker's login alone must not be able to put another history over
// what was anchored of the first.
func TestTheLedgersLoginCanNeitherReplaceNorRemoveAnAnchor(t *testing.T) {
	s, root, c := restricted(t, vault.LedgerPolicy)
	for _, size := range []int{5, 9, 9} {
		require.NoError(t, s.Anchor(t.Context(), "c", vaulttest.Checkpoint(size, "cm9vdA=="), LedgerPlace{}))
	}
	at := c.Vault.Mount + "/data/checkpoints/c/9"
	for name, try := range map[string]func() error{
		"another version": func() error {
			_, err := s.API().Logical().WriteWithContext(t.Context(), at, map[string]any{"data": map[string]any{"checkpoint": "forged"}})
			return err
		},
		"a patch": func() error {
			_, err := s.API().Logical().JSONMergePatch(t.Context(), at, map[string]any{"data": map[string]any{"checkpoint": "forged"}})
			return err
		},
		"deleting it": func() error { _, err := s.API().Logical().DeleteWithContext(t.Context(), at); return err },
		"deleting all of it": func() error {
			_, err := s.API().Logical().DeleteWithContext(t.Context(), c.Vault.Mount+"/metadata/checkpoints/c/9")
			return err
		},
		"destroying it": func() error {
			_, err := s.API().Logical().WriteWithContext(t.Context(), c.Vault.Mount+"/destroy/checkpoints/c/9", map[string]any{"versions": []int{1}})
			return err
		},
		"letting it expire": func() error {
			_, err := s.API().Logical().WriteWithContext(t.Context(), c.Vault.Mount+"/metadata/checkpoints/c/9", map[string]any{"delete_version_after": "1s"})
			return err
		},
	} {
		denied(t, s.Fail(name, at, vault.Update, try()))
	}
	require.ErrorContains(t, s.Anchor(t.Context(), "c", vaulttest.Checkpoint(9, "b3RoZXI="), LedgerPlace{}), "root differs")
	_, err := root.Put(t.Context(), "test", c.Vault.Mount, checkpointPath("c", 9), 1, map[string]any{"checkpoint": "by an administrator"})
	require.NoError(t, err)
	got, err := s.Anchored(t.Context(), "c")
	require.NoError(t, err)
	require.Equal(t, vaulttest.Checkpoint(9, "cm9vdA=="), got, "the first one counts")
}

func TestAnchorsOfEarlierVersionsAreStillMeasuredAgainst(t *testing.T) {
	s, c := newStoreOf(t)
	for i, size := range []int{3, 7} {
		_, err := s.Put(t.Context(), "test", c.Vault.Mount, formerPath("old"), i, map[string]any{"checkpoint": string(vaulttest.Checkpoint(size, "cm9vdA=="))})
		require.NoError(t, err)
	}
	got, err := s.Anchored(t.Context(), "old")
	require.NoError(t, err)
	require.Equal(t, vaulttest.Checkpoint(7, "cm9vdA=="), got)
	require.ErrorContains(t, s.Anchor(t.Context(), "old", vaulttest.Checkpoint(6, "cm9vdA=="), LedgerPlace{}), "anchored 7")
	require.ErrorContains(t, s.Anchor(t.Context(), "old", vaulttest.Checkpoint(7, "b3RoZXI="), LedgerPlace{}), "root differs")
	require.NoError(t, s.Anchor(t.Context(), "old", vaulttest.Checkpoint(7, "cm9vdA=="), LedgerPlace{}))
	require.NoError(t, s.Anchor(t.Context(), "old", vaulttest.Checkpoint(8, "cm9vdA=="), LedgerPlace{}))
	all, err := s.Anchors(t.Context(), "old")
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("%s\n%s", vaulttest.Checkpoint(8, "cm9vdA=="), vaulttest.Checkpoint(7, "cm9vdA==")), string(all))
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

	_, err = s.API().Logical().WriteWithContext(t.Context(), c.Vault.Transit+"/keys/ledger/rotate", nil)
	require.NoError(t, err)
	_, err = note.Open(sign(), note.VerifierList(verifier))
	require.NoError(t, err, "rotating the transit key does not change the ledger's key")
}

func TestASignerWithoutAKeySaysHowToMakeOne(t *testing.T) {
	c := vaulttest.NewCampaign()
	s := open(t, c, server.Address(), server.RootToken())
	require.NoError(t, s.API().Sys().Mount(c.Vault.Transit, &vaultapi.MountInput{Type: "transit"}))
	_, err := s.Signer(t.Context(), "o")
	require.ErrorContains(t, err, "rollcall init")
}
