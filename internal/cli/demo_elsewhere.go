//go:build !linux

package cli

import (
	"context"
	"errors"
)

// runDemo: the demo's servers end with it by what Linux alone has (prctl(2)),
// and its domain controller lives in a network namespace.
func (a *app) runDemo(context.Context, bool, bool) error {
	return errors.New("the demo runs on Linux alone: its servers need it; nothing was started")
}
