package credential

import (
	"slices"
	"time"
)

// Grade says how far a sign of use bears.
type Grade string

// Grades.
const (
	Confirmed Grade = "confirmed"
	Probable  Grade = "probable"
	Possible  Grade = "possible"
)

// Rank puts the surest grade first. What is none of them is last.
func (g Grade) Rank() int {
	switch g {
	case Confirmed:
		return 0
	case Probable:
		return 1
	case Possible:
		return 2
	}
	return 3
}

// Sign is what logs show of a credential that a stolen value may explain: what
// is alike in code, grade and rule is one. It holds no secret and no name. Of
// findings that are about no credential of the roll it is a count: it has no
// address and no place then.
type Sign struct {
	Code  string `json:"code"`
	Grade Grade  `json:"grade"`
	Rule  string `json:"rule,omitempty"` // that gave the grade; empty of a count
	// Doubts lowered the grade by one, all together.
	Doubts   []string  `json:"doubts,omitempty"`
	Findings int       `json:"findings"` // of one address, account and outcome each
	Count    int       `json:"count"`    // of events
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
	Outcome  string    `json:"outcome,omitempty"` // of the first
	// Addresses from which it was, the first first, and how many more there
	// are.
	Addresses     []string  `json:"addresses,omitempty"`
	MoreAddresses int       `json:"more_addresses,omitempty"`
	At            *LogPlace `json:"at,omitempty"` // of the first
}

// LogPlace is a line of one of the logs of a reading.
type LogPlace struct {
	Log  int    `json:"log"`  // ReadLog.Number
	Name string `json:"name"` // of that log
	Line int    `json:"line"`
}

// Interval is a span of time. To is zero while it lasts.
type Interval struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to,omitzero"`
}

// LogReading is a reading of logs.
type LogReading struct {
	// Source is what the campaign file calls where it is from; empty where
	// nothing in it does.
	Source string `json:"source,omitempty"`
	// SHA256 of what `rollcall evidence -o json` wrote, byte for byte; empty of
	// a reading that follows.
	SHA256 string    `json:"sha256,omitempty"`
	ReadAt time.Time `json:"read_at"`
	// Roll is the campaign whose roll the logs were held against; empty where
	// it was listed afresh.
	Roll    string     `json:"roll,omitempty"`
	Windows []Interval `json:"windows,omitempty"` // in which the device was in foreign hands
	// Follows: logs are read as they are written, so it need not end, and no
	// log of it has a digest.
	Follows bool `json:"follows,omitempty"`
}

// ReadLog is a log that was read.
type ReadLog struct {
	Number int    `json:"number"` // in its reading, from 1
	Name   string `json:"name"`   // of the file, without its folder
	// SHA256 of its bytes as they lay there, packed or not, and how many they
	// are.
	SHA256    string    `json:"sha256,omitempty"`
	Size      int64     `json:"size,omitempty"`
	Format    string    `json:"format"`
	Authority string    `json:"authority,omitempty"` // whose log it is; empty where nobody said
	Server    string    `json:"server,omitempty"`    // as the log or the operator says
	Lines     int       `json:"lines,omitempty"`
	NotRead   int       `json:"not_understood,omitempty"`
	First     time.Time `json:"first,omitzero"` // time of a line
	Last      time.Time `json:"last,omitzero"`
}

// LogGap is a part of a window without lines.
type LogGap struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Reason string    `json:"reason"`
}

// LogNote is what limits what a log can show, and how often.
type LogNote struct {
	Note  string `json:"note"`
	Count int    `json:"count"`
}

// LogCoverage is which part of the windows the log of one server covers. Where
// it has no line of somebody, that does not say that he was not there.
type LogCoverage struct {
	Authority string `json:"authority,omitempty"`
	Server    string `json:"server,omitempty"`
	Format    string `json:"format,omitempty"`
	// NoLog: no log is known to be of that authority of the roll, or of that
	// server of it.
	NoLog bool `json:"no_log,omitempty"`
	// InFront: it is the log of a server in front of the authority, which is
	// not the authority's own.
	InFront    bool      `json:"in_front,omitempty"`
	Lines      int       `json:"lines,omitempty"`
	Logins     int       `json:"logins,omitempty"`
	Foreign    int       `json:"other_programs,omitempty"`
	NotRead    int       `json:"not_understood,omitempty"`
	Notes      []LogNote `json:"notes,omitempty"`
	CannotShow []string  `json:"cannot_show,omitempty"` // whatever is in it
	// Gaps are all parts of the windows without lines, in order. What is not in
	// them has lines.
	Gaps []LogGap `json:"gaps,omitempty"`
	// Joined are stretches with lines that count as gaps here: the shortest,
	// where there are more than an entry holds.
	Joined int `json:"joined,omitempty"`
}

// ReadingCounts close a reading of logs.
type ReadingCounts struct {
	Logs        int `json:"logs"`
	Coverage    int `json:"coverage"`    // entries of it
	Signs       int `json:"signs"`       // entries of credentials of the roll
	Credentials int `json:"credentials"` // that have a sign
	Elsewhere   int `json:"elsewhere"`   // findings that are about no credential of the roll
	// NotKept are events that were of more accounts and addresses than are kept
	// apart: no finding has them.
	NotKept int `json:"not_kept_apart,omitempty"`
}

// JoinCounts adds one count of what is about no credential to another.
func JoinCounts(s, more Sign) Sign {
	s.Findings, s.Count = s.Findings+more.Findings, s.Count+more.Count
	if more.First.Before(s.First) {
		s.First = more.First
	}
	if more.Last.After(s.Last) {
		s.Last = more.Last
	}
	return s
}

// MostAddresses of a sign are named, and so many doubts.
const MostAddresses, mostDoubts = 16, 64

// JoinSigns is a sign with more of it: of one address, or of none. fresh says
// that nothing of it before had that address.
func JoinSigns(s, more Sign, fresh bool) Sign {
	s.Addresses = slices.Clone(s.Addresses)
	if s.Count == 0 || more.First.Before(s.First) {
		s.First, s.Outcome, s.At = more.First, more.Outcome, more.At
		if len(more.Addresses) > 0 { // the first first
			named := len(s.Addresses)
			s.Addresses = slices.DeleteFunc(s.Addresses, func(a string) bool { return a == more.Addresses[0] })
			if !fresh && len(s.Addresses) == named { // it was one of those that are not named
				s.MoreAddresses--
			}
			s.Addresses = slices.Insert(s.Addresses, 0, more.Addresses[0])
		}
	} else if fresh {
		s.Addresses = append(s.Addresses, more.Addresses...)
	}
	if n := len(s.Addresses); n > MostAddresses {
		s.Addresses = s.Addresses[:MostAddresses]
		s.MoreAddresses++
	}
	if more.Last.After(s.Last) {
		s.Last = more.Last
	}
	s.Findings, s.Count = s.Findings+more.Findings, s.Count+more.Count
	for _, d := range more.Doubts {
		if !slices.Contains(s.Doubts, d) && len(s.Doubts) < mostDoubts {
			s.Doubts = append(slices.Clone(s.Doubts), d)
		}
	}
	return s
}

// SignOf is a sign, and the reading of logs that has it.
type SignOf struct {
	Reading string `json:"reading"` // LogsRead.ID
	Sign
}

// LogsRead is a reading of logs, and what it shows besides what stands with the
// credentials of the roll.
type LogsRead struct {
	ID       string        `json:"id"`
	Of       LogReading    `json:"of,omitzero"`
	Logs     []ReadLog     `json:"logs,omitempty"`
	Coverage []LogCoverage `json:"coverage,omitempty"`
	// Elsewhere counts findings that are about no credential of the roll, by
	// code and grade.
	Elsewhere []Sign        `json:"elsewhere,omitempty"`
	Counts    ReadingCounts `json:"counts,omitzero"`
	// NeverEnded: of a ledger in which it has no end. Some of it may be
	// missing.
	NeverEnded bool `json:"never_ended,omitempty"`
}

// WorstOf is the surest of signs, of several the one that was first; nil where
// there is none, which does not say that nobody used the credential.
func WorstOf(signs []SignOf) *SignOf {
	var worst *SignOf
	for i := range signs {
		if s := &signs[i]; worst == nil || s.Grade.Rank() < worst.Grade.Rank() || s.Grade == worst.Grade && s.First.Before(worst.First) {
			worst = s
		}
	}
	return worst
}

// SignRank is what goes first within a wave: the surest sign before all, and
// what has none behind what has one.
func (c Credential) SignRank() int {
	if worst := WorstOf(c.Signs); worst != nil {
		return worst.Grade.Rank()
	}
	return Grade("").Rank()
}
