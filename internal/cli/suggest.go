package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"rollcall/internal/inventory"
	"rollcall/internal/listing"
	"rollcall/internal/plural"
	"rollcall/internal/report"
)

// suggest writes, as a manifest, whose secrets say that they are. Exit code 2:
// there are some for which it has no row. with: flags were given that do not go
// with it.
func (a *app) suggest(cmd *cobra.Command, with bool) error {
	if with {
		return errors.New("list --suggest-manifest writes one CSV file for the whole roll: leave -o and what picks a part of it (--only, --wave, --source, --limit) out; nothing was done")
	}
	var found []inventory.Suggestion
	err := a.withVault(cmd.Context(), func(s *session) error {
		roll, err := s.listed(cmd.Context())
		if err == nil {
			found, err = listing.Suggest(cmd.Context(), s.store, s.kinds, s.cfg, roll)
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := inventory.WriteSuggested(a.Out, found); err != nil {
		return err
	}
	left := 0
	for _, s := range found {
		if s.Account == "" {
			left++
			a.say("no row for %s", report.Clean(s.Unsuggested()))
		}
	}
	rows := len(found) - left
	if rows > 0 {
		a.say("%s suggested: look at each, name the file as a source of type manifest, and list again. An account that refuses what its path holds stays open until you take suggested out of its row", report.Plural(rows, "row", "rows"))
	}
	switch {
	case left > 0:
		return &exit{exitExceptions, fmt.Errorf("nothing can be suggested for %s of which nothing says whose %s: set custom_metadata account %s, list it in a manifest, or exclude it",
			report.Plural(left, "secret", "secrets"), plural.Pick(left, "it is", "they are"), plural.Pick(left, "there", "on each"))}
	case rows == 0:
		a.say("nothing to suggest: something says of each secret whose it is")
	}
	return nil
}
