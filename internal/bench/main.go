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
	file := flag.String("json", "", "write the figures to this file as JSON")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *n, *domain, *audit, *file); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

// run measures, prints the table and writes the JSON. It leaves nothing behind.
func run(ctx context.Context, n, domain int, audit bool, file string) error {
	if n < smallest {
		return fmt.Errorf("-n %d is too small to measure anything; the least is %d", n, smallest)
	}
	if err := domainPossible(); err != nil && domain > 0 {
		say("without Active Directory: %v", err)
		domain = 0
	}
	dir, err := os.MkdirTemp("", "rollcall-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	result, err := measure(ctx, dir, n, domain, audit, say)
	if err != nil {
		return err
	}
	fmt.Print(result.table())
	if file == "" {
		return nil
	}
	return result.write(file)
}

// say tells people what takes so long.
func say(format string, args ...any) { fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...) }
