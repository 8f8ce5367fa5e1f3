// Command scale measures what reading a ledger costs, by how many credentials
// its campaign had: status, the reports and ledger verify, beside sha256sum and
// cat over the same bytes in the same round. The ledger is written by the
// program's own code, as a campaign writes it, without servers: so it is there
// in a minute. Nothing that is timed is asserted.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

func main() {
	sizes := flag.String("n", "1000,100000", "credentials of each ledger, the least first")
	rounds := flag.Int("rounds", 3, "how often all of it takes turns")
	program := flag.String("rollcall", "bin/rollcall", "the program that is measured")
	beside := flag.String("beside", "", "rollcall of another version, which takes turns with it")
	file := flag.String("json", "", "write the figures to this file as JSON")
	keep := flag.String("ledgers", "", "keep the ledgers in this folder, and take those that are there")
	fill := flag.String("fill", "", "write one ledger into this folder, and do nothing else")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, options{*sizes, *rounds, *program, *beside, *keep}, *fill, *file); err != nil {
		fmt.Fprintf(os.Stderr, "scale: %v\n", err)
		os.Exit(1)
	}
}

type options struct {
	sizes           string
	rounds          int
	program, beside string
	ledgers         string
}

func run(ctx context.Context, o options, fill, file string) error {
	var sizes []int
	for text := range strings.SplitSeq(o.sizes, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < smallest {
			return fmt.Errorf("-n %s: %q is no number of credentials from %d on", o.sizes, text, smallest)
		}
		sizes = append(sizes, n)
	}
	if fill != "" {
		return fillLedger(ctx, fill, sizes[0])
	}
	if o.rounds < 1 {
		return fmt.Errorf("-rounds %d measures nothing", o.rounds)
	}
	dir := o.ledgers
	if dir == "" {
		made, err := os.MkdirTemp("", "rollcall-scale-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(made)
		dir = made
	}
	result := newResult()
	for _, n := range sizes {
		one, err := measureSize(ctx, o, dir, n)
		if err != nil {
			return err
		}
		result.Sizes = append(result.Sizes, one)
	}
	fmt.Print(result.table())
	if file == "" {
		return nil
	}
	data, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(data, '\n'), 0o644)
}

// ledgerOf is the folder of a ledger of n credentials. It is written by a
// process of its own, for a child's peak memory counts what its parent had.
func ledgerOf(ctx context.Context, dir string, n int) (string, error) {
	folder := filepath.Join(dir, fmt.Sprint(n), campaign)
	done := filepath.Join(dir, fmt.Sprint(n), "written")
	if _, err := os.Stat(done); err == nil {
		return folder, nil
	}
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	say("writing the ledger of a campaign of %d credentials", n)
	if err := os.RemoveAll(folder); err != nil {
		return "", err
	}
	if _, err := measured(ctx, self, "-fill", folder, "-n", fmt.Sprint(n)); err != nil {
		return "", err
	}
	return folder, os.WriteFile(done, nil, 0o644)
}

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, "scale: "+format+"\n", args...) }
