package ownmount

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/vault"
)

// A login that was not wrong does not make those before it count for longer.
func TestALoginThatIsTakenBackProlongsNoCount(t *testing.T) {
	worker, _, _ := restricted(t, vault.WorkerPolicy)
	ctx, id := t.Context(), "person/esg-01/nas"
	was := time.Now().Add(-40 * time.Minute).UTC()
	_, err := worker.Put(ctx, opWrong, worker.mount, worker.wrongPath(id), 0, map[string]any{pageField: fmt.Sprintf(`{"count":1,"at":%q}`, was.Format(time.RFC3339Nano))})
	require.NoError(t, err)
	_, until, err := worker.BeginLogin(ctx, id, 9, 50*time.Minute)
	require.NoError(t, err)
	require.Zero(t, until)
	require.NoError(t, worker.TakeBackLogin(ctx, id))
	n, until, err := worker.BeginLogin(ctx, id, 1, 50*time.Minute)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, was.Add(55*time.Minute), until)
}
