package inventory

import (
	"slices"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/evidence/taken"
)

// Read notes on a roll what one reading of logs shows.
func Read(roll *credential.Roll, r *taken.Record) { signed(roll, []config.Source{{Record: r}}) }

// signed notes on the roll what logs show of its credentials, and puts what has
// signs of use first in its wave, the surest before all: what is known to be
// used is to die first. Which wave it is in does not change, for that order
// keeps new values from whoever could read or reset them. What logs show of
// others is counted, and named nowhere.
func signed(roll *credential.Roll, sources []config.Source) {
	at := map[string]int{}
	for i, c := range roll.Credentials {
		at[c.ID] = i
	}
	some := false
	for _, s := range sources {
		r := s.Record
		if r == nil || slices.ContainsFunc(roll.Readings, func(had credential.LogsRead) bool { return had.ID == r.ID }) {
			continue // none, or the very same file
		}
		read := credential.LogsRead{ID: r.ID, Of: r.Of, Logs: r.Logs, Coverage: r.Coverage, Elsewhere: slices.Clone(r.Elsewhere)}
		read.Of.Source = s.Name
		for _, of := range r.Signs {
			i, on := at[of.Credential]
			for _, sign := range of.Signs {
				if !on {
					read.Elsewhere = counted(read.Elsewhere, sign)
					continue
				}
				c := &roll.Credentials[i]
				c.Signs = append(c.Signs, credential.SignOf{Reading: r.ID, Sign: sign})
				read.Counts.Signs++
			}
			if on {
				read.Counts.Credentials++
				some = true
			}
		}
		read.Counts.Logs, read.Counts.Coverage, read.Counts.NotKept = len(read.Logs), len(read.Coverage), r.NotKept
		for _, e := range read.Elsewhere {
			read.Counts.Elsewhere += e.Findings
		}
		roll.Readings = append(roll.Readings, read)
	}
	if some {
		slices.SortStableFunc(roll.Credentials, func(a, b credential.Credential) int {
			if a.Wave != b.Wave {
				return a.Wave - b.Wave
			}
			return a.SignRank() - b.SignRank()
		})
	}
}

// counted adds a sign of what is not on the roll to the counts.
func counted(counts []credential.Sign, s credential.Sign) []credential.Sign {
	bare := credential.Sign{Code: s.Code, Grade: s.Grade, Findings: s.Findings, Count: s.Count, First: s.First, Last: s.Last}
	for i, c := range counts {
		if c.Code == s.Code && c.Grade == s.Grade {
			counts[i] = credential.JoinCounts(c, bare)
			return counts
		}
	}
	return append(counts, bare)
}
