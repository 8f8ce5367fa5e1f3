package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v4"

	"rollcall/internal/plural"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
	"rollcall/workflows"
)

func (a *app) closeCommand() *cobra.Command {
	var out output
	var ask wire.Acceptance
	var due, items string
	c := &cobra.Command{
		Use:   workflows.UpdateClose,
		Short: "Accept what is open, with a reason and an owner, and end the campaign",
		Long: `close ends a campaign of which nothing more is to be had tonight. What is open stays open, and the
ledger holds who accepted that, why, who sees to it and until when; the report says so of each. It
is no abort: it is refused while something was not tried yet. What lies between set and proof gets
one more pass. The campaign ends with exit code 2, and the next one takes up what this one left.

--items FILE says something else of some of them, a YAML list:

  - {name: "uid=svc-scan,ou=people,dc=example,dc=org", owner: jo@example.org, due: 2026-12-05,
     reason: its scanner is being replaced}

name is as list and the report have it. Reasons and owners pass through Temporal and stand in the
ledger: name neither a secret nor an account in them.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			now := time.Now()
			var err error
			if ask.Due, err = dueOf(due, now); err != nil {
				return fmt.Errorf("--due: %w; nothing was done", err)
			}
			var said []saidOfItem
			if items != "" {
				if said, err = readItems(items, ask, now); err != nil {
					return err
				}
			}
			ask.Actor = actor()
			return a.accept(cmd, &out, ask, said, items)
		},
	}
	out.flag(c)
	a.yesFlag(c)
	c.Flags().StringVar(&ask.Reason, "reason", "", "why it is left open; it goes into the ledger")
	c.Flags().StringVar(&ask.Owner, "owner", "", "who sees to what stays open; it goes into the ledger")
	c.Flags().StringVar(&due, "due", "", "until when: 2026-12-05, a time, or 72h from now")
	c.Flags().StringVar(&items, "items", "", "file that says something else of some of them")
	_ = c.MarkFlagRequired("reason")
	_ = c.MarkFlagRequired("owner")
	return c
}

// accept finds the named ones on the roll, and asks the campaign.
func (a *app) accept(cmd *cobra.Command, out *output, ask wire.Acceptance, said []saidOfItem, file string) error {
	texts := []string{ask.Reason, ask.Owner}
	for _, it := range said {
		texts = append(texts, it.Reason, it.Owner)
	}
	with := func(ctx context.Context, s *session) (_ any, err error) {
		if len(said) > 0 {
			ask.Items, err = s.itemsOf(ctx, said, file)
		}
		return ask, err
	}
	ends := "It ends, and what is open stays open, with its stolen value in force where it is. " + ask.Owner + " sees to it"
	if !ask.Due.IsZero() {
		ends += ", until " + ask.Due.Format(time.RFC3339)
	}
	if n := len(said); n > 0 {
		ends += fmt.Sprintf("; of %s the file says something else", plural.Count(n, "item", "items"))
	}
	return a.askToEnd(cmd, out, workflows.UpdateClose, strings.Join(texts, "\n"), ends, with, func(st workflows.Status) string {
		return "closing: campaign " + st.Campaign + "; what is open stays open"
	})
}

// saidOfItem is one item of the file, as it is written.
type saidOfItem struct {
	Name, Reason, Owner, Due string
	line                     int
	due                      time.Time
}

// readItems reads the file. What an item leaves out is as for all.
func readItems(file string, all wire.Acceptance, now time.Time) (out []saidOfItem, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--items: %w; nothing was done", err)
	}
	var nodes []yaml.Node
	if err := yaml.Unmarshal(text, &nodes); err != nil {
		return nil, fmt.Errorf("%s: no YAML list of items: %w; nothing was done", file, err)
	}
	lines := map[string]int{}
	for _, n := range nodes {
		it := saidOfItem{line: n.Line}
		at := func(format string, args ...any) error {
			return fmt.Errorf("%s:%d: %s; nothing was done", file, n.Line, fmt.Sprintf(format, args...))
		}
		if n.Kind != yaml.MappingNode {
			return nil, at("must be an item: {name, owner, due, reason}")
		}
		for i := 0; i < len(n.Content); i += 2 {
			key, value := n.Content[i].Value, n.Content[i+1]
			to, known := map[string]*string{"name": &it.Name, "reason": &it.Reason, "owner": &it.Owner, "due": &it.Due}[key]
			if !known || value.Kind != yaml.ScalarNode {
				return nil, at("%s: unknown, or no text: an item has name, owner, due and reason", key)
			}
			*to = strings.TrimSpace(value.Value)
		}
		if it.Name == "" {
			return nil, at("name: missing: the credential, as list has it")
		}
		if first := lines[strings.ToLower(it.Name)]; first > 0 {
			return nil, at("name: said on line %d already", first)
		}
		lines[strings.ToLower(it.Name)] = n.Line
		if it.Reason == "" {
			it.Reason = all.Reason
		}
		if it.Owner == "" {
			it.Owner = all.Owner
		}
		it.due = all.Due
		if it.Due != "" {
			if it.due, err = dueOf(it.Due, now); err != nil {
				return nil, at("due: %v", err)
			}
		}
		out = append(out, it)
	}
	return out, nil
}

// dueOf reads a day, a time or a while from now; empty is none.
func dueOf(text string, now time.Time) (due time.Time, err error) {
	if text == "" {
		return time.Time{}, nil
	}
	if due, err = time.Parse(time.DateOnly, text); err != nil {
		due, err = time.Parse(time.RFC3339, text)
	}
	if err != nil {
		d, bad := time.ParseDuration(text)
		if bad != nil {
			return time.Time{}, errors.New("must be a day (2026-12-05), a time (2026-12-05T18:00:00Z), or a while from now (72h)")
		}
		due = now.Add(d)
	}
	if !due.After(now) {
		return time.Time{}, errors.New("is over")
	}
	return due.UTC(), nil
}

// itemsOf finds the named credentials on the roll of the campaign that runs on
// this Temporal, by their places there: that one hears of them. A later one
// that runs elsewhere has another roll.
func (s *session) itemsOf(ctx context.Context, said []saidOfItem, file string) (out []wire.AcceptedItem, err error) {
	running, err := s.running(ctx)
	if err != nil {
		return nil, err
	}
	if running == nil {
		return nil, fmt.Errorf("cannot %s: %w", workflows.UpdateClose, s.noneRuns(ctx))
	}
	var roll []ownmount.Fate
	if err := s.store.Fates(ctx, running.Campaign, func(f ownmount.Fate) { roll = append(roll, f) }); err != nil {
		return nil, err
	}
	return itemsIn(roll, running.Campaign, said, file)
}

// itemsIn finds the named credentials on a roll. One that is dead is an error:
// it is another one than was meant, and that one would be left to others.
func itemsIn(roll []ownmount.Fate, campaign string, said []saidOfItem, file string) (out []wire.AcceptedItem, err error) {
	found := make([][]ownmount.Fate, len(said))
	for _, f := range roll {
		for k, it := range said {
			if strings.EqualFold(f.Name, it.Name) || strings.EqualFold(f.ID, it.Name) {
				found[k] = append(found[k], f)
			}
		}
	}
	for k, it := range said {
		at := func(format string, args ...any) error {
			return fmt.Errorf("%s:%d: name: %s; nothing was done", file, it.line, fmt.Sprintf(format, args...))
		}
		switch {
		case len(found[k]) == 0:
			return nil, at("%q is not on the roll of campaign %s: name it as list and the report do", it.Name, campaign)
		case len(found[k]) > 1:
			return nil, at("%d of the roll are called %q: name the one by its id (list -o json)", len(found[k]), it.Name)
		}
		if f := found[k][0]; !f.DeadAt.IsZero() {
			return nil, at("%q is dead since %s, so nothing of it is open to accept: name the one that you meant", it.Name, f.DeadAt.UTC().Format(time.RFC3339))
		}
		out = append(out, wire.AcceptedItem{Ref: found[k][0].At, Reason: it.Reason, Owner: it.Owner, Due: it.due})
	}
	return out, nil
}
