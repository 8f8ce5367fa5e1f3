package report

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/evidence/event"
	"rollcall/internal/evidence/judge"
	"rollcall/internal/ledger"
)

// spans are times in order, none overlapping another.
type spans []credential.Interval

// spansOf are spans without order.
func spansOf(all []credential.Interval) (out spans) {
	all = slices.DeleteFunc(slices.Clone(all), func(x credential.Interval) bool { return !x.To.After(x.From) })
	slices.SortFunc(all, func(a, b credential.Interval) int { return a.From.Compare(b.From) })
	for _, x := range all {
		if n := len(out) - 1; n >= 0 && !x.From.After(out[n].To) {
			if x.To.After(out[n].To) {
				out[n].To = x.To
			}
			continue
		}
		out = append(out, x)
	}
	return out
}

// without is what of it is in no span of the other.
func (s spans) without(other spans) (out spans) {
	for _, x := range s {
		for _, o := range other {
			if !o.To.After(x.From) || !o.From.Before(x.To) {
				continue
			}
			if o.From.After(x.From) {
				out = append(out, credential.Interval{From: x.From, To: o.From})
			}
			if x.From = o.To; !x.To.After(x.From) {
				break
			}
		}
		if x.To.After(x.From) {
			out = append(out, x)
		}
	}
	return out
}

func (s spans) length() (d time.Duration) {
	for _, x := range s {
		d += x.To.Sub(x.From)
	}
	return d
}

// coverage is which part of the exposure logs cover. A moment is covered, of an
// authority, where each of its servers whose own log is known has lines around
// it: each server logs for itself. A log without a login covers nothing, and
// what came behind the reading of the logs, before the campaign, is exposure
// too.
type coverage struct {
	exposed spans
	of      []authorityCover
	// neverEnded are readings of which some may be missing: they cover nothing.
	neverEnded int
}

type authorityCover struct {
	name    string
	noLog   bool
	covered spans
	sources []string
	gaps    []credential.LogGap
	// Of so many servers of the authority so many have a log that is known.
	servers, logged int
	without         []string // servers of which that is known by name
	short           int      // stretches with lines that count as gaps
	// others are names of logs that no server of the authority has, where some
	// log has one: who may write into a syslog calls himself as he likes.
	others []string
}

// share is how much of the exposure is covered: servers of which no log is
// known count as not covered.
func (a authorityCover) share() time.Duration {
	if a.logged < a.servers {
		return a.covered.length() / time.Duration(a.servers) * time.Duration(a.logged)
	}
	return a.covered.length()
}

func coverageOf(s *ledger.State) (c coverage) {
	type server struct{ authority, name string }
	covered, written := map[server][]credential.Interval{}, map[server]int{}
	gaps := map[string][]credential.LogGap{}
	var exposed []credential.Interval
	var order []string
	sources := map[string][]string{}
	noLog, short := map[string]bool{}, map[string]int{}
	without := map[string][]string{}
	for _, r := range s.Readings {
		windows := windowsOf(r, r.ReadAt)
		until := slices.MaxFunc([]time.Time{r.ReadAt, s.StartedAt}, time.Time.Compare)
		if r.Ledger != "" { // it came while the campaign ran, or later
			until = s.StartedAt
		}
		exposed = append(exposed, windowsOf(r, until)...)
		if r.NeverEnded() {
			c.neverEnded++
			continue
		}
		for _, x := range r.Coverage {
			if x.Authority == "" || x.InFront {
				continue // of no authority, or not its own
			}
			if !slices.Contains(order, x.Authority) {
				order = append(order, x.Authority)
			}
			gaps[x.Authority] = append(gaps[x.Authority], x.Gaps...)
			if x.NoLog {
				if noLog[x.Authority] = true; x.Server != "" && !slices.Contains(without[x.Authority], x.Server) {
					without[x.Authority] = append(without[x.Authority], x.Server)
				}
				continue
			}
			short[x.Authority] += shortOnes(x)
			var not []credential.Interval
			for _, g := range x.Gaps {
				not = append(not, credential.Interval{From: g.From, To: g.To})
			}
			at := server{x.Authority, x.Server}
			of := strings.TrimSpace(fmt.Sprintf("%s %s, %s", x.Server, x.Format, Plural(x.Lines, "line", "lines")))
			shows := spansOf(windows).without(spansOf(not))
			if x.Logins == 0 {
				of, shows = of+", no login in it", nil
			}
			covered[at] = append(covered[at], shows...)
			written[at] += x.Lines
			sources[x.Authority] = append(sources[x.Authority], of)
		}
	}
	c.exposed = spansOf(exposed)
	for _, name := range unread(s, c, order) {
		order, noLog[name] = append(order, name), true
		for _, x := range c.exposed {
			gaps[name] = append(gaps[name], credential.LogGap{From: x.From, To: x.To, Reason: string(judge.NoLog)})
		}
	}
	slices.Sort(order)
	for _, name := range order {
		a := authorityCover{name: name, sources: sources[name], gaps: gaps[name], noLog: noLog[name] && len(sources[name]) == 0, servers: len(s.Servers[name]), short: short[name], without: without[name]}
		if len(sources[name]) > 0 {
			a.covered = c.exposed
			var called []string
			for at := range covered {
				if at.authority == name {
					called = append(called, at.name)
				}
			}
			called, a.others = ofServers(called, s.Servers[name], func(of string) int { return written[server{name, of}] })
			for _, of := range called {
				a.logged++
				a.covered = a.covered.without(c.exposed.without(spansOf(covered[server{name, of}])))
			}
		}
		a.without = slices.DeleteFunc(slices.Clone(a.without), func(host string) bool {
			for at := range covered {
				if at.authority == name && isServer(at.name, host, s.Servers[name], a.without) {
					return true // another reading has it
				}
			}
			return false
		})
		if without := len(a.without); without > 0 { // one server may be called in two ways
			a.servers = max(a.servers, without+min(a.logged, 1))
			a.logged = min(a.logged, a.servers-without)
		}
		slices.SortStableFunc(a.gaps, func(x, y credential.LogGap) int { return cmp.Or(x.From.Compare(y.From), x.To.Compare(y.To)) })
		a.gaps = slices.Compact(a.gaps)
		c.of = append(c.of, a)
	}
	return c
}

// ofServers parts what logs call their servers by whether the roll has such
// ones. Where it has none of them, or several on one machine, names say
// nothing. One of another name with as many lines as one of theirs counts with
// those: the name of theirs may be the forged one, and more would be covered by
// it.
func ofServers(called, urls []string, lines func(string) int) (own, others []string) {
	slices.Sort(called)
	hosts := map[string]bool{}
	for _, text := range urls {
		hosts[hostOf(text)] = true
	}
	for _, name := range called {
		is := false
		for host := range hosts {
			is = is || isServer(name, host, urls, nil)
		}
		if is {
			own = append(own, name)
		} else {
			others = append(others, name)
		}
	}
	if len(own) == 0 || len(hosts) < len(urls) {
		return called, nil
	}
	least := lines(slices.MinFunc(own, func(a, b string) int { return lines(a) - lines(b) }))
	own = append(own, slices.DeleteFunc(slices.Clone(others), func(of string) bool { return lines(of) < least })...)
	return own, slices.DeleteFunc(others, func(of string) bool { return lines(of) >= least })
}

// hostOf is the machine of a server's address.
func hostOf(text string) string {
	if u, err := url.Parse(text); err == nil && u.Hostname() != "" {
		text = u.Hostname()
	}
	return strings.ToLower(strings.TrimSuffix(text, "."))
}

// isServer reports whether a log that calls its server so is of that host: by
// its whole name, or by its first part where no other server has that.
func isServer(called, host string, urls, others []string) bool {
	called, host = strings.ToLower(strings.TrimSuffix(called, ".")), strings.ToLower(strings.TrimSuffix(host, "."))
	if called == host {
		return host != ""
	}
	first, _, _ := strings.Cut(host, ".")
	if called == "" || called != first {
		return false
	}
	same := func(other string) bool {
		other = hostOf(other)
		its, _, _ := strings.Cut(other, ".")
		return other != host && its == first
	}
	return !slices.ContainsFunc(urls, same) && !slices.ContainsFunc(others, same)
}

// shortOnes are the stretches with lines that count as gaps, since there were
// more than a reading or an entry of the ledger keeps.
func shortOnes(x credential.LogCoverage) int {
	n := x.Joined
	for _, note := range x.Notes {
		if note.Note == string(event.TooMany) {
			n += note.Count
		}
	}
	return n
}

// unread are the authorities of the roll that no reading knew, since they came
// onto it later. Of a watch alone nothing is known that it should cover.
func unread(s *ledger.State, c coverage, known []string) (out []string) {
	if len(c.exposed) == 0 {
		return nil
	}
	for l := range s.All() {
		if l.Authority != "" && !l.Kind.ByHand() && !slices.Contains(known, l.Authority) && !slices.Contains(out, l.Authority) {
			out = append(out, l.Authority)
		}
	}
	return out
}

// windowsOf are the windows of a reading until a time.
func windowsOf(r *ledger.ReadLogs, until time.Time) (out []credential.Interval) {
	if r.Follows {
		return nil
	}
	for _, w := range r.Windows {
		if w.To.IsZero() || w.To.After(until) {
			w.To = until
		}
		out = append(out, w)
	}
	return out
}

// percent is a share in whole percents that is never more than it is: 100 is
// all of it.
func percent(part, whole time.Duration) string {
	switch {
	case whole <= 0:
		return "no part"
	case part > 0 && 100*part.Seconds() < whole.Seconds():
		return "less than 1 %"
	case part < whole:
		return fmt.Sprintf("%d %%", min(99, int(100*part.Seconds()/whole.Seconds())))
	}
	return "100 %"
}

// words say how much is covered: the share of the exposure, as a mean of the
// authorities that the logs name or lack.
func (c coverage) words() string {
	if len(c.of) == 0 || len(c.exposed) == 0 {
		return "the logs cover no part of the exposure that is known"
	}
	var part time.Duration
	gaps := 0
	for _, a := range c.of {
		part += a.share() / time.Duration(len(c.of))
		gaps += len(a.gaps)
	}
	whole := c.exposed.length() / time.Duration(len(c.of)) * time.Duration(len(c.of))
	return fmt.Sprintf("the logs cover %s of the exposure; %s", percent(part, whole), Plural(gaps, "gap", "gaps"))
}

func (c coverage) lines(zone *time.Location) (out []coverLine) {
	for _, a := range c.of {
		line := coverLine{Authority: a.name, Words: fmt.Sprintf("%s: %s of the exposure is covered (%s)", a.name, percent(a.share(), c.exposed.length()), strings.Join(a.sources[:min(named, len(a.sources))], "; "))}
		if a.logged < a.servers {
			line.Words += fmt.Sprintf("; no log is known of %d of its %s", a.servers-a.logged, Plural(a.servers, "server", "servers"))
		}
		if n := len(a.without); n > 0 {
			line.Words += "; none is known to be of " + strings.Join(a.without[:min(named, n)], ", ")
		}
		if n := len(a.others); n > 0 {
			line.Words += "; no server of it is called " + strings.Join(a.others[:min(named, n)], ", ") + ", so logs of that name count for none"
		}
		if a.short > 0 {
			line.Words += fmt.Sprintf("; %s with lines, the shortest of more than are kept, count as gaps", Plural(a.short, "stretch", "stretches"))
		}
		if a.noLog {
			line.Words = a.name + ": no log of it is known"
			if c.neverEnded > 0 {
				line.Words += " from a reading that ended"
			}
		}
		for _, g := range a.gaps[:min(mostGapLines, len(a.gaps))] {
			line.Gaps = append(line.Gaps, fmt.Sprintf("%s to %s (%s)", clock(g.From.In(zone)), clock(g.To.In(zone)), g.Reason))
		}
		line.More = len(a.gaps) - len(line.Gaps)
		out = append(out, line)
	}
	return out
}
