package cli

import (
	"github.com/spf13/cobra"

	"rollcall/internal/intruder"
)

// intruderCommand is the demo's independent judge as a process of its own.
func (a *app) intruderCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "intruder",
		Short:  "Try stolen credentials from standard input in a loop (used by the demo and tests)",
		Hidden: true,
		Args:   noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return intruder.Run(cmd.Context(), a.In, a.Out)
		},
	}
}
