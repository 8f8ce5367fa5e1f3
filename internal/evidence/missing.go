package evidence

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"rollcall/internal/evidence/event"
	"rollcall/internal/evidence/judge"
	"rollcall/internal/evidence/logs"
	"rollcall/internal/plural"
)

// missing are authorities of the roll of which no log is known to be, and
// servers of those of which there are logs.
func (r *reading) missing() (out []judge.Unlogged) {
	var asked []string
	for _, c := range r.Options.Judge.Credentials {
		if slices.Contains(asked, c.Authority) {
			continue
		}
		asked = append(asked, c.Authority)
		own := r.own(c.Authority)
		if len(own) == 0 {
			out = append(out, judge.Unlogged{Authority: c.Authority})
			continue
		}
		out = append(out, unlogged(c.Authority, r.Servers[c.Authority], own)...)
	}
	slices.SortFunc(out, func(a, b judge.Unlogged) int {
		return cmp.Or(strings.Compare(a.Authority, b.Authority), strings.Compare(a.Server, b.Server))
	})
	return out
}

// own are the sources that are an authority's own logs.
func (r *reading) own(authority string) (out []*judge.Source) {
	for _, s := range r.sources {
		format, err := logs.Named(s.Format, r.Mapped...)
		further := slices.ContainsFunc(s.Notes, func(n judge.Noted) bool { return n.Note == event.TooManyOf }) // of nobody knows whom
		if s.Authority == authority && err == nil && !format.InFront && !further {
			out = append(out, s)
		}
	}
	return out
}

// unlogged are the servers of a directory of which none of its logs is known to
// be. One that has a single server has one log. Of several on one machine the
// name says nothing: logs of names that no machine has are counted for those.
func unlogged(authority string, urls []string, own []*judge.Source) (out []judge.Unlogged) {
	if len(urls) < 2 {
		return nil
	}
	hosts, on := hostsOf(urls), map[string]int{}
	for _, u := range urls {
		on[hostsOf([]string{u})[0]]++
	}
	var others []string
	logged := map[string]bool{}
	for _, s := range own {
		if host := hostOf(s.Server, hosts); host != "" {
			logged[host] = true
		} else if name := cmp.Or(s.Server, s.Files[0]); !slices.Contains(others, name) {
			others = append(others, name)
		}
	}
	left := len(others)
	for _, host := range hosts {
		have := map[bool]int{true: 1}[logged[host]]
		if on[host] > 1 {
			more := min(left, on[host]-have)
			have, left = have+more, left-more
		}
		for n := range on[host] - have {
			is := judge.Unlogged{Authority: authority, Server: host, Ask: fmt.Sprintf("each server logs for itself: where does %s log, and who has that?", host)}
			const most = 3
			switch {
			case len(hosts) == 1:
				is.Server = fmt.Sprintf("one of its %s (%d)", plural.Count(len(urls), "server", "servers"), n+1)
				is.Ask = fmt.Sprintf("its servers are %s: whose log is missing? Say before each file whose it is, as in %s/ldap1=FILE", strings.Join(urls, ", "), authority)
			case on[host] > 1:
				is.Server = fmt.Sprintf("one of its %s on %s (%d)", plural.Count(on[host], "server", "servers"), host, n+1)
			case len(others) > 0:
				is.Ask = fmt.Sprintf("is the log of %s its? Then say so before the file, as in %s/%s=FILE; else where does it log?", strings.Join(others[:min(len(others), most)], ", "), authority, host)
			}
			out = append(out, is)
		}
	}
	return out
}

// hostsOf are the names of the machines of servers.
func hostsOf(urls []string) (out []string) {
	for _, text := range urls {
		host := text
		if u, err := url.Parse(text); err == nil && u.Hostname() != "" {
			host = u.Hostname()
		}
		if host = strings.ToLower(strings.TrimSuffix(host, ".")); !slices.Contains(out, host) {
			out = append(out, host)
		}
	}
	return out
}

// hostOf is the one of hosts that a log calls so, whole or by its first part;
// "" where it is none, or may be several.
func hostOf(name string, hosts []string) string {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if slices.Contains(hosts, name) {
		return name
	}
	short, _, whole := strings.Cut(name, ".")
	found := ""
	for _, host := range hosts {
		first, _, qualified := strings.Cut(host, ".")
		if name == "" || first != short || whole && qualified {
			continue
		}
		if found != "" {
			return ""
		}
		found = host
	}
	return found
}
