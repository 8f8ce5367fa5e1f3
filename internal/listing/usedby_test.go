package listing

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/notify/settings"
)

func TestConsumersOfAPathThatIsNotOnTheRollAreSaid(t *testing.T) {
	at := func(path string) credential.Path { return credential.Path{Mount: "kv", Path: path, Field: "password"} }
	roll := &credential.Roll{Credentials: []credential.Credential{{ID: "corp/1", Paths: []credential.Path{at("apps/esg-01/relay")}}},
		Excluded: []credential.Exclusion{{ID: "corp/2", Name: "bob", Paths: []credential.Path{at("apps/esg-02/bob"), at("apps/esg-02/beside")}}}}
	for path, want := range map[string]credential.FindingCode{
		"kv/apps/esg-01/relay":      "",
		"kv/apps/esg-01/*":          "",
		"kv/apps/esg-02/left":       "", // an exclude leaves that out
		"kv/apps/esg-02/bob":        "", // and another one its account
		"kv/apps/esg-02/beside":     "", // whose other path was left out
		"kv/data/apps/esg-01/relay": credential.FindingReloadNothing,
		"kv/apps/esg01/*":           credential.FindingReloadNothing,
	} {
		spec := &config.Campaign{UsedBy: []settings.UsedBy{{Path: path, Consumers: []string{"postfix on mx1"}, Reload: &settings.Target{}}},
			Exclude: []config.Exclude{{Path: "kv/apps/esg-02/left#password"}, {Account: "bob"}}}
		said := usedByNothing(spec, roll)
		if want == "" {
			require.Empty(t, said, path)
			continue
		}
		require.Len(t, said, 1, path)
		require.Equal(t, want, said[0].Code)
		require.Contains(t, said[0].Detail, path)
		spec.UsedBy[0].Reload = nil
		require.Equal(t, credential.FindingExcludeUnused, usedByNothing(spec, roll)[0].Code, "nothing would be run")
	}
}
