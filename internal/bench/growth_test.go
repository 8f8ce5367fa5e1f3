package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSizesOfCampaignsAreReadTheLeastFirst(t *testing.T) {
	sizes, err := parseSizes("1000,100000")
	require.NoError(t, err)
	require.Equal(t, []int{1000, 100000}, sizes)
	for _, bad := range []string{"", "many", "1000,", "39", "100000,1000"} {
		_, err := parseSizes(bad)
		require.ErrorContains(t, err, "-grow "+bad, bad)
	}
}

func TestTheEnginesDatabaseIsCountedWithItsLog(t *testing.T) {
	dir := t.TempDir()
	_, err := databaseBytes(dir)
	require.ErrorContains(t, err, "no database")
	for name, size := range map[string]int{"temporal.db": 100, "temporal.db-wal": 20, "engine.log": 3} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), make([]byte, size), 0o600))
	}
	n, err := databaseBytes(dir)
	require.NoError(t, err)
	require.Equal(t, int64(120), n)
}

// A credential that costs more among many shows in the last column.
func TestGrowthComparesTheLargestWithTheLeast(t *testing.T) {
	size := func(n int, ms float64) *SizeCost {
		s := &SizeCost{Credentials: n, EngineBytes: int64(n) * 10, Campaign: &Campaign{}}
		s.Campaign.CPU = cpu{Client: ms, Vault: 1}
		return s
	}
	table := (&Growth{Sizes: []*SizeCost{size(1000, 2), size(4000, 3)}}).table()
	require.Regexp(t, `ms, worker and engine +2\.00 +3\.00 +1\.50`, table)
	require.Regexp(t, `ms, all +3\.00 +4\.00 +1\.33`, table)
	require.Regexp(t, `engine's database, bytes each +10\.00 +10\.00 +1\.00`, table)
}
