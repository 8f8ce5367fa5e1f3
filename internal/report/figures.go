// Package report turns the fold of a ledger into what people and programs
// read: progress while a campaign runs, the last screen, JSON, and one HTML
// file that needs nothing else. It reads ledger.State and does no I/O beyond
// writing to the writer it is given; it never sees a secret, for there is none
// in a ledger.
package report

import (
	"slices"
	"sort"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// Verification is what is known of the ledger that the report was made from.
// The zero value says that nobody verified it.
type Verification struct {
	Size        uint64
	Root        string // base64, as in the checkpoint
	VerifierKey string // vkey (C2SP signed-note), public
	Checkpoint  string // the signed checkpoint, as text

	At       time.Time // when it was verified; zero if it was not
	Problems []string  // what the verification found, for people

	// Command is how a reader of the report can verify the ledger, and Fetch
	// how he gets, from Vault, the files that it names.
	Command string
	Fetch   []string
}

// standing is where a credential stands, in five words that exclude each other.
type standing string

const (
	waiting   standing = "waiting" // nothing has been done to it
	inWork    standing = "in_work" // a value may be set, or the next pass takes it at once
	open      standing = "open"    // a pass ended without proof; tried again until the deadline
	exception standing = "exception"
	dead      standing = "dead"
)

func standingOf(l *ledger.CredentialState) standing {
	switch {
	case l.Outcome == ledger.Dead:
		return dead
	case l.Outcome == ledger.IsException:
		return exception
	case l.Reason != "" && !l.Reason.Immediate():
		return open
	case l.Step != "" || l.Reason != "":
		return inWork
	}
	return waiting
}

// tally counts credentials by where they stand. Attested are those of Dead by
// people's word alone: no server was asked. OnSome are those of Dead that a
// server or door did not show, because a person had left it out; Fewer are
// those of Dead that lack a server, and AtDoors those that lack a door.
// Superseded are those of Exceptions that another campaign took over.
type tally struct {
	Listed, Dead, Attested, OnSome, AtDoors, Waiting, InWork, Open, Exceptions int
	Fewer, Superseded                                                          int
}

func (t *tally) add(s standing) {
	t.Listed++
	switch s {
	case dead:
		t.Dead++
	case exception:
		t.Exceptions++
	case open:
		t.Open++
	case inWork:
		t.InWork++
	case waiting:
		t.Waiting++
	}
}

func (t tally) notDead() int { return t.Listed - t.Dead }

// Proved are those that are dead by what a server showed.
func (t tally) Proved() int { return t.Dead - t.Attested }

// OnAll are those that every server of their authority, and every door of
// theirs, showed dead.
func (t tally) OnAll() int { return t.Dead - t.Attested - t.OnSome }

// Places are what OnAll and OnSome are about.
func (t tally) Places() string {
	if t.AtDoors > 0 {
		return "servers and doors"
	}
	return "servers"
}

// OnSome reports whether what is dead was not shown so everywhere. What people
// attest counts as attested.
func OnSome(l *ledger.CredentialState) bool { return onSome(l) }

func onSome(l *ledger.CredentialState) bool {
	return l.Outcome == ledger.Dead && l.Proof != protocol.ProofAttested && len(l.LeftOut)+len(l.DoorsLeftOut) > 0
}

// figures are the numbers of a campaign.
type figures struct {
	All       tally
	ByWave    map[int]*tally
	ByProof   map[protocol.Proof]int
	ByReason  []reasonGroup // of open ones and exceptions: accepted stolen values first, then by number
	ByFinding []findingGroup
	HandOver  []*ledger.CredentialState // dead, with a temporary password for the owner at its path

	FirstDead, LastDead time.Duration // after the campaign's start; 0 if none is dead
	Median, P99         time.Duration // from Set to the proof on the last server
	Measured            int           // credentials in Median and P99

	died   []int64                   // of each of the dead, when: in nanoseconds of Unix time
	Finds  int                       // findings, of all credentials
	Recent []*ledger.CredentialState // the last that died, the latest first

	Again  int                    // of the dead, those of which an earlier campaign had called a value dead
	Before *credential.DeadBefore // the latest of those; nil without one
	// AgainOpen are those of what is not dead of which an earlier campaign had
	// called a value dead.
	AgainOpen int
}

type reasonGroup struct {
	Reason protocol.Reason
	Lines  []*ledger.CredentialState
}

type findingGroup struct {
	Code  credential.FindingCode
	Lines []foundLine
}

type foundLine struct {
	*ledger.CredentialState
	Detail string
}

func figuresOf(s *ledger.State) figures {
	f := figures{ByWave: map[int]*tally{}, ByProof: map[protocol.Proof]int{}}
	reasons := map[protocol.Reason]*reasonGroup{}
	findings := map[credential.FindingCode]*findingGroup{}
	var took []time.Duration
	for l := range s.All() {
		at := standingOf(l)
		f.All.add(at)
		if f.ByWave[l.Wave] == nil {
			f.ByWave[l.Wave] = &tally{}
		}
		f.ByWave[l.Wave].add(at)
		f.Finds += len(l.Findings)
		for _, found := range l.Findings {
			group(findings, found.Code, func() *findingGroup { return &findingGroup{Code: found.Code} }).add(l, found.Detail)
		}
		if at != dead {
			f.countBefore(l.DeadBefore, &f.AgainOpen)
		}
		switch at {
		case open, exception:
			if at == exception && l.Reason == protocol.ReasonSuperseded {
				f.All.Superseded++
			}
			g := group(reasons, l.Reason, func() *reasonGroup { return &reasonGroup{Reason: l.Reason} })
			g.Lines = append(g.Lines, l)
		case dead:
			f.ByProof[l.Proof]++
			if l.Proof == protocol.ProofAttested {
				f.All.Attested++
			}
			if onSome(l) {
				f.All.OnSome++
				f.ByWave[l.Wave].OnSome++
			}
			if len(l.LeftOut) > 0 {
				f.All.Fewer++
			}
			if len(l.DoorsLeftOut) > 0 {
				f.All.AtDoors++
			}
			f.Recent = recentOf(f.Recent, l)
			f.countBefore(l.DeadBefore, &f.Again)
			if l.Kind.Traits().HandsOver && len(l.Paths) > 0 {
				f.HandOver = append(f.HandOver, l)
			}
			after := l.DeadAt.Sub(s.StartedAt)
			f.died = append(f.died, l.DeadAt.UnixNano())
			if f.All.Dead == 1 || after < f.FirstDead {
				f.FirstDead = after
			}
			f.LastDead = max(f.LastDead, after)
			if !l.SetAt.IsZero() && l.DeadAt.After(l.SetAt) {
				took = append(took, l.DeadAt.Sub(l.SetAt))
			}
		}
	}
	// The roll may still be written page by page; what it counts is the truth.
	if n := s.Listed - f.All.Listed; n > 0 {
		f.All.Listed += n
		f.All.Waiting += n
	}
	sort.Slice(took, func(i, j int) bool { return took[i] < took[j] })
	f.Median, f.P99, f.Measured = percentile(took, 50), percentile(took, 99), len(took)
	for _, g := range reasons {
		f.ByReason = append(f.ByReason, *g)
	}
	sort.Slice(f.ByReason, func(i, j int) bool {
		a, b := f.ByReason[i], f.ByReason[j]
		if urgent := protocol.ReasonOldAccepted; a.Reason == urgent || b.Reason == urgent {
			return a.Reason == urgent
		}
		return len(a.Lines) > len(b.Lines) || len(a.Lines) == len(b.Lines) && a.Reason < b.Reason
	})
	for _, g := range findings {
		f.ByFinding = append(f.ByFinding, *g)
	}
	sort.Slice(f.ByFinding, func(i, j int) bool { return weight(f.ByFinding[i].Code) < weight(f.ByFinding[j].Code) })
	return f
}

// recentOf adds one of the dead to the last that died. Of several that died at
// once the first of the roll comes first.
func recentOf(recent []*ledger.CredentialState, l *ledger.CredentialState) []*ledger.CredentialState {
	at := len(recent)
	for at > 0 && l.DeadAt.After(recent[at-1].DeadAt) {
		at--
	}
	if at == recentDeaths {
		return recent
	}
	recent = slices.Insert(recent, at, l)
	return recent[:min(len(recent), recentDeaths)]
}

func (f *figures) countBefore(b *credential.DeadBefore, n *int) {
	if b == nil {
		return
	}
	*n++
	if f.Before == nil || b.At.After(f.Before.At) {
		f.Before = b
	}
}

func group[K comparable, G any](in map[K]*G, k K, make func() *G) *G {
	if in[k] == nil {
		in[k] = make()
	}
	return in[k]
}

func (g *findingGroup) add(l *ledger.CredentialState, detail string) {
	g.Lines = append(g.Lines, foundLine{l, detail})
}

// percentile is the nearest-rank percentile of sorted durations, 0 of none.
func percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)*p+99)/100-1]
}

func wavesOf(f figures) []int {
	waves := make([]int, 0, len(f.ByWave))
	for w := range f.ByWave {
		waves = append(waves, w)
	}
	sort.Ints(waves)
	return waves
}
