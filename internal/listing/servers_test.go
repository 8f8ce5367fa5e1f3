package listing

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
)

func TestTheServersThatWereFoundTakeThePlaceOfThoseOfTheFile(t *testing.T) {
	file := &config.Campaign{Device: "esg-01", Directories: map[string]config.Directory{
		"corp":  {Servers: []string{"a"}, Discover: config.FromDNS, Base: "dc=example,dc=org"},
		"plant": {Servers: []string{"x", "y"}},
	}}
	whole := Servers{Servers: map[string][]string{"corp": {"a", "b"}}, Addresses: map[string]string{"b": "192.0.2.2", "z": "192.0.2.9"}}.Of(file)
	require.Equal(t, []string{"a", "b"}, whole.Directories["corp"].Servers)
	require.Equal(t, map[string]string{"b": "192.0.2.2"}, whole.Directories["corp"].Addresses, "it is dialled where its name was when the roll was listed")
	require.Equal(t, "dc=example,dc=org", whole.Directories["corp"].Base)
	require.Equal(t, []string{"x", "y"}, whole.Directories["plant"].Servers, "an index that does not say leaves those of the file")
	require.Equal(t, []string{"a"}, file.Directories["corp"].Servers, "the file stays as it is: it is shared")
}
