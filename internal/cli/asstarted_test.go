package cli

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/evidence/taken"
)

func TestWhatWasChangedInTheFileSinceTheStartIsNamed(t *testing.T) {
	file := func() *config.Campaign {
		return &config.Campaign{
			Device: "esg-01", LedgerDir: "/here", Containment: &config.Containment{Note: "once", Addresses: []string{"192.0.2.10"}},
			Directories: map[string]config.Directory{"corp": {Servers: []string{"ldaps://a"}, Base: "dc=x"}, "far": {Servers: []string{"ldaps://b"}}},
			Sources: []config.Source{{Name: "list", Type: config.Manifest, Content: []byte("account\nsvc-a\n")},
				{Name: "seen", Type: config.FromEvidence, Seen: []taken.Account{{Authority: "corp", Account: "svc-a"}}, Record: &taken.Record{ID: "before"}}},
		}
	}
	stored, err := json.Marshal(file())
	require.NoError(t, err)
	for _, row := range []struct {
		name   string
		change func(c *config.Campaign)
		want   []string
	}{
		{"nothing", func(*config.Campaign) {}, nil},
		{"it lies elsewhere", func(c *config.Campaign) { c.LedgerDir = "/there" }, nil},
		{"what is said of its containment", func(c *config.Campaign) { c.Containment.Note, c.Override = "again", &config.Word{Reason: "x"} }, nil},
		{"that a schedule started it", func(c *config.Campaign) { c.Scheduled = true }, nil},
		{"what is said of doors that are other ones", func(c *config.Campaign) { c.UnfitDoors = &config.Word{Reason: "x"} }, nil},
		{"where its device is asked", func(c *config.Campaign) { c.Containment.Ports = []int{22} }, []string{"containment"}},
		{"an exclude", func(c *config.Campaign) { c.Exclude = []config.Exclude{{Account: "svc-a", Reason: "x"}} }, []string{"exclude"}},
		{"a row of a manifest", func(c *config.Campaign) { c.Sources[0].Content = []byte("account\nsvc-b\n") }, []string{"sources"}},
		{"a result that was written anew", func(c *config.Campaign) { c.Sources[1].Record = &taken.Record{ID: "after"} }, nil},
		{"an account in a result", func(c *config.Campaign) { c.Sources[1].Seen[0].Account = "svc-b" }, []string{"sources"}},
		{"a server and a limit", func(c *config.Campaign) {
			c.Directories["far"] = config.Directory{Servers: []string{"ldaps://c"}}
			c.Limits.Parallel = 3
		}, []string{"directories", "limits"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := file()
			row.change(c)
			got, err := differing(stored, c)
			require.NoError(t, err)
			require.Equal(t, row.want, got)
		})
	}
	_, err = differing([]byte("{"), file())
	require.Error(t, err)
}
