package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"rollcall/internal/lab"
)

// quickAccounts is what a small campaign rotates.
const quickAccounts = 50

// quickWorkers of the bare loop, as many as a campaign's connections.
const quickWorkers = 8

// Quick is small campaigns, one after another, on a provider and a replica:
// what is waited for shows there, and not what is done.
type Quick struct {
	Accounts int         `json:"accounts"`
	Lag      float64     `json:"replica_lag_seconds"` // on top of its own
	Bare     []Timing    `json:"bare"`                // on the provider alone: it asks no replica
	Runs     []*Campaign `json:"campaigns"`
	Other    []*Campaign `json:"campaigns_of_other_version,omitempty"`
}

// measureQuick runs them on servers of their own below dir. The bare loop and
// campaigns of another version take turns with this one's.
func measureQuick(ctx context.Context, dir string, o options, program, other string, say func(string, ...any)) (*Quick, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	sizes := map[string]int{}
	for i := range o.quick {
		sizes[groupCampaign(i)], sizes[groupBare(i)] = quickAccounts, quickAccounts
		if other != "" {
			sizes[groupOther(i)] = quickAccounts
		}
	}
	say("slapd with a replica, and Vault, for campaigns of %d accounts", quickAccounts)
	g, err := startGround(ctx, dir, sizes, nil, o.audit)
	if err != nil {
		return nil, err
	}
	defer g.stop()
	if g.replica, err = lab.StartSlapd(ctx, lab.SlapdOptions{Dir: filepath.Join(dir, "replica"), CA: g.ca, ReplicaOf: g.slapd, Leaf: true, ShowsReplicators: true}); err != nil {
		return nil, err
	}
	g.replica.LagReplication(o.lag)
	turns, err := g.campaigns(ctx, o.quick, program, other)
	if err != nil {
		return nil, err
	}
	q := &Quick{Accounts: quickAccounts, Lag: o.lag.Seconds()}
	for i, t := range turns {
		say("small campaign %d of %d", i+1, o.quick)
		bare, err := g.bare(ctx, groupBare(i), quickWorkers)
		if err != nil {
			return nil, err
		}
		q.Bare = append(q.Bare, bare)
		ours := func() error { return q.add(ctx, g, t.ours, &q.Runs) }
		others := func() error { return q.add(ctx, g, t.other, &q.Other) }
		if i%2 == 0 {
			err = cmp.Or(ours(), others())
		} else {
			err = cmp.Or(others(), ours())
		}
		if err != nil {
			return nil, err
		}
	}
	return q, nil
}

// add runs a campaign once the replica has all that was done before it.
func (q *Quick) add(ctx context.Context, g *ground, c *campaign, to *[]*Campaign) error {
	if c == nil {
		return nil
	}
	if err := g.replica.AwaitReplication(ctx); err != nil {
		return err
	}
	r, err := c.run(ctx)
	*to = append(*to, r)
	return err
}

// table is the result for people.
func (q *Quick) table(b *strings.Builder) {
	fmt.Fprintf(b, "\n%d campaigns of %d accounts each, from the start of the process, a provider and a replica %.1f s behind\n\n", len(q.Runs), q.Accounts, q.Lag)
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "seconds\tleast\tmedian\tp95\tp95 / least\tthe other version's median\t× of it\t")
	for _, row := range []struct {
		what string
		of   func(*Campaign) float64
	}{
		{"ledger opened", func(c *Campaign) float64 { return c.Opening }},
		{"roll recorded", func(c *Campaign) float64 { return c.Listing }},
		{"first dead", func(c *Campaign) float64 { return c.FirstDead }},
		{"rotating", func(c *Campaign) float64 { return c.Rotating }},
		{"to the end", func(c *Campaign) float64 { return c.Seconds }},
		{"after the last wave", func(c *Campaign) float64 { return c.Ending }},
		{"Set to proof, p50", func(c *Campaign) float64 { return c.SetToProofP50 }},
		{"Set to proof, p99", func(c *Campaign) float64 { return c.SetToProofP99 }},
		{"ms of CPU for each account", func(c *Campaign) float64 { return c.CPU.all() }},
	} {
		all := sortedBy(q.Runs, row.of)
		fmt.Fprintf(w, "%s\t%.2f\t%.2f\t%.2f\t%.2f\t", row.what, all[0], quantile(all, 0.5), quantile(all, 0.95), quantile(all, 0.95)/all[0])
		if len(q.Other) > 0 {
			others := sortedBy(q.Other, row.of)
			fmt.Fprintf(w, "%.2f\t%.2f\t", quantile(others, 0.5), quantile(all, 0.5)/quantile(others, 0.5))
		}
		fmt.Fprintln(w)
	}
	bare := sortedBy(q.Bare, func(t Timing) float64 { return t.Seconds })
	fmt.Fprintf(w, "bare loop, %d workers\t%.2f\t%.2f\t%.2f\t%.2f\t\n", quickWorkers, bare[0], quantile(bare, 0.5), quantile(bare, 0.95), quantile(bare, 0.95)/bare[0])
	_ = w.Flush()
	fmt.Fprintf(b, "%s\n", keptOpen("campaigns", q.Runs))
	if len(q.Other) > 0 {
		fmt.Fprintf(b, "%s\n", keptOpen("campaigns of the other version", q.Other))
	}
}

// keptOpen says in how many of them a pass was lost.
func keptOpen(what string, runs []*Campaign) string {
	lost, all := 0, 0
	for _, r := range runs {
		if all += r.KeptOpen; r.KeptOpen > 0 {
			lost++
		}
	}
	return fmt.Sprintf("%d of %d %s lost a pass, with %d times a credential open", lost, len(runs), what, all)
}

func sortedBy[T any](all []T, of func(T) float64) []float64 {
	var out []float64
	for _, one := range all {
		out = append(out, of(one))
	}
	slices.Sort(out)
	return out
}
