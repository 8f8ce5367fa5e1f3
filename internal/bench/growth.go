package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/go-ldap/ldap/v3"
	"golang.org/x/sync/errgroup"
)

// Growth is campaigns of several sizes against the same servers: what a
// credential costs, by how many there are. Each has a bare loop beside it, and
// its listing a loop that reads the same.
type Growth struct {
	Machine Machine     `json:"machine"`
	Sizes   []*SizeCost `json:"sizes"`
}

// SizeCost is a campaign of one size, with its peers.
type SizeCost struct {
	Credentials int       `json:"credentials"`
	List        ListCost  `json:"list"`
	ReadLoop    Timing    `json:"loop_that_reads_the_same"`
	Bare        Timing    `json:"bare"`
	Campaign    *Campaign `json:"campaign"`
	EngineBytes int64     `json:"engine_database_bytes"`
}

// ListCost is `rollcall list`.
type ListCost struct {
	Timing
	Peak int64 `json:"peak_bytes"`
}

// maxBare bounds the bare loop, whose cost does not depend on how many there
// are.
const maxBare = 2000

// parseSizes reads a list of sizes, the least first.
func parseSizes(text string) (sizes []int, err error) {
	for one := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(one)
		if err != nil || n < smallest {
			return nil, fmt.Errorf("-grow %s: %q is no number of accounts from %d on", text, one, smallest)
		}
		sizes = append(sizes, n)
	}
	if !slices.IsSorted(sizes) {
		return nil, fmt.Errorf("-grow %s: the least comes first", text)
	}
	return sizes, nil
}

// measureGrowth runs them on servers of their own below dir. On an error
// nothing is left running.
func measureGrowth(ctx context.Context, dir string, sizes []int, say func(string, ...any)) (*Growth, error) {
	program, err := build(ctx, dir, "rollcall", ".")
	if err != nil {
		return nil, err
	}
	groups := map[string]int{}
	for i, n := range sizes {
		groups[groupCampaign(i)], groups[groupBare(i)] = n, min(n, maxBare)
	}
	say("starting slapd and Vault with accounts for campaigns of %s", strings.Trim(fmt.Sprint(sizes), "[]"))
	g, err := startGround(ctx, dir, groups, nil, false)
	if err != nil {
		return nil, err
	}
	defer g.stop()
	turns, err := g.campaigns(ctx, len(sizes), program, "")
	if err != nil {
		return nil, err
	}
	r := &Growth{Machine: newResult(0, false).Machine}
	for i, n := range sizes {
		say("%d accounts", n)
		one, err := g.sizeCost(ctx, i, turns[i].ours)
		if err != nil {
			return nil, err
		}
		r.Sizes = append(r.Sizes, one)
	}
	return r, nil
}

func (g *ground) sizeCost(ctx context.Context, i int, c *campaign) (s *SizeCost, err error) {
	s = &SizeCost{Credentials: len(g.accounts[c.group])}
	if s.ReadLoop, err = g.readLoop(ctx, c.group); err != nil {
		return nil, err
	}
	if s.List, err = c.list(ctx); err != nil {
		return nil, err
	}
	if s.Bare, err = g.bare(ctx, groupBare(i), 16); err != nil {
		return nil, err
	}
	if s.Campaign, err = c.run(ctx); err != nil {
		return nil, err
	}
	s.EngineBytes, err = databaseBytes(filepath.Join(c.dir, "engine"))
	return s, err
}

// list is `rollcall list` to its end. It changes nothing.
func (c *campaign) list(ctx context.Context) (l ListCost, err error) {
	before, err := c.g.usage()
	if err != nil {
		return l, err
	}
	cmd, out := c.command(ctx, "list")
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return l, err
	}
	watched := c.watch(cmd.Process.Pid)
	err = cmd.Wait()
	took := time.Since(began)
	l.Peak = watched().workerMemory
	if err != nil {
		return l, fmt.Errorf("rollcall list: %w\n%s", err, out)
	}
	after, err := c.g.usage()
	used := after.since(before)
	used.us = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	l.Timing = timing(len(c.g.accounts[c.group]), 0, took, used)
	return l, err
}

// databaseBytes are those of an engine's database, with its write-ahead log.
func databaseBytes(dir string) (total int64, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(d.Name(), ".db") {
			return err
		}
		info, err := d.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	if err == nil && total == 0 {
		err = errors.New("no database of the engine in " + dir)
	}
	return total, err
}

// What the loop asks at once: as many as a listing does.
const (
	readsAtOnce    = 16
	accountsAtOnce = 50
	namesAtOnce    = 200
)

// readLoop reads what a listing reads of each credential, and keeps nothing:
// the secret, its metadata, the account by its name, and who else is called so.
func (g *ground) readLoop(ctx context.Context, group string) (Timing, error) {
	d, accounts := g.corp(), g.accounts[group]
	before, err := g.usage()
	if err != nil {
		return Timing{}, err
	}
	began := time.Now()
	b := &bare{http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: readsAtOnce}}, vault: g.vault.Address(), token: g.vault.RootToken().Reveal()}
	if err := b.call(ctx, "LIST", "kv/metadata/apps/"+group, nil); err != nil {
		return Timing{}, err
	}
	reads, rctx := errgroup.WithContext(ctx)
	reads.SetLimit(readsAtOnce)
	for _, a := range accounts {
		reads.Go(func() error {
			if err := b.call(rctx, http.MethodGet, "kv/data/"+a.path, nil); err != nil {
				return err
			}
			return b.call(rctx, http.MethodGet, "kv/metadata/"+a.path, nil)
		})
	}
	if err := reads.Wait(); err != nil {
		return Timing{}, err
	}
	for _, atOnce := range []int{accountsAtOnce, namesAtOnce} {
		if err := g.searchAll(ctx, d, accounts, atOnce); err != nil {
			return Timing{}, err
		}
	}
	took := time.Since(began)
	after, err := g.usage()
	return timing(len(accounts), readsAtOnce, took, after.since(before)), err
}

// searchAll finds accounts by their names, several searches at a time.
func (g *ground) searchAll(ctx context.Context, d *dirServer, accounts []account, atOnce int) error {
	const searches = 4
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(d.ca))
	conns := make(chan *ldap.Conn, searches)
	for range searches {
		c, err := ldap.DialURL(d.url, ldap.DialWithTLSConfig(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}))
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.Bind(d.binderDN, d.binderPassword); err != nil {
			return err
		}
		conns <- c
	}
	all, actx := errgroup.WithContext(ctx)
	all.SetLimit(searches)
	var found atomic.Int64
	for chunk := range slices.Chunk(accounts, atOnce) {
		all.Go(func() error {
			if err := actx.Err(); err != nil {
				return err
			}
			c := <-conns
			defer func() { conns <- c }()
			var any strings.Builder
			for _, a := range chunk {
				any.WriteString("(uid=" + ldap.EscapeFilter(a.uid) + ")")
			}
			res, err := c.SearchWithPaging(ldap.NewSearchRequest(d.base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false,
				"(|"+any.String()+")", []string{"entryUUID", "uid", "cn", "mail", "objectClass", "userPassword"}, nil), 500)
			if err == nil {
				found.Add(int64(len(res.Entries)))
			}
			return err
		})
	}
	if err := all.Wait(); err != nil {
		return err
	}
	if int(found.Load()) != len(accounts) {
		return fmt.Errorf("%d of %d accounts were found", found.Load(), len(accounts))
	}
	return nil
}

// table is the result for people: a column for each size, and how the largest
// is to the least.
func (r *Growth) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "campaigns of several sizes · one slapd {SSHA} over LDAPS, one Vault · %s, %d cores, %s · %s\n\n", r.Machine.CPU, r.Machine.Cores, r.Machine.Go, r.Machine.At.Format(time.DateTime+" UTC"))
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "credentials\t")
	for _, s := range r.Sizes {
		fmt.Fprintf(w, "%d\t", s.Credentials)
	}
	fmt.Fprintln(w, "last / first\t")
	for _, row := range growthRows {
		fmt.Fprintf(w, "%s\t", row.what)
		for _, s := range r.Sizes {
			fmt.Fprintf(w, "%.2f\t", row.of(s))
		}
		fmt.Fprintf(w, "%.2f\t\n", row.of(r.Sizes[len(r.Sizes)-1])/row.of(r.Sizes[0]))
	}
	_ = w.Flush()
	fmt.Fprintf(&b, "\nThe start of the program, and what is done once for each campaign, is in each of them.\n")
	return b.String()
}

// growthRows are the figures; "ms" is processor time for each credential.
var growthRows = []struct {
	what string
	of   func(*SizeCost) float64
}{
	{"ms, worker and engine", func(s *SizeCost) float64 { return s.Campaign.CPU.Client + s.Campaign.CPU.Engine }},
	{"of these the engine", func(s *SizeCost) float64 { return s.Campaign.CPU.Engine }},
	{"ms, slapd and Vault", func(s *SizeCost) float64 { return s.Campaign.CPU.Slapd + s.Campaign.CPU.Vault }},
	{"ms, all", func(s *SizeCost) float64 { return s.Campaign.CPU.all() }},
	{"ms, all, of the bare loop", func(s *SizeCost) float64 { return s.Bare.CPU.all() }},
	{"campaign / bare loop", func(s *SizeCost) float64 { return s.Campaign.CPU.all() / s.Bare.CPU.all() }},
	{"ms, list, of rollcall alone", func(s *SizeCost) float64 { return s.List.CPU.Client }},
	{"ms, list, all", func(s *SizeCost) float64 { return s.List.CPU.all() }},
	{"ms, loop that reads the same, all", func(s *SizeCost) float64 { return s.ReadLoop.CPU.all() }},
	{"list / that loop", func(s *SizeCost) float64 { return s.List.CPU.all() / s.ReadLoop.CPU.all() }},
	{"engine's database, bytes each", func(s *SizeCost) float64 { return float64(s.EngineBytes) / float64(s.Credentials) }},
	{"engine's database, MB", func(s *SizeCost) float64 { return float64(s.EngineBytes) / 1e6 }},
	{"ledger, bytes each", func(s *SizeCost) float64 { return float64(s.Campaign.LedgerBytes) / float64(s.Credentials) }},
	{"peak MiB, worker", func(s *SizeCost) float64 { return float64(s.Campaign.WorkerMemory) / (1 << 20) }},
	{"peak MiB, engine", func(s *SizeCost) float64 { return float64(s.Campaign.EngineMemory) / (1 << 20) }},
	{"peak MiB, list", func(s *SizeCost) float64 { return float64(s.List.Peak) / (1 << 20) }},
	{"seconds, list", func(s *SizeCost) float64 { return s.List.Seconds }},
	{"seconds, campaign", func(s *SizeCost) float64 { return s.Campaign.Seconds }},
	{"of these until the roll is written", func(s *SizeCost) float64 { return s.Campaign.Listing }},
}
