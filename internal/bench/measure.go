package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"
)

const (
	smallest = 40
	counted  = 5 // credentials whose calls are written down
	// oneCaller is the part of n that Vault's engine rotates with one caller,
	// which takes longest and says least.
	oneCaller = 4
)

// tries are the numbers of workers of which the bare loop takes the fastest,
// each on a quarter of n.
var tries = []int{8, 16, 32, 64}

// options are what somebody asked for.
type options struct {
	n      int // accounts for each way
	domain int // in Active Directory; 0 leaves that out
	// rounds in which the ways take turns, so that a machine that gets slower
	// or faster meanwhile does it to all of them.
	rounds int
	audit  bool
	beside string // checkout of another version; empty: none
	// quick is how many small campaigns are run, and lag how far behind their
	// replica is besides; onlyQuick leaves all else out.
	quick     int
	lag       time.Duration
	onlyQuick bool
}

// measure runs everything in one go on servers of its own below dir.
func measure(ctx context.Context, dir string, o options, say func(string, ...any)) (*Result, error) {
	program, err := build(ctx, dir, "rollcall", ".")
	if err != nil {
		return nil, err
	}
	other := ""
	if o.beside != "" {
		if other, err = build(ctx, dir, "rollcall-other", o.beside); err != nil {
			return nil, err
		}
	}
	r := newResult(o.n, o.audit)
	if !o.onlyQuick {
		if err := r.measureLarge(ctx, dir, o, program, other, say); err != nil {
			return nil, err
		}
	}
	if o.quick > 0 {
		r.Quick, err = measureQuick(ctx, filepath.Join(dir, "quick"), o, program, other, say)
	}
	return r, err
}

// measureLarge is the ways beside each other, in rounds, and the domain.
func (r *Result) measureLarge(ctx context.Context, dir string, o options, program, other string, say func(string, ...any)) error {
	n, domain := o.n, o.domain
	sizes := map[string]int{groupEngine1: n / oneCaller, groupCountBare: counted, groupCountOurs: counted}
	for _, w := range tries {
		sizes[groupTry(w)] = n / len(tries)
	}
	for i := range o.rounds {
		sizes[groupEngine8(i)], sizes[groupBare(i)], sizes[groupCampaign(i)] = n, n, n
		if other != "" {
			sizes[groupOther(i)] = n
		}
	}
	inDomain := map[string]int{}
	if domain > 0 {
		inDomain = map[string]int{groupDomain: domain, groupDomainBare: max(smallest, domain/oneCaller)}
		for _, group := range []string{groupCountBare, groupCountOurs} {
			inDomain[windowsName+"-"+group] = counted
		}
		say("a domain controller with %d accounts, slapd and Vault with %d for each way", domain, n)
	} else {
		say("starting slapd and Vault with %d accounts for each way", n)
	}
	g, err := startGround(ctx, dir, sizes, inDomain, o.audit)
	if err != nil {
		return err
	}
	defer g.stop()
	turns, err := g.campaigns(ctx, o.rounds, program, other)
	if err != nil {
		return err
	}
	if r.Calls, err = compareCalls(ctx, g, g.corp()); err != nil {
		return err
	}
	say("Vault's LDAP engine with 1 caller")
	if r.EngineOne, err = g.engine(ctx, groupEngine1, 1); err != nil {
		return err
	}
	best := 0
	for _, workers := range tries {
		say("the bare loop with %d workers", workers)
		one, err := g.bare(ctx, groupTry(workers), workers)
		if err != nil {
			return err
		}
		if r.Tries = append(r.Tries, one); one.PerSecond > r.Tries[best].PerSecond {
			best = len(r.Tries) - 1
		}
	}
	for i, t := range turns {
		one, err := g.round(ctx, i, tries[best], t, say)
		if err != nil {
			return err
		}
		r.Rounds = append(r.Rounds, one)
	}
	r.compare()
	if domain > 0 {
		r.Domain, err = g.measureDomain(ctx, program, say)
	}
	return err
}

// Domain is a campaign in Active Directory beside a bare loop there.
type Domain struct {
	Calls    Calls     `json:"calls"`
	Bare     Timing    `json:"bare"`
	Campaign *Campaign `json:"campaign"`
	// WholeToBare and RotatingToBare are as in Ratios.
	WholeToBare    float64 `json:"whole_to_bare"`
	RotatingToBare float64 `json:"rotating_to_bare"`
}

// domainWorkers: a Samba domain controller works on one request at a time.
const domainWorkers = 8

func (g *ground) measureDomain(ctx context.Context, program string, say func(string, ...any)) (*Domain, error) {
	d := g.windows()
	c, err := newCampaign(ctx, g, d, program, groupDomain)
	if err != nil {
		return nil, err
	}
	r := &Domain{}
	if r.Calls, err = compareCalls(ctx, g, d); err != nil {
		return nil, err
	}
	say("the bare loop in the domain with %d workers", domainWorkers)
	if r.Bare, err = g.time(ctx, groupDomainBare, domainWorkers, bareRotator(g, d, d.url, g.vault.Address(), domainWorkers)); err != nil {
		return nil, err
	}
	say("the campaign in the domain")
	if r.Campaign, err = c.run(ctx); err != nil {
		return nil, err
	}
	r.WholeToBare, r.RotatingToBare = r.Campaign.PerSecond/r.Bare.PerSecond, r.Campaign.RotatingPerSecond/r.Bare.PerSecond
	return r, nil
}

// Timing is one way on a number of accounts.
type Timing struct {
	Accounts  int     `json:"accounts"`
	Workers   int     `json:"workers"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"per_second"`
	CPU       cpu     `json:"cpu_ms_per_account"`
}

// time has workers rotate the accounts of a group, each account once, and
// stops at the first error.
func (g *ground) time(ctx context.Context, group string, workers int, rotator func() (rotator, error)) (Timing, error) {
	accounts := g.accounts[group]
	before, err := g.usage()
	if err != nil {
		return Timing{}, err
	}
	began := time.Now()
	if err := inParallel(ctx, accounts, workers, rotator); err != nil {
		return Timing{}, fmt.Errorf("%s: %w", group, err)
	}
	took := time.Since(began)
	after, err := g.usage()
	return timing(len(accounts), workers, took, after.since(before)), err
}

func timing(accounts, workers int, took time.Duration, used usage) Timing {
	return Timing{
		Accounts: accounts, Workers: workers, Seconds: took.Seconds(),
		PerSecond: float64(accounts) / took.Seconds(), CPU: used.per(accounts),
	}
}
