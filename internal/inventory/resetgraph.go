package inventory

import (
	"fmt"
	"maps"
	"slices"

	"rollcall/internal/credential"
)

// resetGraph is who can reset whom. Its nodes are drafts and, behind them,
// crowds: drafts that the same ones can reset. An edge goes from a draft to a
// crowd that it can reset, and from a crowd to each of its drafts, so that its
// size is that of the roll and not of its square.
type resetGraph struct {
	drafts []*draft
	to     [][]int
	from   [][]int
	comp   []int  // by node, the component
	late   []late // by node, once it is settled
}

// late is the last spot, among the drafts before and in a node that can reset
// on, and whose.
type late struct {
	by *draft
	at spot
}

func (g *resetGraph) draft(n int) *draft {
	if n < len(g.drafts) {
		return g.drafts[n]
	}
	return nil
}

// resetGraph is made of what the directories show, and of this: an account of a
// protected group can reset all of its authority that are not. Lines that
// cannot be rotated as listed keep nobody waiting, since they are not changed.
func (m *merger) resetGraph(drafts []*draft) *resetGraph {
	g := &resetGraph{drafts: drafts, to: make([][]int, len(drafts)), from: make([][]int, len(drafts))}
	nodes, protected, others, everyone := map[string]int{}, map[string][]int{}, map[string][]int{}, map[string][]int{}
	for n, l := range drafts {
		nodes[l.ID] = n
		everyone[l.Authority] = append(everyone[l.Authority], n)
		switch {
		case l.Authority == "" || l.Subject == "":
		case l.protected && l.Problem == "":
			protected[l.Authority] = append(protected[l.Authority], n)
		case !l.protected:
			others[l.Authority] = append(others[l.Authority], n)
		}
	}
	crowd := func(by, whom []int) {
		if len(by) == 0 || len(whom) == 0 {
			return
		}
		n := len(g.to)
		g.to, g.from = append(g.to, whom), append(g.from, by)
		for _, b := range by {
			g.to[b] = append(g.to[b], n)
		}
		for _, w := range whom {
			g.from[w] = append(g.from[w], n)
		}
	}
	for _, authority := range slices.Sorted(maps.Keys(protected)) {
		crowd(protected[authority], others[authority])
	}
	for _, authority := range slices.Sorted(maps.Keys(m.lost.resets)) {
		find := func(ids []string, alone bool) (out []int) {
			for _, id := range ids {
				if n, ok := nodes[authority+"/"+id]; ok && (!alone || drafts[n].Problem == "") {
					out = append(out, n)
				}
			}
			return out
		}
		for _, x := range m.lost.resets[authority].Alike {
			crowd(find(x.By, true), find(x.Accounts, false))
		}
		if readers := find(m.lost.resets[authority].Readers, true); len(readers) > 0 {
			crowd(readers, everyone[authority])
		}
	}
	g.late, g.comp = make([]late, len(g.to)), make([]int, len(g.to))
	return g
}

// components are the nodes that reach each other, each before those that it
// reaches (Tarjan's algorithm, 1972, which finds them the other way round).
func (g *resetGraph) components() (out [][]int) {
	index, low, on := make([]int, len(g.to)), make([]int, len(g.to)), make([]bool, len(g.to))
	var stack []int
	count := 0
	var visit func(n int)
	visit = func(n int) {
		count++
		index[n], low[n], on[n] = count, count, true
		stack = append(stack, n)
		for _, t := range g.to[n] {
			switch {
			case index[t] == 0:
				visit(t)
				low[n] = min(low[n], low[t])
			case on[t]:
				low[n] = min(low[n], index[t])
			}
		}
		if low[n] != index[n] {
			return
		}
		at := slices.Index(stack, n)
		comp := slices.Clone(stack[at:])
		stack = stack[:at]
		out = append(out, comp)
		for _, c := range comp {
			on[c], g.comp[c] = false, len(out)
		}
	}
	for n := range g.to {
		if index[n] == 0 {
			visit(n)
		}
	}
	slices.Reverse(out)
	return out
}

// latest is the last of those that can reset the drafts of a component,
// themselves not in it; nil if there is none.
func (g *resetGraph) latest(comp []int) (by *draft, where spot) {
	for _, n := range comp {
		for _, f := range g.from[n] {
			l := g.late[f]
			if l.by != nil && g.comp[f] != g.comp[n] && (by == nil || l.at.compare(where) > 0) {
				by, where = l.by, l.at
			}
		}
	}
	return by, where
}

// noteLatest notes where a component's drafts stand, for those that it can
// reset.
func (g *resetGraph) noteLatest(comp []int, at map[*draft]spot) {
	var last late
	for _, n := range comp {
		if l := g.draft(n); l != nil && (last.by == nil || at[l].compare(last.at) > 0) {
			last = late{l, at[l]}
		}
	}
	if last.by == nil { // a crowd alone passes on who can reset it
		last.by, last.at = g.latest(comp)
	}
	for _, n := range comp {
		g.late[n] = last
	}
}

// noteResets marks the drafts that can reset others, and says so of each. What
// Rollcall works with can by its nature.
func (m *merger) noteResets(own ownIdentities) {
	for authority, shown := range m.lost.resets {
		may, ahead := map[string]int{}, map[string]int{} // how many others, and how many of these go first all the same
		for _, x := range shown.Alike {
			listed, logins := map[string]bool{}, 0
			for _, id := range x.Accounts {
				if l := m.drafts[authority+"/"+id]; l != nil {
					listed[id] = true
					if l.rank() == toVault {
						logins++
					}
				}
			}
			for _, by := range x.By {
				may[by] += len(listed)
				ahead[by] += logins
				if listed[by] {
					may[by]--
				}
			}
		}
		for by, n := range may {
			l := m.drafts[authority+"/"+by]
			if _, ours := own[authority+"/"+by]; l == nil || ours || n == 0 {
				continue
			}
			l.resets = true
			l.find(credential.FindingResetsOthers, "by what %s shows of rights it may set the passwords of other accounts of the roll (%d): it goes before them", authority, n)
			if l.rank() != toVault && ahead[by] > 0 {
				l.find(credential.FindingResetsOthers, "%d of them log in to Vault and go first all the same: until it is dead, whoever stole it may set their passwords again and read with them; take the right from it before the run", ahead[by])
			}
		}
	}
}

// readsHow says what an account may read of others, and by which right.
func (m *merger) readsHow(c *credential.Credential) string {
	shown := m.lost.resets[c.Authority]
	how := fmt.Sprintf(shown.ReadsHow, c.Authority)
	if by := shown.ReadBy[c.Subject]; by != "" {
		how += "; not by a right of its own: " + by + ", and that is what to take from it; look who is in such a group, or may log in as such an account, by now"
	}
	return how
}

func (m *merger) readsOthers(c *credential.Credential) bool {
	return slices.Contains(m.lost.resets[c.Authority].Readers, c.Subject)
}

// noteReaders marks the drafts that may read what the accounts of their
// directory are set to. These wait until they may not (activities/seen.go).
func (m *merger) noteReaders(own ownIdentities) {
	listed := map[string]int{}
	for _, l := range m.drafts {
		listed[l.Authority]++
	}
	for id, l := range m.drafts {
		if _, ours := own[id]; ours || !m.readsOthers(&l.Credential) {
			continue
		}
		l.resets, l.ReadsOthers = l.resets || listed[l.Authority] > 1, true
		l.ReadsAs = m.lost.resets[l.Authority].ReadAs[l.Subject]
		l.find(credential.FindingReadsOthers, "it may %s: nothing is set there, its own included, before that right is gone, for what is logged in with its old password reads on when that is dead. Take the right away before the run (of a group: from the list, for a ticket keeps its groups) and give it to another account later. Whoever stole it has had all of before, too; in a domain that of krbtgt among them", m.readsHow(&l.Credential))
	}
}
