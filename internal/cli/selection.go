package cli

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/inventory"
)

// selection are the flags that pick credentials of a roll.
type selection struct{ config.Selection }

// flags adds them to a command; does says what it does with those picked.
func (s *selection) flags(c *cobra.Command, does string) {
	c.Flags().StringArrayVar(&s.Only, "only", nil, does+": those of this name (DN or its first value, role, user, or place in Vault; * stands for any text); may be repeated")
	c.Flags().StringVar(&s.Wave, "wave", "", does+": those of this wave, by its name or its number in list")
	c.Flags().StringVar(&s.Source, "source", "", does+": those that this source found")
	c.Flags().IntVar(&s.Limit, "limit", 0, does+": the first so many of them")
	c.PreRunE = func(cmd *cobra.Command, _ []string) error { return s.check(cmd) }
}

func (s *selection) check(cmd *cobra.Command) error {
	for _, pattern := range s.Only {
		if _, err := config.Matches(pattern, ""); err != nil || pattern == "" {
			return fmt.Errorf("--only: not a valid pattern: * stands for any text, ? for one character, [a-z] for one of a set; nothing was done")
		}
	}
	if cmd.Flags().Changed("limit") && s.Limit < 1 {
		return errors.New("--limit: must be 1 or more; nothing was done")
	}
	return nil
}

// of cuts a roll down to what is picked, for the eye: what is said of the roll
// as a whole stays. all is how many it had; a selection without any part takes
// all.
func (s *selection) of(roll *credential.Roll) (cut *credential.Roll, all int, err error) {
	all = len(roll.Credentials)
	if !s.Given() {
		return roll, all, nil
	}
	picked, err := inventory.Select(roll, s.Selection)
	if err != nil {
		return nil, all, err
	}
	out := *roll
	out.Credentials, out.Excluded, out.Findings = nil, nil, map[string][]credential.Finding{}
	for _, i := range picked {
		c := roll.Credentials[i]
		out.Credentials = append(out.Credentials, c)
		if found := roll.Findings[c.ID]; found != nil {
			out.Findings[c.ID] = found
		}
	}
	out.Reach = nil
	for _, r := range roll.Reach {
		r.Reads = slices.DeleteFunc(slices.Clone(r.Reads), func(id string) bool { return !has(out.Credentials, id) })
		if len(r.Reads) > 0 || has(out.Credentials, r.Login) {
			out.Reach = append(out.Reach, r)
		}
	}
	return &out, all, nil
}

func has(cs []credential.Credential, id string) bool {
	return slices.ContainsFunc(cs, func(c credential.Credential) bool { return c.ID == id })
}

// sayPicked says that what follows is not all.
func (a *app) sayPicked(picked, all int) {
	if picked < all {
		a.say("note: %d of %d of the roll, as picked", picked, all)
	}
}
