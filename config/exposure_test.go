package config

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestExposureIsWorded(t *testing.T) {
	var spec Campaign
	require.NoError(t, json.Unmarshal([]byte(`{"exposure":[{"from":"2022-10-10T00:00:00Z","to":"2023-06-08T00:00:00Z"},{"from":"2024-01-01T00:00:00Z"}]}`), &spec))
	require.Equal(t, "2022-10-10 to 2023-06-08, 2024-01-01 to now", spec.Exposed())
}
