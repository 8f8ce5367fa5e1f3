package setup

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/vault"
)

func TestATokenThatCannotLastTheCampaignIsToldBefore(t *testing.T) {
	l := vault.Lease{TTL: time.Minute, Renewable: true, Most: time.Hour}
	require.False(t, checkLease(l, false, 4*time.Hour).OK)
	require.True(t, checkLease(l, false, 30*time.Minute).OK)
}
