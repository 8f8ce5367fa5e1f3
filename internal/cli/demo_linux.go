package cli

import (
	"context"
	"fmt"
	"os"

	"rollcall/internal/demo"
)

func (a *app) runDemo(ctx context.Context, keep, single bool) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	return demo.Run(ctx, demo.Options{Program: self, Keep: keep, ShowSingleReset: single, Dir: "rollcall-demo", Out: a.Out, Err: a.Err})
}
