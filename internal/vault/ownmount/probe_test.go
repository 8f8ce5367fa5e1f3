package ownmount

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAProbeIsNoStagedValue(t *testing.T) {
	s := newStore(t)
	require.NoError(t, s.Probe(t.Context()))
	require.NoError(t, s.Probe(t.Context()))
	ids, err := s.ListStaged(t.Context())
	require.NoError(t, err)
	require.Empty(t, ids)
}
