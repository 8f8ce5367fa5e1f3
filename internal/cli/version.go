package cli

import (
	"encoding/json"
	"fmt"

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
			fmt.Fprintln(a.Out, v)
			if v.Commit != "" {
				fmt.Fprintf(a.Out, "commit %s of %s\n", v.Commit, v.CommittedAt)
			}
			fmt.Fprintf(a.Out, "%s, %s\n", v.Go, v.Platform)
			return nil
		},
	}
	out.flag(c)
	return c
}
