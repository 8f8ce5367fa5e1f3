// Command bench measures how fast Rollcall rotates, beside two other ways to do
// it on the same servers: Vault's own LDAP secrets engine, and a bare loop that
// makes the calls of Rollcall's protocol with no Temporal, ledger or retries.
//
// One slapd over LDAPS and one Vault serve all of them, one after another, and
// everybody gets accounts and Vault paths that nobody has touched. They take
// turns in rounds, so that a machine that drifts meanwhile does it to all of
// them. Nothing that is timed is asserted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	n := flag.Int("n", 2000, "accounts for each of the three ways")
	domain := flag.Int("domain", 1000, "accounts of an Active Directory domain for one more campaign; 0 leaves it out, and so does not being root")
	audit := flag.Bool("audit", false, "give Vault a file audit device, as in production: it costs every request, and Rollcall makes more of them than Vault's own engine")
	quick := flag.Int("quick", 20, "campaigns of 50 accounts on a provider and a replica, from the start of the process; 0 leaves them out")
	lag := flag.Duration("lag", 0, "how much later what the provider sends gets to the replica of those")
	only := flag.Bool("only-quick", false, "measure nothing but those")
	file := flag.String("json", "", "write the figures to this file as JSON")
	rounds := flag.Int("rounds", 2, "how often the three ways take turns")
	beside := flag.String("beside", "", "a checkout of another version, whose campaigns take turns with this one's on the same servers")
	grow := flag.String("grow", "", "measure nothing but campaigns of these sizes, as in 1000,100000: what a credential costs by how many there are")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if *grow != "" {
		err = runGrowth(ctx, *grow, *file)
	} else {
		err = run(ctx, options{*n, *domain, *rounds, *audit, *beside, *quick, *lag, *only}, *file)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

// run measures, prints the table and writes the JSON. It leaves nothing behind.
func run(ctx context.Context, o options, file string) error {
	if o.n < smallest {
		return fmt.Errorf("-n %d is too small to measure anything; the least is %d", o.n, smallest)
	}
	if o.rounds < 1 {
		return fmt.Errorf("-rounds %d measures nothing", o.rounds)
	}
	if err := domainPossible(); err != nil && o.domain > 0 {
		say("without Active Directory: %v", err)
		o.domain = 0
	}
	if o.onlyQuick && o.quick < 1 {
		return errors.New("-only-quick with -quick 0 measures nothing")
	}
	dir, err := os.MkdirTemp("", "rollcall-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	result, err := measure(ctx, dir, o, say)
	if err != nil {
		return err
	}
	fmt.Print(result.table())
	if file == "" {
		return nil
	}
	return result.write(file)
}

// runGrowth is run for campaigns of several sizes.
func runGrowth(ctx context.Context, text, file string) error {
	sizes, err := parseSizes(text)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "rollcall-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	result, err := measureGrowth(ctx, dir, sizes, say)
	if err != nil {
		return err
	}
	fmt.Print(result.table())
	if file == "" {
		return nil
	}
	return writeJSON(file, result)
}

// say tells people what takes so long.
func say(format string, args ...any) { fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...) }
