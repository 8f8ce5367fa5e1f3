package cli

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"rollcall/internal/version"
)

func (a *app) versionCommand() *cobra.Command {
	var out output
	c := &cobra.Command{
		Use:   "version",
		Short: "Show which build this is",
		Long: `version shows what 'go build' put into this program: its version, the commit it was
built from and whether that checkout was modified. The same name stands in the
ledger's campaign-started entry and in the report.`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			asJSON, err := out.json()
			if err != nil {
				return err
			}
			v := version.Current()
			if asJSON {
				return json.NewEncoder(a.Out).Encode(v)
			}
			_, err = io.WriteString(a.Out, versionText(v))
			return err
		},
	}
	out.flag(c)
	return c
}

// versionText is what people are shown of a build.
func versionText(v version.Info) string {
	text := v.String() + "\n"
	if v.Commit != "" {
		text += fmt.Sprintf("commit %s of %s\n", v.Commit, v.CommittedAt)
	}
	return text + fmt.Sprintf("%s, %s\n", v.Go, v.Platform)
}
